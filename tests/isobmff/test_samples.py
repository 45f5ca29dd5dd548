"""Samples in columns: the rows of a sequence, without being kept as rows."""

from __future__ import annotations

import pickle
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.ids import KeyId
from player.isobmff import auxiliary
from player.isobmff.init import parse_init
from player.isobmff.sample import Protection, Sample, Scheme
from player.isobmff.samples import Decoded, Samples
from player.isobmff.segment import parse_media
from tests.isobmff.build import KID, OTHER_KID, box, encv, full, moov, record, sbgp, segment, senc, sgpd, u32

KEYS = [None, *(Protection(scheme=Scheme.CENC, kid=KeyId(kid), iv_size=8) for kid in (KID, OTHER_KID))]
IVS = [bytes([n] * 8) for n in range(1, 9)]


@st.composite
def rows(draw: st.DrawFn) -> list[Sample]:
    """Samples in the order of their bytes, with gaps between some."""
    found: list[Sample] = []
    end = 0
    for _ in range(draw(st.integers(0, 12))):
        start, size = end + draw(st.sampled_from([0, 0, 3])), draw(st.integers(0, 9))
        protection = draw(st.sampled_from(KEYS))
        ranges = ((1, size - 1),) if protection and size else ()
        found.append(Sample(start, size, draw(st.integers(0, 2)), protection, bytes(8) if protection else b"", ranges))
        end = start + size
    return found


@given(rows(), st.data())
def test_columns_are_the_rows_they_were_made_of(made: list[Sample], data: st.DataObject) -> None:
    samples = Samples.of(made)
    assert (list(samples), len(samples)) == (made, len(made))
    cut = data.draw(st.slices(len(made)))
    assert list(samples[cut]) == made[cut]
    assert all(samples[i] == made[i] for i in range(-len(made), len(made)))
    start = data.draw(st.integers(0, len(made)))
    assert [each for count, each in samples.protections_from(start) for _ in range(count)] == [
        sample.protection for sample in made[start:]
    ]


@given(rows(), rows())
def test_columns_are_equal_if_their_rows_are(made: list[Sample], others: list[Sample]) -> None:
    samples = Samples.of(made)
    assert (samples == Samples.of(others)) is (made == others)
    assert (samples, hash(samples)) == (Samples.of(made), hash(Samples.of(made)))
    assert pickle.loads(pickle.dumps(samples)) == samples
    assert samples[:] is samples


def test_runs_are_as_few_as_there_can_be() -> None:
    init = parse_init(moov(encv(record())))
    boxes = (sbgp((1, 0x10001), (0, 0), (1, 0x10001), (2, 0)), sgpd(record(OTHER_KID)), senc(*IVS[:6]))
    (fragment,) = parse_media(segment([4] * 4, full(b"trun", 0, 0x200, u32(2, 7, 8)), *boxes), init).fragments
    assert [count for count, _ in fragment.samples.protections] == [2, 4]
    assert fragment.samples.places == ((6, 0),)
    assert fragment.samples.offsets == list(accumulate(fragment.samples.sizes, initial=0))[:-1]


def test_a_parsed_fragment_is_the_same_again_and_can_be_sent() -> None:
    data = moov(encv(record())) + segment([4, 5], senc(*IVS[:2]))
    one, other = parse_media(data), parse_media(data)
    assert (one, hash(one)) == (other, hash(other))
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != parse_media(data.replace(IVS[1], IVS[2]))


def test_nobody_pays_for_ivs_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    kept = auxiliary._decode_rows

    def decode(table: bytes, size: int, iv_size: int) -> Decoded:
        decoded.append(table)
        return kept(table, size, iv_size)

    monkeypatch.setattr(auxiliary, "_decode_rows", decode)
    (fragment,) = parse_media(moov(encv(record())) + segment([4, 5], senc(*IVS[:2]))).fragments
    assert (fragment.duration, fragment.kids, decoded) == (2, (KID,), [])
    assert [fragment.samples.ivs for _ in range(2)] == [tuple(IVS[:2])] * 2
    assert decoded == [b"".join(IVS[:2])]


def test_a_clear_fragment_is_rows_without_ivs() -> None:
    (fragment,) = parse_media(moov(box(b"avc1", bytes(78))) + segment([4, 0, 5])).fragments
    assert list(fragment.samples) == [Sample(at, size, 1, None, b"", ()) for at, size in ((0, 4), (4, 0), (4, 5))]
