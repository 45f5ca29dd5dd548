"""Writes fragmented MP4: the init segment of one track and media segments of one `moof` each.

Only boxes (ISO/IEC 14496-12, 23001-7, 23000-19): it never encrypts, never sees a key and never reads a file. Boxes that
the caller has as bytes (sample entries, `pssh`) go in unread. Times are ticks of the track's timescale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Final

from player.isobmff.sample import Protection, Scheme

TRACK_ID: Final = 1
UNITY_MATRIX: Final = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
UNDETERMINED: Final = 0x55C4  # the language "und" in three times five bits
LOCAL_GROUP: Final = 0x10001  # entry 1 of the `sgpd` in the same `traf` (14496-12, 8.9.4)
VIDEO_ENTRIES: Final = (b"avc1", b"avc3", b"hvc1", b"hev1", b"vp09", b"av01")
AUDIO_ENTRIES: Final = (b"mp4a", b"Opus", b"fLaC", b"ac-3", b"ec-3", b"ac-4")
PROTECTED_ENTRIES: Final = dict.fromkeys(VIDEO_ENTRIES, b"encv") | dict.fromkeys(AUDIO_ENTRIES, b"enca")
STARTS_WITH_SAP: Final = 0x90000000  # and of type 1: all that follows can be decoded
SYNC: Final = 0x02000000  # sample_depends_on = 2: on no other sample
NON_SYNC: Final = 0x01010000  # sample_depends_on = 1, sample_is_non_sync_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackHeader:
    """What a `trak` says. `entries` are the boxes of `stsd`: one, or a protected and a clear one for a clear lead."""

    kind: str  # "video" or "audio"
    timescale: int
    entries: tuple[bytes, ...]
    width: int = 0  # pixels, 0 for audio
    height: int = 0
    language: int = UNDETERMINED  # three letters in five bits each
    edits: bytes = b""  # a whole `edts` box, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Auxiliary:
    """Per-sample auxiliary information: IV, then with `subsamples` a count and (clear, protected) pairs of bytes."""

    entries: tuple[bytes, ...]
    subsamples: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentHeader:
    """What a `moof` says of its samples. `sync` holds the indices of the sync samples; None: all are."""

    sequence: int
    decode_time: int
    sizes: Sequence[int]  # bytes
    durations: Sequence[int]
    sync: tuple[int, ...] | None = None
    entry: int = 1  # sample description index
    auxiliary: Auxiliary | None = None  # None: clear
    group: Protection | None = None  # the `seig` entry for all samples; None: `tenc` applies
    time_offsets: Sequence[int] | None = None  # composition minus decode time; None: all 0


def box(kind: bytes, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return pack(">I", len(payload) + 8) + kind + payload


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, pack(">I", version << 24 | flags), *parts)


# ── init segment ─────────────────────────────────────────────────────────────────────────────────────────────────────


def init_segment(track: TrackHeader, pssh: Sequence[bytes] = ()) -> bytes:
    """`ftyp` and `moov`; the `pssh` boxes come last in the `moov`."""
    return box(b"ftyp", b"cmfc", bytes(4), b"iso6cmfcdash") + box(b"moov", _mvhd(), _trak(track), _mvex(), *pssh)


def protected_entry(entry: bytes, protection: Protection) -> bytes:
    """A clear sample entry turned into `encv` or `enca` with its `sinf` (23001-7, 4.2 and 8.2)."""
    fourcc = entry[4:8]
    sinf = box(
        b"sinf",
        box(b"frma", fourcc),
        full_box(b"schm", 0, 0, protection.scheme.encode(), pack(">I", 0x10000)),
        box(b"schi", _tenc(protection)),
    )
    return box(PROTECTED_ENTRIES[fourcc], entry[8:], sinf)


def protection_payload(protection: Protection) -> bytes:
    """What `tenc` holds behind version and flags, and a `seig` entry as a whole: the layouts are the same."""
    constant = b"" if protection.iv_size else bytes([len(protection.constant_iv)]) + protection.constant_iv
    head = bytes([0, protection.crypt << 4 | protection.skip, 1, protection.iv_size])
    return head + protection.kid + constant


def _tenc(protection: Protection) -> bytes:
    version = 1 if protection.scheme in (Scheme.CENS, Scheme.CBCS) else 0  # version 0 has no room for a pattern
    return full_box(b"tenc", version, 0, protection_payload(protection))


def _mvhd() -> bytes:
    head = pack(">4IIH10x", 0, 0, 1000, 0, 0x10000, 0x100)
    return full_box(b"mvhd", 0, 0, head, UNITY_MATRIX, bytes(24), pack(">I", TRACK_ID + 1))


def _trak(track: TrackHeader) -> bytes:
    return box(b"trak", _tkhd(track), track.edits, _mdia(track))


def _tkhd(track: TrackHeader) -> bytes:
    volume = 0x100 if track.kind == "audio" else 0
    head = pack(">2II4xI8xHHHH", 0, 0, TRACK_ID, 0, 0, 0, volume, 0)
    return full_box(b"tkhd", 0, 7, head, UNITY_MATRIX, pack(">II", track.width << 16, track.height << 16))


def _mdia(track: TrackHeader) -> bytes:
    handler, name, header = MEDIA_KINDS[track.kind]
    mdhd = full_box(b"mdhd", 0, 0, pack(">4IHH", 0, 0, track.timescale, 0, track.language, 0))
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name)
    return box(b"mdia", mdhd, hdlr, box(b"minf", header, _dinf(), _stbl(track.entries)))


MEDIA_KINDS: Final = {  # handler type, its name, media header
    "video": (b"vide", b"video\0", full_box(b"vmhd", 0, 1, bytes(8))),
    "audio": (b"soun", b"audio\0", full_box(b"smhd", 0, 0, bytes(4))),
}


def _dinf() -> bytes:
    return box(b"dinf", full_box(b"dref", 0, 0, pack(">I", 1), full_box(b"url ", 0, 1)))


def _stbl(entries: tuple[bytes, ...]) -> bytes:
    empty = (
        full_box(kind, 0, 0, bytes(size)) for kind, size in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))
    )
    return box(b"stbl", full_box(b"stsd", 0, 0, pack(">I", len(entries)), *entries), *empty)


def _mvex() -> bytes:
    return box(b"mvex", full_box(b"trex", 0, 0, pack(">5I", TRACK_ID, 1, 0, 0, 0)))


def segment_index(timescale: int, start: int, segments: Sequence[tuple[int, int]]) -> bytes:
    """`sidx` right before the first of these segments of (bytes, ticks); each starts with a sync sample (8.16.3)."""
    head = pack(">IIQQHH", TRACK_ID, timescale, start, 0, 0, len(segments))
    return full_box(b"sidx", 1, 0, head, *(pack(">3I", size, ticks, STARTS_WITH_SAP) for size, ticks in segments))


# ── media segment ────────────────────────────────────────────────────────────────────────────────────────────────────


def media_segment(header: FragmentHeader, data: bytes | bytearray, pssh: Sequence[bytes] = ()) -> bytes:
    """`styp`, `moof` and `mdat` with the samples of `data`; the `pssh` boxes come behind the `traf`."""
    styp = box(b"styp", b"msdh", bytes(4), b"msdhcmfs")
    return b"".join((styp, _moof(header, pssh), pack(">I", len(data) + 8), b"mdat", data))


def _moof(header: FragmentHeader, pssh: Sequence[bytes]) -> bytes:
    """Offsets count from the start of the `moof` (default-base-is-moof): `trun` is written once its size is known."""
    mfhd = full_box(b"mfhd", 0, 0, pack(">I", header.sequence))
    before, after = _tfhd(header) + _tfdt(header), _seig(header)
    trun_flags, rows = _trun_rows(header)
    aux_start = 8 + len(mfhd) + 8 + len(before) + 20 + len(rows) + len(after)  # 20: the head of `trun`
    aux = _aux_boxes(header.auxiliary, aux_start)
    data_start = aux_start + len(aux) + sum(map(len, pssh)) + 8
    version = 0 if header.time_offsets is None else 1  # version 1: offsets are signed
    trun = full_box(b"trun", version, trun_flags, pack(">II", len(header.sizes), data_start), rows)
    return box(b"moof", mfhd, box(b"traf", before, trun, after, aux), *pssh)


def _tfhd(header: FragmentHeader) -> bytes:
    """Default-base-is-moof, sample description, default duration, default flags."""
    flags = SYNC if header.sync is None else NON_SYNC
    return full_box(b"tfhd", 0, 0x2002A, pack(">4I", TRACK_ID, header.entry, header.durations[0], flags))


def _tfdt(header: FragmentHeader) -> bytes:
    return full_box(b"tfdt", 1, 0, pack(">Q", header.decode_time))


def _trun_rows(header: FragmentHeader) -> tuple[int, bytes]:
    """Flags and table: a size for every sample, durations and flags only where `tfhd` does not say them for all."""
    columns = [header.sizes]
    flags, first = 0x201, b""
    if len(set(header.durations)) > 1:
        flags, columns = flags | 0x100, [header.durations, *columns]
    if header.sync == (0,):
        flags, first = flags | 0x4, pack(">I", SYNC)
    elif header.sync is not None:
        column = [SYNC if i in header.sync else NON_SYNC for i in range(len(header.sizes))]
        flags, columns = flags | 0x400, [*columns, column]
    if header.time_offsets is not None:
        flags, columns = flags | 0x800, [*columns, [offset % 2**32 for offset in header.time_offsets]]
    table = [value for row in zip(*columns, strict=True) for value in row]
    return flags, first + pack(f">{len(table)}I", *table)


def _seig(header: FragmentHeader) -> bytes:
    """All samples in one `seig` group that this `traf` brings along (23001-7, 6)."""
    if header.group is None:
        return b""
    entry = protection_payload(header.group)
    sbgp = full_box(b"sbgp", 0, 0, b"seig", pack(">3I", 1, len(header.sizes), LOCAL_GROUP))
    return sbgp + full_box(b"sgpd", 1, 0, b"seig", pack(">2I", len(entry), 1), entry)


def _aux_boxes(auxiliary: Auxiliary | None, start: int) -> bytes:
    """`saiz`, `saio`, `senc`, the first of them `start` bytes into the `moof`.

    Where every entry is empty (constant IV, whole samples) only an empty `senc` remains, as Shaka Packager has it.
    """
    if auxiliary is None:
        return b""
    entries = auxiliary.entries
    senc = full_box(b"senc", 0, 2 if auxiliary.subsamples else 0, pack(">I", len(entries)), *entries)
    sizes = bytes(map(len, entries))
    if not any(sizes):
        return senc
    same = len(set(sizes)) == 1
    saiz = full_box(b"saiz", 0, 0, pack(">BI", sizes[0] if same else 0, len(sizes)), b"" if same else sizes)
    saio = full_box(b"saio", 0, 0, pack(">II", 1, start + len(saiz) + 20 + 16))  # 20: itself; 16: the head of `senc`
    return saiz + saio + senc
