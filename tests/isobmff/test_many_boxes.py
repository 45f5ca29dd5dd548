"""Bytes made to cost time: work grows with the bytes and no faster, and limits end it early.

Work is counted in calls, of Python and of C, so that a busy machine changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from player.errors import MediaError
from player.isobmff import dump, events, inspection
from player.isobmff.boxes import MAX_SAMPLES, MAX_TOP_LEVEL_BOXES
from player.isobmff.file import parse_file
from player.isobmff.init import parse_init
from player.isobmff.segment import parse_media
from tests.isobmff import build
from tests.isobmff.build import (
    KID,
    OTHER_KID,
    box,
    emsg,
    encv,
    full,
    moof,
    moov,
    pssh,
    record,
    segment,
    traf,
    trun,
    u32,
)

CLEAR = moov(box(b"avc1", bytes(78)))
PROTECTED = moov(encv(record()), size=1)
READERS: Mapping[str, Callable[[bytes], object]] = {
    "init": parse_init,
    "media": parse_media,
    "file": parse_file,
    "events": events.parse_side_boxes,
    "inspect": inspection.inspect,
    "pssh": inspection.pssh_boxes,
    "dump": lambda data: list(dump.walk(data)),
}


def nested(depth: int, kind: bytes = b"moof") -> bytes:
    data = b""
    for _ in range(depth):
        data = box(kind, data)
    return data


def with_data(build_moof: Callable[[int], bytes], size: int) -> bytes:
    return PROTECTED + build_moof(len(build_moof(0)) + 8) + box(b"mdat", bytes(size))


def ragged(samples: int) -> bytes:
    """One and two subsamples in turns, all of samples of one byte."""
    tables = [bytes(8) + b"\0\1\0\0" + u32(1), bytes(8) + b"\0\2\0\0" + u32(1) + bytes(6)]
    senc = full(b"senc", 0, 2, u32(samples), *(tables[i % 2] for i in range(samples)))
    return with_data(lambda at: moof(traf(full(b"trun", 0, 1, u32(samples, at)), senc)), samples)


def groups_in_turns(samples: int) -> bytes:
    runs = build.sbgp(*((1, 0x10001 + i % 2) for i in range(samples)))
    boxes = (runs, build.sgpd(record(KID), record(OTHER_KID)), full(b"senc", 0, 0, u32(samples), bytes(8 * samples)))
    return with_data(lambda at: moof(traf(full(b"trun", 0, 1, u32(samples, at)), *boxes)), samples)


def runs_and_mdats(count: int) -> bytes:
    """As many truns as mdats; every run lies in the last one."""
    size = len(moof(traf(*[trun([1], 0)] * count))) + 8 * count
    truns = [trun([1], size + i) for i in range(count)]
    return CLEAR + moof(traf(*truns)) + box(b"mdat") * (count - 1) + box(b"mdat", bytes(count))


FAMILIES: Mapping[str, Callable[[int], bytes]] = {
    "free": lambda n: box(b"free") * n,
    "emsg": lambda n: emsg(0) * n,
    "small emsg": lambda n: full(b"emsg", 0, 0, bytes(18)) * n,
    "styp": lambda n: box(b"styp", b"msdh", bytes(4)) * n,
    "pssh": lambda n: pssh() * n,
    "empty pssh": lambda n: box(b"pssh") * n,
    "empty moof": lambda n: CLEAR + box(b"moof") * n,
    "moof and mdat": lambda n: CLEAR + (box(b"moof") + box(b"mdat")) * n,
    "empty moov": lambda n: box(b"moov") * n,
    "the same moov": lambda n: CLEAR + segment([1]) + CLEAR * n,
    "two moovs in turns": lambda n: (CLEAR + PROTECTED) * n,
    "mdat": lambda n: CLEAR + segment([4]) + box(b"mdat") * n,
    "broken moof": lambda n: CLEAR + box(b"moof", b"\0\0\0\7free") * n,
    "pssh in moov": lambda n: moov(encv(record()), beside=pssh() * n),
    "senc of all sizes": ragged,
    "a group a sample": groups_in_turns,
    "as many runs as mdats": runs_and_mdats,
    "trafs": lambda n: CLEAR + moof(*[traf(full(b"trun", 0, 0, u32(0)))] * n) + box(b"mdat"),
    "a chunk a sample": lambda n: build.file([1] * n),
    "nested moof": nested,
    "nested traf": lambda n: CLEAR + nested(n, b"traf"),
}


def work(read: Callable[[bytes], object], data: bytes) -> int:
    calls = 0

    def count(_frame: object, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        with suppress(MediaError):
            read(data)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("family", FAMILIES)
def test_work_grows_no_faster_than_the_bytes(family: str) -> None:
    few, many = FAMILIES[family](100), FAMILIES[family](400)
    for name, read in READERS.items():
        calls = work(read, many)
        assert calls <= 4.4 * work(read, few) + 200, name
        assert calls <= 6 * len(many) + 200, name


@pytest.mark.parametrize("name", ["init", "media", "file", "events"])
def test_a_file_of_small_boxes_ends_at_the_limit(name: str) -> None:
    data = box(b"free") * (MAX_TOP_LEVEL_BOXES + 1)
    with pytest.raises(MediaError, match=f"more than {MAX_TOP_LEVEL_BOXES} boxes") as caught:
        READERS[name](data)
    assert (caught.value.code, caught.value.path, caught.value.offset) == ("limit", "/", 8 * MAX_TOP_LEVEL_BOXES)


def test_inspect_names_the_limit_too() -> None:
    (fault,) = inspection.inspect(box(b"free") * (MAX_TOP_LEVEL_BOXES + 1)).faults
    assert (fault.code, fault.path, fault.offset) == ("limit", "/", 8 * MAX_TOP_LEVEL_BOXES)


def test_as_many_samples_as_a_moof_may_have_are_read_without_a_call_each() -> None:
    def build_moof(at: int) -> bytes:
        return moof(traf(full(b"trun", 0, 0x201, u32(MAX_SAMPLES, at), u32(1) * MAX_SAMPLES)))

    data = CLEAR + build_moof(len(build_moof(0)) + 8) + box(b"mdat", bytes(MAX_SAMPLES))
    assert work(parse_media, data) < 1000
    assert len(parse_media(data).fragments[0].samples) == MAX_SAMPLES
