"""The least that turns clear fragmented MP4 into protected one, and one `tenc` into another: boxes cut and put back.

For files of one track whose `moof` has one `traf` with one `trun`, as ffmpeg writes them on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import pack, unpack_from
from typing import Final

from player.cenc.encrypt import Encryptor
from player.cenc.subsamples import Mapper, mapper
from player.ids import ContentKey
from player.isobmff.model import Fragment
from player.isobmff.sample import Protection, Sample
from player.isobmff.segment import parse_media
from player.isobmff.writer import box, full_box, protection_payload

VISUAL, SOUND = 78, 28  # bytes of an entry's own fields
ENTRIES: Final = {
    **dict.fromkeys((b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp09", b"encv"), VISUAL),
    **dict.fromkeys((b"mp4a", b"Opus", b"enca"), SOUND),
}
TEXT: Final = {"wvtt": b"enct", "tx3g": b"enct", "stpp": b"encu"}  # protected whole
CONFIGS: Final = (b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds", b"dOps")
STSD: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
TENC: Final = (b"sinf", b"schi", b"tenc")

Change = Callable[[bytes], bytes]


def boxes(data: bytes) -> Iterable[bytes]:
    """Each with its header."""
    position = 0
    while position < len(data):
        (size,) = unpack_from(">I", data, position)
        yield data[position : position + size]
        position += size


def edit(data: bytes, path: Sequence[bytes], change: Change) -> bytes:
    """Boxes one after the other, the one at `path` changed and those around it resized."""
    pieces = [_edit_box(each, path, change) if each[4:8] == path[0] else each for each in boxes(data)]
    return b"".join(pieces)


def _edit_box(data: bytes, path: Sequence[bytes], change: Change) -> bytes:
    if len(path) == 1:
        return change(data)
    own = _own_fields(data[4:8])
    return box(data[4:8], data[8 : 8 + own], edit(data[8 + own :], path[1:], change))


def _own_fields(kind: bytes) -> int:
    """Bytes between the header of a box and its children."""
    return 8 if kind == b"stsd" else ENTRIES.get(kind, 0)


def find(data: bytes, path: Sequence[bytes]) -> bytes:
    """The box at `path`, with its header."""
    head, *rest = path
    box_there = next(each for each in boxes(data) if each[4:8] == head)
    return find(box_there[8 + _own_fields(head) :], rest) if rest else box_there


def with_tenc(init: bytes, record: bytes) -> bytes:
    """An init segment whose `tenc` says what a `seig` entry says: their bytes are the same (23001-7, 6)."""
    entry = next(iter(boxes(find(init, STSD)[16:])))
    return edit(init, (*STSD, entry[4:8], *TENC), lambda tenc: box(b"tenc", tenc[8:12], record))


def codec_of(clear: bytes) -> tuple[str, bytes]:
    """The original format of a file's one sample entry, and the body of its decoder configuration."""
    entry = next(iter(boxes(find(clear, STSD)[16:])))
    if (name := entry[4:8].decode("ascii")) in TEXT:
        return name, b""
    config = next(each[8:] for each in boxes(entry[8 + ENTRIES[entry[4:8]] :]) if each[4:8] in CONFIGS)
    return name, config


def protect_file(clear: bytes, protection: Protection, key: ContentKey) -> bytes:
    """Clear fragmented MP4 of one track, encrypted with the map of its codec and told as Packager tells it."""
    codec, config = codec_of(clear)
    track = Mapper(payloads=None) if codec in TEXT else mapper(codec, config)
    fragments = iter(parse_media(clear).fragments)
    pieces: list[bytes] = []
    moof = b""
    for each in boxes(clear):
        if each[4:8] == b"moov":
            pieces.append(
                edit(each, (*STSD, codec.encode()), lambda clear_entry: _protected_entry(clear_entry, protection))
            )
        elif each[4:8] == b"moof":
            moof = each
        elif each[4:8] == b"mdat":
            pieces += _protect_fragment(moof, clear, next(fragments), track, protection, key)
        elif each[4:8] == b"ftyp":
            pieces.append(each)
    return b"".join(pieces)


def _protected_entry(entry: bytes, protection: Protection) -> bytes:
    tenc = full_box(b"tenc", 1, 0, protection_payload(protection))
    schm = full_box(b"schm", 0, 0, protection.scheme.encode(), pack(">I", 0x10000))
    sinf = box(b"sinf", box(b"frma", entry[4:8]), schm, box(b"schi", tenc))
    return box(_protected_type(entry[4:8]), entry[8:], sinf)


def _protected_type(kind: bytes) -> bytes:
    return TEXT.get(kind.decode("ascii")) or (b"encv" if ENTRIES[kind] == VISUAL else b"enca")


def _protect_fragment(
    moof: bytes, clear: bytes, fragment: Fragment, track: Mapper, protection: Protection, key: ContentKey
) -> tuple[bytes, bytes]:
    buffer = bytearray(clear[slice(*fragment.data)])
    samples: list[Sample] = []
    for number, each in enumerate(fragment.samples):
        data = bytes(buffer[each.offset : each.offset + each.size])
        ranges = track.ranges(data, protection.scheme)
        iv = pack(">IHH", fragment.decode_time, number, 0).ljust(protection.iv_size, b"\xff")[: protection.iv_size]
        samples.append(each._replace(protection=protection, iv=iv, ranges=ranges))
    Encryptor().encrypt(buffer, samples, key)
    aux = _aux_boxes(samples, len(moof))
    moof = edit(moof, (b"moof", b"traf"), lambda traf: box(b"traf", edit(traf[8:], (b"trun",), _moved(len(aux))), aux))
    return moof, box(b"mdat", bytes(buffer))


def _moved(by: int) -> Change:
    """A `trun` whose data offset grows."""
    return lambda trun: trun[:16] + pack(">i", unpack_from(">i", trun, 16)[0] + by) + trun[20:]


def _aux_boxes(samples: Sequence[Sample], start: int) -> bytes:
    """`saiz`, `saio` and `senc` at the end of a `moof` of `start` bytes; an empty `senc` where there is nothing."""
    entries = [each.iv + _table(each) for each in samples]
    senc = full_box(b"senc", 0, 2 if any(each.ranges for each in samples) else 0, pack(">I", len(entries)), *entries)
    if not any(entries):
        return senc
    saiz = full_box(b"saiz", 0, 0, pack(">BI", 0, len(entries)), bytes(map(len, entries)))
    return saiz + full_box(b"saio", 0, 0, pack(">II", 1, start + len(saiz) + 20 + 16)) + senc


def _table(sample: Sample) -> bytes:
    if not sample.ranges:
        return b""
    return pack(">H", len(sample.ranges)) + b"".join(pack(">HI", *pair) for pair in sample.ranges)
