"""What broken files do: the samples that are still right, or one error with a code; never a crash, never ciphertext.

The table is `tests/isobmff/malformed.py`.
"""

from __future__ import annotations

import random
import tracemalloc

import pytest

from player.ids import KeyId
from player.isobmff.boxes import top_level
from player.isobmff.pssh import read
from player.isobmff.segment import parse_media
from tests.cenc.content import KEYS, KID, NO_LEAD, PATTERN, Studio, play
from tests.isobmff.malformed import CASES, SAIO, TRUN, Case, Media

pytestmark = pytest.mark.oracle

ROTATING = ("--crypto_period_duration", "4")


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
