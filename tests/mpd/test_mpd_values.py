"""Each lexical form: what it means exactly, and that nonsense is a ValueError with one short line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.mpd import values

HOUR_US = 3600 * 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT0S", 0),
        (" PT2S\n", 2_000_000),
        ("PT1H2M3.5S", 3_723_500_000),
        ("PT0.0000019S", 1),  # by floor
        ("P1DT1H", 25 * HOUR_US),
        ("P1Y2M", (365 + 60) * 24 * HOUR_US),
        ("PT100H", 100 * HOUR_US),
        ("PT4294967295S", 4_294_967_295_000_000),
    ],
)
def test_a_duration_is_exact(text: str, expected: int) -> None:
    assert values.duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000_000),
        ("2026-01-01T00:00:00", 1_767_225_600_000_000),
        ("2026-01-01T01:30:00.25+01:30", 1_767_225_600_250_000),
        ("2025-12-31T23:00:00-01:00", 1_767_225_600_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
    ],
)
def test_a_date_is_exact_and_utc_where_it_names_no_zone(text: str, expected: int) -> None:
    assert values.instant(text) == expected


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - made UTC below
def test_any_date_agrees_with_the_calendar(when: datetime) -> None:
    expected = (when.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert values.instant(when.isoformat() + "Z") == expected


@pytest.mark.parametrize(("text", "expected"), [("true", True), (" 1 ", True), ("false", False), ("0\t", False)])
def test_a_boolean_has_four_spellings(text: str, expected: bool) -> None:
    assert values.boolean(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("INF", None), ("7.5", 7_500_000), ("-0.5", -500_000), ("1e300", None), ("1.9999999", 2_000_000)],
)
def test_an_availability_time_offset_may_be_inf(text: str, expected: int | None) -> None:
    assert values.offset(text) == expected


NONSENSE: list[tuple[Callable[[str], object], str]] = [
    *((values.boolean, text) for text in ("", "yes", "TRUE", "2")),
    *((values.unsigned, text) for text in ("", "-1", "1.0", "0x10", "٣", "1" * 21, "1_000", "9" * 5000)),
    *((values.positive, text) for text in ("0", "-3")),
    *((values.integer, text) for text in ("", "--1", "1-", "- 1")),
    *(
        (values.duration, text)
        for text in ("", "P", "PT", "P1DT", "-PT1S", "1S", "PT1.5M", "PT1S2", "P" + "9" * 99 + "Y")
    ),
    *((values.instant, text) for text in ("", "2026-01-01", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "now")),
    *((values.instant, text) for text in ("2026-01-01T25:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00+1")),
    *((values.offset, text) for text in ("", "soon", "nan", "-inf")),
    *((values.byte_range, text) for text in ("", "5", "5-", "-5", "9-5", "0-9,20-29", "0-" + "9" * 30)),
    *((values.binary, text) for text in ("a", "é===", "AA=A", "AAA_")),
    *((values.key_ids, text) for text in ("00", "0" * 33, "g" * 32, "0" * 32 + " x")),
]


@pytest.mark.parametrize(("convert", "text"), NONSENSE)
def test_nonsense_is_refused_in_one_short_line(convert: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^.{1,120}$"):
        convert(text)


@given(st.text(max_size=40))
def test_no_text_brings_anything_but_a_value_or_a_value_error(text: str) -> None:
    forms = (
        values.boolean, values.unsigned, values.positive, values.integer, values.duration, values.instant,
        values.offset, values.byte_range, values.binary, values.key_ids,
    )  # fmt: skip
    for convert in forms:
        try:
            convert(text)
        except ValueError:
            continue


def test_key_ids_come_once_in_either_case_and_the_zero_one_means_none() -> None:
    kid = "00112233-4455-6677-8899-aabbccddeeff"
    assert [str(k) for k in values.key_ids(f"{kid.upper()} {kid.replace('-', '')} {'0' * 32}")] == [kid]
    assert values.key_ids("00000000-0000-0000-0000-000000000000") == ()
