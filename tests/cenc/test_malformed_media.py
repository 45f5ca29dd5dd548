"""What broken files do: the samples that are still right, or one error with a code; never a crash, never ciphertext.

Each row breaks one thing in a video track of two segments as Shaka Packager writes it.
"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from player.ids import KeyId
from player.isobmff.boxes import Walk, top_level
from player.isobmff.pssh import read
from player.isobmff.segment import parse_media
from tests.cenc.content import KEYS, KID, NO_LEAD, PATTERN, Played, Studio, play

pytestmark = pytest.mark.oracle

STBL = "moov/trak/mdia/minf/stbl"
TENC = f"{STBL}/stsd/encv/sinf/schi/tenc"
FIELDS = {b"stsd": 8, b"encv": 78}  # bytes before the children
UNKNOWN_KID = bytes(range(0xF0, 0x100))
BIG = 0xFFFFFFFF
ROTATING = ("--crypto_period_duration", "4")
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


def made(studio: Studio, form: str) -> bytes:
    """moov and two segments; the index between them would point wrong."""
    options = {"cenc": (), "cbcs": (), "rotating": ROTATING}[form]
    data = studio.encrypt(*options, *NO_LEAD, scheme="cbcs" if form == "cbcs" else "cenc").video
    boxes = [box for box in top_level(data) if box.type != b"sidx"]
    third = [box.start for box in boxes if box.type == b"moof"][2]
    return b"".join(data[box.start : box.end] for box in boxes if box.start < third)


def clear_samples(studio: Studio, data: bytes, count: int) -> bytes:
    sizes = [sample.size for fragment in parse_media(data).fragments for sample in fragment.samples]
    return studio.clear("video")[: sum(sizes[:count])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_file_gives_its_code_or_the_right_samples(studio: Studio, case: Case) -> None:
    data = made(studio, case.form)
    media = Media(data)
    case.break_it(media)
    played = play(bytes(media.data))
    expected = clear_samples(studio, data, 100 if case.samples is None else case.samples % 101)
    assert played.code == case.code
    assert (played.samples == expected) is (case.samples != -1)
    assert len(played.samples) == len(expected)
    assert played.warning_codes == case.warnings
    assert case.more(played)


@pytest.mark.parametrize(
    "case", [case for case in CASES if "2^" in case.name or "4 GiB" in case.name], ids=lambda c: c.name
)
def test_no_number_of_a_file_makes_us_allocate(studio: Studio, case: Case) -> None:
    media = Media(made(studio, case.form))
    case.break_it(media)
    data = bytes(media.data)
    tracemalloc.start()
    play(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_fault_names_the_box_and_the_byte(studio: Studio) -> None:
    media = Media(made(studio, "cenc"))
    media.add(TRUN, 4, 1)
    fault = play(bytes(media.data)).fault
    assert fault is not None
    assert (fault.path, fault.offset) == ("moof/traf/trun", media.box(TRUN)[0])


def test_a_broken_pssh_is_in_no_init_data(studio: Studio) -> None:
    media = Media(made(studio, "rotating"))
    media.put("moof/pssh", 20, 1 << 31)
    first, second = play(bytes(media.data)).segment.fragments
    assert first.init_data == ()
    assert [box.key_ids for box in read(second.init_data[0])] == [(KeyId(KID),)]


def test_of_a_box_that_may_occur_once_the_first_counts(studio: Studio) -> None:
    data = made(studio, "cenc")
    media = Media(data)
    first = media.copy("moof/traf/tfdt")
    second = first[:12] + b"\xff" * (len(first) - 12)
    end = media.box("moof/traf/tfdt")[2]
    for path, offset in ((TRUN, 8), (SAIO, 8), ("moof/traf", -8), ("moof", -8)):  # all that counts bytes
        media.add(path, offset, len(second))
    media.insert(end, second)
    played = play(bytes(media.data))
    assert (played.code, played.warning_codes) == (None, {"duplicate-box"})
    assert played.samples == clear_samples(studio, data, 100)
    assert played.segment.fragments[0].decode_time == 0


@pytest.mark.parametrize("scheme", ["cenc", "cens", "cbc1", "cbcs"])
def test_bytes_changed_at_random_end_in_samples_or_in_one_kind_of_error(studio: Studio, scheme: str) -> None:
    options = (*PATTERN, *ROTATING) if scheme == "cens" else ROTATING
    whole = studio.encrypt(*options, scheme=scheme).audio
    end = [box.end for box in top_level(whole) if box.type == b"mdat"][1]
    chance = random.Random(scheme)
    headers = [box for box in top_level(whole) if box.type in (b"moov", b"moof") and box.end < end]
    for _ in range(300):
        data = bytearray(whole[:end])
        for _ in range(chance.randint(1, 4)):
            box = chance.choice(headers)
            data[chance.randrange(box.start, box.end)] = chance.choice((0, 1, 2, 8, 0x7F, 0xFF, chance.randrange(256)))
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        play(bytes(data), KEYS)
