"""Boxes by hand, for shapes that no tool writes. One video track, 25 fps in ticks of 1/25 s."""

from __future__ import annotations

from itertools import accumulate

from player.ids import COMMON_SYSTEM, KeyId
from player.isobmff.pssh import Pssh, write

KID = KeyId(bytes(range(16)))
OTHER_KID = KeyId(bytes(range(16, 32)))


def u32(*numbers: int) -> bytes:
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)


def box(kind: bytes, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return u32(8 + len(body)) + kind + body


def full(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    return box(kind, u32(version << 24 | flags), *payload)


def pssh(kid: KeyId = KID) -> bytes:
    return write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(kid,)))


def record(kid: bytes = KID, *, iv_size: int = 8, pattern: int = 0, protected: int = 1, constant: bytes = b"") -> bytes:
    """The bytes that tenc and a seig entry share."""
    tail = bytes([len(constant)]) + constant if constant else b""
    return bytes([0, pattern, protected, iv_size]) + kid + tail


def encv(protection: bytes, scheme: bytes = b"cenc", version: int = 1) -> bytes:
    schm = full(b"schm", 0, 0, scheme, u32(0x10000))
    sinf = box(b"sinf", box(b"frma", b"avc1"), schm, box(b"schi", full(b"tenc", version, 0, protection)))
    return box(b"encv", bytes(78), sinf)


def moov(*entries: bytes, beside: bytes = b"", in_stbl: bytes = b"", size: int = 0) -> bytes:
    """`beside`: behind the trak in moov."""
    stbl = box(b"stbl", full(b"stsd", 0, 0, u32(len(entries)), *entries), in_stbl)
    mdia = box(
        b"mdia",
        full(b"mdhd", 0, 0, u32(0, 0, 25, 0, 0)),
        full(b"hdlr", 0, 0, u32(0), b"vide", bytes(13)),
        box(b"minf", stbl),
    )
    trak = box(b"trak", full(b"tkhd", 0, 3, u32(0, 0, 1, 0, 0), bytes(60)), mdia)
    return box(b"moov", box(b"mvex", full(b"trex", 0, 0, u32(1, 1, 1, size, 0))), trak, beside)


def trun(sizes: list[int], offset: int) -> bytes:
    return full(b"trun", 0, 0x201, u32(len(sizes), offset, *sizes))


def traf(*boxes: bytes, entry: int | None = None, base_is_moof: bool = True, time: int = 0) -> bytes:
    flags = (0x20000 if base_is_moof else 0) | (0x2 if entry is not None else 0)
    tfhd = full(b"tfhd", 0, flags, u32(1), u32(entry) if entry is not None else b"")
    return box(b"traf", tfhd, full(b"tfdt", 1, 0, time.to_bytes(8, "big")), *boxes)


def moof(*children: bytes) -> bytes:
    return box(b"moof", full(b"mfhd", 0, 0, u32(1)), *children)


def senc(*entries: bytes, subsamples: bool = False) -> bytes:
    return full(b"senc", 0, 2 if subsamples else 0, u32(len(entries)), *entries)


def sgpd(*entries: bytes, version: int = 1) -> bytes:
    length = u32(len(entries[0])) if version else b""
    return full(b"sgpd", version, 0, b"seig", length, u32(len(entries)), *entries)


def sbgp(*runs: tuple[int, int], kind: bytes = b"seig") -> bytes:
    return full(b"sbgp", 0, 0, kind, u32(len(runs)), *(u32(count, index) for count, index in runs))


def segment(sizes: list[int], *boxes: bytes, behind: bytes = b"", **more: int | bool | None) -> bytes:
    """One moof with one traf, and its mdat. `behind`: children of moof behind the traf."""
    entry, base_is_moof, time = more.get("entry"), more.get("base_is_moof", True), more.get("time", 0)

    def build(offset: int) -> bytes:
        return moof(
            traf(trun(sizes, offset), *boxes, entry=entry, base_is_moof=bool(base_is_moof), time=time or 0), behind
        )

    return build(len(build(0)) + 8) + box(b"mdat", bytes(range(256)) * (sum(sizes) // 256 + 1))


def stsz(*sizes: int) -> bytes:
    return full(b"stsz", 0, 0, u32(0, len(sizes), *sizes))


def chunks_of(*sizes: int, entry: int = 1) -> bytes:
    """`stts` with one duration, `stsc` with chunks of two samples."""
    return full(b"stts", 0, 0, u32(1, len(sizes), 10)) + full(b"stsc", 0, 0, u32(1, 1, 2, entry))


def file(
    sizes: list[int],
    *entries: bytes,
    tables: bytes = b"",
    entry: int = 1,
    size_box: bytes | None = None,
    offset_box: bytes = b"stco",
) -> bytes:
    """One track in chunks of two samples, and its mdat; `tables`: more boxes for `stbl`."""
    each = list(accumulate(sizes, initial=0))[:-1:2]

    def build(start: int) -> bytes:
        width = 8 if offset_box == b"co64" else 4
        offsets = b"".join((start + at).to_bytes(width, "big") for at in each)
        stco = full(offset_box, 0, 0, u32(len(each)), offsets)
        stbl = (size_box or stsz(*sizes)) + chunks_of(*sizes, entry=entry) + stco + tables
        return moov(*(entries or (box(b"avc1", bytes(78)),)), in_stbl=stbl)

    return build(len(build(0)) + 8) + box(b"mdat", bytes(sum(sizes)))


def emsg(version: int = 1, duration: int = 5) -> bytes:
    strings = b"urn:example\0" + b"one\0"
    if version:
        return full(b"emsg", 1, 0, u32(1000), (1 << 40).to_bytes(8, "big"), u32(duration, 7), strings, b"payload")
    return full(b"emsg", 0, 0, strings, u32(1000, 40, duration, 7), b"payload")


def prft(version: int = 1) -> bytes:
    return full(b"prft", version, 24, u32(1), (3 << 32).to_bytes(8, "big"), (90).to_bytes(8 if version else 4, "big"))
