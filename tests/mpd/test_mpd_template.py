"""URL templates: every identifier, widths, escapes, and resolution against the base URL."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.mpd.template import compile_template

BASE = "http://origin.example/live/a.mpd?x=1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seg.m4s", "http://origin.example/live/seg.m4s"),
        ("$Number$.m4s", "http://origin.example/live/7.m4s"),
        ("$Number%05d$.m4s", "http://origin.example/live/00007.m4s"),
        ("$Number%d$.m4s", None),
        ("$Time$.m4s", "http://origin.example/live/9007199254740993.m4s"),
        ("$Time%020d$", "http://origin.example/live/00009007199254740993"),
        ("$RepresentationID$/$Bandwidth$", "http://origin.example/live/v{1}$/128000"),
        ("$RepresentationID%09d$", "http://origin.example/live/v{1}$"),
        ("$Bandwidth%08d$", "http://origin.example/live/00128000"),
        ("a$$b{0}$Number$", "http://origin.example/live/a$b{0}7"),
        ("$Number$$Time$", "http://origin.example/live/79007199254740993"),
        ("../$Number$", "http://origin.example/7"),
        ("/$Number$?t=$Time$", "http://origin.example/7?t=9007199254740993"),
        ("https://cdn.example/$Number$", "https://cdn.example/7"),
        ("$Number$/$SubNumber$", "http://origin.example/live/7/2"),
        ("$Time%03d$.$SubNumber%04d$", "http://origin.example/live/9007199254740993.0002"),
        ("$subnumber$", None),
        ("$number$", None),
        ("$Number", None),
        ("a$b", None),
        ("$Number%33d$", None),
        ("$Number%09999999999d$", None),
        ("$Number%0-5d$", None),
        ("http://[x/$Number$", None),
    ],
)
def test_a_template_becomes_a_url_or_is_refused(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"^.{1,120}$"):
            compile_template(text, BASE, "v{1}$", 128_000)
        return
    assert compile_template(text, BASE, "v{1}$", 128_000).url(7, 9_007_199_254_740_993, 2) == expected


PIECES = st.one_of(
    st.sampled_from(["$Number$", "$Time$", "$RepresentationID$", "$Bandwidth$", "$$", "$Number%03d$", "$Time%012d$"]),
    st.text("ab{}%/.?&=_-0", max_size=6),
)


@given(
    st.lists(PIECES, max_size=8), st.text("ab{}$%/._-", max_size=8), st.integers(0, 1 << 64), st.integers(0, 1 << 64)
)
def test_filling_first_and_resolving_then_gives_the_same_url(
    pieces: list[str], representation_id: str, number: int, time: int
) -> None:
    values = {
        "$Number$": str(number), "$Time$": str(time), "$RepresentationID$": representation_id, "$Bandwidth$": "64000",
        "$$": "$", "$Number%03d$": f"{number:03d}", "$Time%012d$": f"{time:012d}",
    }  # fmt: skip
    filled = "".join(values.get(piece, piece) for piece in pieces)
    url = compile_template("".join(pieces), BASE, representation_id, 64_000).url(number, time)
    assert url == urljoin(BASE, filled)
