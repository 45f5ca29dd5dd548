"""Where and how fast `keystorm play` is to play, as text."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from player.cli import values


@pytest.mark.rule("dash:P9")
@pytest.mark.parametrize(("text", "expected"), [("0", 0.0), ("12.5", 12.5), ("live", "live")])
def test_a_start_is_seconds_or_live(text: str, expected: float | str) -> None:
    assert values.position(text) == expected


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e99", "now", "LIVE", ""])
def test_another_start_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="from 0 on, or live"):
        values.position(text)


@pytest.mark.parametrize("text", ["0.5", "1", "1.25", "2"])
def test_a_rate_lies_between_a_half_and_two(text: str) -> None:
    assert values.rate(text) == float(text)


@pytest.mark.parametrize("text", ["0.49", "2.01", "0", "-1", "nan", "fast", ""])
def test_another_rate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"from 0\.5 to 2"):
        values.rate(text)
