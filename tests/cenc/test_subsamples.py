"""Maps of samples, codec by codec: headers stay clear, slice and tile data is protected."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.cenc.subsamples import READERS, WHOLE_SAMPLES, Mapper, Ranges, mapper
from player.isobmff.sample import Scheme
from tests.cenc.bit_writer import in_bytes, in_sample, se, u, ue
from tests.cenc.bitstreams import Bitstreams
from tests.cenc.test_avc_slices import config, picture_set, sequence_set

IDR, SEI = 0x65, 0x06
HEADER = in_bytes(ue(0) + ue(2) + ue(0) + u(4, 0) + ue(3) + u(5, 9) + "01" + se(2), "")
CONFIG = config(sequence_set(), picture_set())
LEAD = 4 + 1 + len(HEADER)  # length field, NAL unit header, slice header


def idr(size: int) -> bytes:
    """An IDR slice of `size` bytes, its length field included."""
    return in_sample(bytes([IDR]) + HEADER + b"\xaa" * (size - LEAD))


def sei(size: int) -> bytes:
    return in_sample(bytes([SEI]) + b"\xaa" * (size - 5))


def avc_ranges(sample: bytes, scheme: Scheme) -> Ranges:
    return mapper("avc1", CONFIG).ranges(sample, scheme)


NALS = st.one_of(st.builds(idr, st.integers(LEAD, 400)), st.builds(sei, st.integers(6, 400)))


@given(nals=st.lists(NALS, max_size=6), scheme=st.sampled_from(Scheme))
@settings(max_examples=100)
def test_the_ranges_fill_the_sample_and_spare_every_header(nals: list[bytes], scheme: Scheme) -> None:
    sample = b"".join(nals)
    ranges = avc_ranges(sample, scheme)
    assert sum(map(sum, ranges)) == len(sample)
    assert all(clear <= 0xFFFF for clear, _ in ranges)
    protected: set[int] = set()
    for start, end in protected_of(ranges):
        protected |= set(range(start, end))
        assert scheme is Scheme.CBCS or (end - start) % 16 == 0
    position = 0
    for each in nals:
        inside = sorted(protected & set(range(position, position + len(each))))
        data = len(each) - LEAD if each[4] == IDR else 0
        assert len(inside) == (data if scheme is Scheme.CBCS else data // 16 * 16)
        assert not inside or inside[-1] == position + len(each) - 1
        position += len(each)


def protected_of(ranges: Ranges) -> list[tuple[int, int]]:
    """Where protected bytes start and end."""
    found: list[tuple[int, int]] = []
    position = 0
    for clear, protected in ranges:
        position += clear + protected
        found += [(position - protected, position)] if protected else []
    return found


def test_cbcs_protects_from_the_header_on_and_cenc_whole_blocks() -> None:
    sample = sei(20) + idr(LEAD + 100)
    assert avc_ranges(sample, Scheme.CBCS) == ((20 + LEAD, 100),)
    for scheme in (Scheme.CENC, Scheme.CENS, Scheme.CBC1):
        assert avc_ranges(sample, scheme) == ((20 + LEAD + 4, 96),)


def test_vp9_protects_whole_blocks_in_every_scheme() -> None:
    track = Mapper(payloads=lambda _: [(18, 18 + 100)], whole_blocks=True)
    assert track.ranges(bytes(118), Scheme.CBCS) == ((22, 96),)


def test_a_long_clear_run_takes_several_subsamples() -> None:
    sample = sei(70_000) + idr(LEAD + 168)
    assert avc_ranges(sample, Scheme.CBCS) == ((65535, 0), (70_000 - 65535 + LEAD, 168))
    assert avc_ranges(sei(65535), Scheme.CENC) == ((65535, 0),)


def test_a_sample_without_anything_to_protect_has_clear_bytes_and_not_an_empty_table() -> None:
    assert avc_ranges(idr(LEAD + 15), Scheme.CENC) == ((LEAD + 15, 0),)


@pytest.mark.parametrize("sample", [b"\0\0\0", b"\0\0\0\0", b"\0\0\0\x05abcd", idr(50) + b"\0"])
def test_nal_units_that_do_not_fill_the_sample_are_refused(sample: bytes) -> None:
    with pytest.raises(ValueError, match="NAL unit"):
        avc_ranges(sample, Scheme.CENC)


@pytest.mark.parametrize("codec", sorted(WHOLE_SAMPLES))
def test_audio_is_protected_whole_without_a_table(codec: str) -> None:
    assert mapper(codec, b"").ranges(b"x" * 400, Scheme.CENC) == ()


def test_a_codec_without_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match="no subsample map for 'wvtt'"):
        mapper("wvtt", b"")


@pytest.mark.parametrize("codec", ["avc1", "avc3", "hvc1", "hev1"])
@pytest.mark.parametrize("record", [b"", bytes(4), CONFIG[:-1], b"\1" * 30])
def test_a_configuration_that_ends_too_early_is_refused(codec: str, record: bytes) -> None:
    with pytest.raises(ValueError, match=r"configuration|header ends"):
        mapper(codec, record)


# ── hostile bytes ────────────────────────────────────────────────────────────────────────────────────────────────────


@given(codec=st.sampled_from(sorted(READERS)), record=st.binary(max_size=200), sample=st.binary(max_size=600))
@settings(max_examples=200)
def test_any_bytes_get_a_map_that_fills_them_or_one_clear_refusal(codec: str, record: bytes, sample: bytes) -> None:
    try:
        ranges = mapper(codec, record).ranges(sample, Scheme.CENC)
    except ValueError:
        return
    assert sum(map(sum, ranges)) == len(sample)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "content",
    [
        "h264, weights, many references",
        "hevc, slices, weights",
        "hevc, 10 bit, sets in band",
        "vp9, hidden frames",
        "av1",
        "av1, tiles",
        "av1, 10 bit, film grain",
    ],
)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_damage_to_a_stream_gives_a_map_or_one_clear_refusal(
    content: str, bitstreams: Bitstreams, data: st.DataObject
) -> None:
    """Some bits of the configuration and of the first samples are turned, most of them in headers."""
    codec = bitstreams.track(content).codec
    pieces = [bytearray(codec.config), *(bytearray(each) for each in bitstreams.samples(content))][:8]
    for _ in range(data.draw(st.integers(1, 6))):
        piece = data.draw(st.sampled_from(pieces))
        at = data.draw(st.one_of(st.integers(0, min(79, len(piece) - 1)), st.integers(0, len(piece) - 1)))
        piece[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        track = mapper(codec.fourcc, bytes(pieces[0]))
        for sample in pieces[1:]:
            ranges = track.ranges(bytes(sample), Scheme.CBCS)
            assert sum(map(sum, ranges)) == len(sample)
    except ValueError:
        return
