"""Events as lines of a trace."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
import pytest

from player.errors import UsageError
from player.ids import COMMON_SYSTEM, ContentKey, KeyId, SystemId
from player.trace.encode import FORMAT, Encoder, Header
from player.trace.event import Event
from player.trace.reader import read_header, read_lines, read_trace
from player.trace.writer import TraceWriter

KID = KeyId.parse("00112233-4455-6677-8899-aabbccddeeff")


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: KeyId


class Row(msgspec.Struct, frozen=True):
    slot: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Event):
    name: ClassVar[str] = "test:everything"
    kid: KeyId = KID
    short: KeyId = field(default=KeyId(b"\x01\x02"))
    system: SystemId = COMMON_SYSTEM
    colour: Colour = Colour.RED
    body: bytes = b"license"
    pair: Pair = field(default=Pair(1, KID))
    row: Row = field(default=Row(3, b""))
    inner: Inner = field(default=Inner(kids=(KID, KID)))
    none: None = None
    yes: bool = True
    share: float = 0.5
    nan: float = float("nan")
    statuses: Mapping[KeyId, Colour] = field(default_factory=lambda: {KID: Colour.RED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding(Event):
    name: ClassVar[str] = "test:holding"
    what: object


def _data(event: Event) -> Any:
    return json.loads(Encoder().event(0, "c0000", event))["data"]


def test_every_plain_value_is_written_in_one_way() -> None:
    digest = hashlib.sha256(b"license").hexdigest()[:16]
    empty = hashlib.sha256(b"").hexdigest()[:16]
    kid = "00112233-4455-6677-8899-aabbccddeeff"
    assert _data(Everything()) == {
        "kid": kid,
        "short": "0102",
        "system": "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b",
        "colour": "red",
        "body": {"bytes": 7, "sha256": digest},
        "pair": {"left": 1, "right": kid},
        "row": {"slot": 3, "data": {"bytes": 0, "sha256": empty}},
        "inner": {"kids": [kid, kid]},
        "none": None,
        "yes": True,
        "share": 0.5,
        "nan": None,
        "statuses": {kid: "red"},
    }


@pytest.mark.rule("decisions:D9")
@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "0.000000"),
        (12_034_000, "12.034000"),
        (1, "0.000001"),
        (-1_500_000, "-1.500000"),
        (172_800_000_001, "172800.000001"),
    ],
)
def test_time_is_seconds_with_six_decimals(time_us: int, text: str) -> None:
    line = Encoder().event(time_us, "c0017", Holding(what=None)).decode()
    assert line == f'{{"time": {text}, "who": "c0017", "name": "test:holding", "data": {{"what": null}}}}\n'


@pytest.mark.parametrize("wrap", [lambda key: key, lambda key: (key,), lambda key: {KID: key}, lambda key: [[key]]])
def test_a_content_key_is_refused_wherever_it_hides(wrap: Any) -> None:
    key = ContentKey(b"0123456789abcdef")
    with pytest.raises(TypeError, match="ContentKey has no place in a trace") as caught:
        Encoder().event(0, "c0000", Holding(what=wrap(key)))
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize("value", [object(), {1, 2}, bytearray(b"x"), 1j])
def test_a_type_without_a_place_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no place in a trace"):
        Encoder().event(0, "c0000", Holding(what=value))


@pytest.mark.rule("decisions:D79")
def test_events_of_one_instant_are_written_by_client_and_each_clients_in_sequence() -> None:
    file = io.BytesIO()
    writer = TraceWriter(file, Header(version="1", seed=1, clock="virtual"))
    for time, client, what in [(5, 2, "a"), (5, 0, "b"), (5, 2, "c"), (5, 1, "d"), (6, 1, "e"), (6, 0, "f")]:
        writer.write(time, client, Holding(what=what))
    writer.close()
    file.seek(0)
    assert read_header(file, "t").seed == 1
    lines = list(read_lines(file, "t"))
    assert [line.data["what"] for line in lines] == ["b", "d", "a", "c", "f", "e"]
    assert [line.who for line in lines] == ["c0000", "c0001", "c0002", "c0002", "c0000", "c0001"]


def test_time_that_runs_backwards_is_refused() -> None:
    writer = TraceWriter(io.BytesIO(), Header(version="1"))
    writer.write(2, 0, Holding(what=1))
    with pytest.raises(ValueError, match="after one at 2"):
        writer.write(1, 0, Holding(what=1))


@pytest.mark.rule("decisions:D9")
def test_a_newer_trace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.trace.jsonl"
    path.write_bytes(Encoder().header(Header(format=FORMAT + 1, version="9")))
    with pytest.raises(UsageError, match="newer than 1"):
        read_trace(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]\n",
        b'{"format": "1", "version": "1"}\n',
        b"\xff\xfe\n",
        b'{"format": 1, "version": "1"}\n{"time": 1}\n',
    ],
)
def test_what_is_no_trace_is_refused_by_name_and_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.trace.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.trace\.jsonl:[12]: not a line of a trace"):
        read_trace(path)


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_trace(tmp_path / "gone")
