"""What may be broken in a file, one thing a row, and what must come of it: for files of tools, and for boxes by hand.

A row speaks of a video track of two segments whose boxes are those that Shaka Packager writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from player.isobmff.boxes import Walk, top_level
from tests.isobmff.build import KID, box, encv, full, moof, moov, pssh, record, sbgp, senc, sgpd, traf, trun, u32

if TYPE_CHECKING:
    from tests.cenc.content import Played

STBL = "moov/trak/mdia/minf/stbl"
TENC = f"{STBL}/stsd/encv/sinf/schi/tenc"
FIELDS = {b"stsd": 8, b"encv": 78}  # bytes before the children
UNKNOWN_KID = bytes(range(0xF0, 0x100))
BIG = 0xFFFFFFFF
FIRST = 50  # samples of a segment


class Media:
    """A file that is going to be broken; positions are those of its boxes."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def box(self, path: str) -> tuple[int, int, int]:
        """Start, start of the payload, end. `moof[1]/traf` is the traf of the second moof."""
        data = bytes(self.data)
        boxes, fields = list(top_level(data)), 0
        found = None
        for step in path.split("/"):
            name, _, number = step.rstrip("]").partition("[")
            if found is not None:
                boxes = Walk(data).children(found, fields)
            found = [box for box in boxes if box.type == name.encode()][int(number or 0)]
            fields = FIELDS.get(found.type, 0)
        assert found is not None
        return found.start, found.body, found.end

    def put(self, path: str, offset: int, value: int, size: int = 4) -> None:
        """A number at an offset into the payload; negative offsets reach into the header (-8: size, -4: type)."""
        at = self.box(path)[1] + offset
        self.data[at : at + size] = value.to_bytes(size, "big")

    def get(self, path: str, offset: int, size: int = 4) -> int:
        at = self.box(path)[1] + offset
        return int.from_bytes(self.data[at : at + size], "big")

    def add(self, path: str, offset: int, change: int, size: int = 4) -> None:
        self.put(path, offset, self.get(path, offset, size) + change, size)

    def rename(self, path: str) -> None:
        self.put(path, -4, int.from_bytes(b"free", "big"))

    def insert(self, at: int, data: bytes) -> None:
        self.data[at:at] = data

    def copy(self, path: str) -> bytes:
        start, _, end = self.box(path)
        return bytes(self.data[start:end])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`code` None: no error. `samples`: how many leading samples come out right; None: all, -1: as many, but others."""

    name: str
    break_it: Callable[[Media], object]
    code: str | None = None
    samples: int | None = None
    warnings: frozenset[str] = frozenset()
    form: str = "cenc"
    more: Callable[[Played], bool] = field(default=lambda _: True)


def same(name: str, break_it: Callable[[Media], object], *warnings: str, form: str = "cenc") -> Case:
    return Case(name=name, break_it=break_it, warnings=frozenset(warnings), form=form)


def fails(name: str, break_it: Callable[[Media], object], code: str, samples: int = 0, *, form: str = "cenc") -> Case:
    return Case(name=name, break_it=break_it, code=code, samples=samples, form=form)


def rename_all(*paths: str) -> Callable[[Media], object]:
    def break_it(media: Media) -> None:
        for path in paths:
            media.rename(path)

    return break_it


def all_ones(version: int) -> Callable[[Media], object]:
    def break_it(media: Media) -> None:
        size = media.box("moof/traf/tfdt")[2] - media.box("moof/traf/tfdt")[1] - 4
        media.put("moof/traf/tfdt", 0, version if size == 8 else 0, 1)
        media.put("moof/traf/tfdt", 4, (1 << 8 * size) - 1, size)

    return break_it


def sixty_four_bits(media: Media) -> None:
    start = media.box("mdat")[0]
    media.data[start : start + 16] = b"\0\0\0\1mdat" + (1 << 63).to_bytes(8, "big")


def nest(media: Media) -> None:
    nested = b""
    for _ in range(2000):
        nested = (len(nested) + 8).to_bytes(4, "big") + b"moof" + nested
    media.data += nested


def other_moov(media: Media) -> None:
    """The second fragment is encrypted as before, but a moov in front of it says otherwise."""
    other = Media(bytes(media.data))
    other.put(TENC, 8, int.from_bytes(UNKNOWN_KID, "big"), 16)
    media.insert(media.box("moof[1]")[0], other.copy("moov"))


SENC, SAIZ, SAIO, TRUN = (f"moof/traf/{name}" for name in ("senc", "saiz", "saio", "trun"))
FIRST_IV = 8  # bytes of an entry's IV, behind the 8 bytes of senc's head
EMPTY_FREE = (8).to_bytes(4, "big") + b"free"

CASES = [
    same("unchanged", lambda m: None),
    fails("ends inside the last mdat", lambda m: m.data.__delitem__(slice(-2000, None)), "truncated", FIRST),
    fails(
        "ends inside the second moof",
        lambda m: m.data.__delitem__(slice(m.box("moof[1]")[0] + 100, None)),
        "truncated",
        FIRST,
    ),
    fails("ends inside moov", lambda m: m.data.__delitem__(slice(m.box("moov")[0] + 100, None)), "truncated"),
    fails("moof of size 0", lambda m: m.put("moof", -8, 0), "bad-box"),
    fails("moof of size 1, a 64-bit size", lambda m: m.put("moof", -8, 1), "limit"),
    fails("moof of size 7", lambda m: m.put("moof", -8, 7), "bad-box"),
    fails("moof of 4 GiB", lambda m: m.put("moof", -8, BIG), "limit"),
    fails("mdat of 2^63 bytes", sixty_four_bits, "limit"),
    fails("traf larger than its moof", lambda m: m.add("moof/traf", -8, 64), "bad-box"),
    fails("traf smaller than its children", lambda m: m.add("moof/traf", -8, -64), "bad-box"),
    fails("trun with 2^32-1 samples", lambda m: m.put(TRUN, 4, BIG), "bad-table"),
    fails("trun with a sample too many", lambda m: m.add(TRUN, 4, 1), "bad-table"),
    fails("trun far before the file", lambda m: m.put(TRUN, 8, (1 << 32) - 2_000_000), "bad-reference"),
    fails("trun far behind the file", lambda m: m.put(TRUN, 8, (1 << 31) - 1), "bad-reference"),
    fails("a sample of 2 GiB", lambda m: m.put(TRUN, 12, (1 << 31) - 1), "bad-reference"),
    fails("tfhd of track 99", lambda m: m.put("moof/traf/tfhd", 4, 99), "bad-reference"),
    same("tfdt all ones, version 0", all_ones(0), "time-jump"),
    same("tfdt all ones, version 1", all_ones(1), "time-jump"),
    same("senc count too low", lambda m: m.add(SENC, 4, -1), "aux-conflict"),
    same("senc count too high", lambda m: m.add(SENC, 4, 1), "aux-conflict"),
    same("senc count 2^32-1", lambda m: m.put(SENC, 4, BIG), "aux-conflict"),
    fails("a subsample count of 65535", lambda m: m.put(SENC, 8 + FIRST_IV, 0xFFFF, 2), "bad-aux"),
    same("senc without its subsample flag", lambda m: m.put(SENC, 3, 0, 1), "aux-conflict"),
    fails("subsamples longer than the sample", lambda m: m.add(SENC, 12 + FIRST_IV, 16), "bad-aux"),
    fails("subsamples shorter than the sample", lambda m: m.add(SENC, 12 + FIRST_IV, -16), "bad-aux"),
    same("no senc", rename_all(SENC)),
    same("no saiz and saio", rename_all(SAIZ, SAIO)),
    fails("no auxiliary information at all", rename_all(SENC, SAIZ, SAIO), "bad-aux"),
    same("saio behind the file", lambda m: m.put(SAIO, 8, (1 << 31) - 1), "aux-conflict"),
    same("saiz of 10 samples", lambda m: m.put(SAIZ, 5, 10), "aux-conflict"),
    fails("tenc IV size 5", lambda m: m.put(TENC, 7, 5, 1), "bad-protection"),
    fails("tenc IV size 16, entries of 8", lambda m: m.put(TENC, 7, 16, 1), "bad-aux"),
    fails("tenc isProtected 2", lambda m: m.put(TENC, 6, 2, 1), "bad-protection"),
    fails("tenc isProtected 0 with an IV size", lambda m: m.put(TENC, 6, 0, 1), "bad-protection"),
    Case(
        name="tenc KID without a key",
        break_it=lambda m: m.put(TENC, 8, int.from_bytes(UNKNOWN_KID, "big"), 16),
        code="no-key",
        samples=0,
        more=lambda played: played.stopped_by == UNKNOWN_KID,
    ),
    same("tenc version 9", lambda m: m.put(TENC, 0, 9, 1), "unknown-version"),
    fails("scheme zzzz", lambda m: m.put(f"{STBL}/stsd/encv/sinf/schm", 4, 0x7A7A7A7A), "unsupported"),
    fails("pattern 0:9", lambda m: m.put(TENC, 5, 0x09, 1), "bad-protection", form="cbcs"),
    Case(name="pattern 15:15", break_it=lambda m: m.put(TENC, 5, 0xFF, 1), samples=-1, form="cbcs"),
    fails("constant IV of 200 bytes", lambda m: m.put(TENC, 24, 200, 1), "bad-protection", form="cbcs"),
    fails("a box more between moof and mdat", lambda m: m.insert(m.box("moof")[2], m.copy(SENC)), "bad-reference"),
    fails("pssh of 16 MB", lambda m: m.put("moof/pssh", -8, 16_000_000), "bad-box", form="rotating"),
    same("pssh of 2^31 KIDs", lambda m: m.put("moof/pssh", 20, 1 << 31), "bad-pssh", form="rotating"),
    same("pssh with 4 GiB of data", lambda m: m.put("moof/pssh", 40, BIG - 15), "bad-pssh", form="rotating"),
    fails("sgpd of 2^32-1 entries", lambda m: m.put("moof/traf/sgpd", 12, BIG), "bad-table", form="rotating"),
    fails("sbgp names entry 9", lambda m: m.put("moof/traf/sbgp", 16, 0x10009), "bad-reference", form="rotating"),
    same("sbgp run of 2^32-1", lambda m: m.put("moof/traf/sbgp", 12, BIG), "group-overrun", form="rotating"),
    same("2000 nested moofs behind the file", nest),
    same("100,000 free boxes", lambda m: m.insert(m.box("moof")[0], EMPTY_FREE * 100_000)),
    same("the same moov again", lambda m: m.insert(m.box("moof[1]")[0], m.copy("moov")), "repeated-moov"),
    fails("another moov", other_moov, "no-key", FIRST),
    same("an mdat before the first moof", lambda m: m.insert(m.box("moof")[0], b"\0\0\0\x10mdat12345678")),
    fails("nothing", lambda m: m.data.clear(), "no-init"),
    fails("4096 zero bytes", lambda m: m.data.__setitem__(slice(None), bytes(4096)), "bad-box"),
]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_hand(form: str) -> bytes:
    """The same boxes around a few bytes; `form` is that of a `Case`."""
    named = KID if form != "rotating" else bytes(16)
    cbcs = encv(record(named, iv_size=0, pattern=0x19, constant=bytes(16)), b"cbcs")
    init = moov(cbcs if form == "cbcs" else encv(record(named)))
    return init + b"".join(_segment_by_hand(form, number) for number in range(2))


def _segment_by_hand(form: str, number: int) -> bytes:
    sizes = [1000, 1500]
    ivs = [b"" if form == "cbcs" else bytes([number, i] * 4) for i in range(2)]
    entries = [iv + b"\0\1\0\4" + u32(size - 4) for iv, size in zip(ivs, sizes, strict=True)]
    groups = (sbgp((2, 0x10001)), sgpd(record())) if form == "rotating" else ()
    saiz = full(b"saiz", 0, 0, bytes([len(entries[0])]), u32(2))

    def build(data: int, aux: int) -> bytes:
        saio = full(b"saio", 0, 0, u32(1, aux))
        boxes = (trun(sizes, data), *groups, saiz, saio, senc(*entries, subsamples=True))
        return moof(traf(*boxes, time=2 * number), pssh() if form == "rotating" else b"")

    first = build(0, 0)
    return build(len(first) + 8, first.index(b"senc") + 12) + box(b"mdat", bytes(sum(sizes)))


def broken_by_hand() -> Iterator[tuple[Case, bytes]]:
    for case in CASES:
        media = Media(by_hand(case.form))
        case.break_it(media)
        yield case, bytes(media.data)
