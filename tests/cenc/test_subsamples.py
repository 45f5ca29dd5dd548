"""Maps of samples, codec by codec: headers stay clear, slice and tile data is protected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cenc.frames import AV1_LEAD_BYTES, VP9_LEAD_BYTES
from player.cenc.nal_units import BASELINE_LEAD_BYTES, LEAD_BYTES, SLICES, SLICES_AND_FILLER, SMALL_NAL_BYTES
from player.cenc.subsamples import PAYLOADS, WHOLE_SAMPLES, Ranges, avc_ranges, ranges_for
from player.isobmff.sample import Scheme

IDR, SLICE, SEI, FILLER = 0x65, 0x41, 0x06, 0x0C


def nal(header: int, size: int) -> bytes:
    """A NAL unit of `size` bytes, its length field included."""
    return (size - 4).to_bytes(4, "big") + bytes([header]) + b"\xaa" * (size - 5)


NALS = st.builds(nal, st.sampled_from([IDR, SLICE, SEI, FILLER, 0x67]), st.integers(5, 400))


@given(nals=st.lists(NALS, max_size=6), scheme=st.sampled_from(Scheme))
@settings(max_examples=150)
def test_the_ranges_fill_the_sample_and_spare_every_header(nals: list[bytes], scheme: Scheme) -> None:
    sample = b"".join(nals)
    ranges = avc_ranges(sample, scheme)
    assert sum(map(sum, ranges)) == len(sample)
    protected: set[int] = set()
    position = 0
    for clear, size in ranges:
        protected |= set(range(position + clear, position + clear + size))
        position += clear + size
        assert clear <= 0xFFFF
        assert scheme is Scheme.CBCS or size % 16 == 0
    position = 0
    for each in nals:
        inside = protected & set(range(position, position + len(each)))
        if each[4] & 0x1F in SLICES and len(each) >= SMALL_NAL_BYTES:
            assert min(inside) >= position + BASELINE_LEAD_BYTES
            assert max(inside) == position + len(each) - 1
        else:
            assert not inside
        position += len(each)


def test_cbcs_protects_to_the_end_and_cenc_whole_blocks() -> None:
    sample = nal(SEI, 20) + nal(IDR, 200)
    assert avc_ranges(sample, Scheme.CBCS) == ((20 + 32, 168),)
    assert avc_ranges(sample, Scheme.CENC) == ((20 + 40, 160),)


def test_a_long_clear_run_takes_several_subsamples() -> None:
    sample = nal(SEI, 70_000) + nal(IDR, 200)
    assert avc_ranges(sample, Scheme.CBCS) == ((65535, 0), (70_000 - 65535 + 32, 168))
    assert avc_ranges(nal(SEI, 65535), Scheme.CENC) == ((65535, 0),)


def test_filler_is_protected_on_request() -> None:
    sample = nal(IDR, 200) + nal(FILLER, 1000)
    assert avc_ranges(sample, Scheme.CBCS) == ((32, 168), (1000, 0))
    assert avc_ranges(sample, Scheme.CBCS, nal_types=SLICES_AND_FILLER) == ((32, 168), (32, 968))


@pytest.mark.parametrize("sample", [b"\0\0\0", b"\0\0\0\0", b"\0\0\0\x05abcd", nal(IDR, 50) + b"\0"])
def test_nal_units_that_do_not_fill_the_sample_are_refused(sample: bytes) -> None:
    with pytest.raises(ValueError, match="NAL unit"):
        avc_ranges(sample, Scheme.CENC)


def obu(kind: int, size: int) -> bytes:
    """An OBU of `size` bytes of payload, its size written in two bytes of LEB128."""
    return bytes([kind << 3 | 2, size & 0x7F | 0x80, size >> 7]) + b"\xaa" * size


def superframe(*sizes: int) -> bytes:
    marker = bytes([0b110 << 5 | 1 << 3 | len(sizes) - 1])
    return b"\xaa" * sum(sizes) + marker + b"".join(size.to_bytes(2, "little") for size in sizes) + marker


AVC_CONFIG = b"\x01\x42\x00\x1e\xff"
HEVC_CONFIG = bytes(21) + b"\x03"
HEVC_SLICE, HEVC_SEI = 1 << 1, 39 << 1
SEQUENCE_HEADER, TILE_GROUP, FRAME = 1, 4, 6


def protected_of(ranges: Ranges) -> list[tuple[int, int]]:
    """Where protected bytes start and end."""
    found: list[tuple[int, int]] = []
    position = 0
    for clear, protected in ranges:
        position += clear + protected
        found += [(position - protected, position)] if protected else []
    return found


@pytest.mark.rule("media:M1")
def test_each_codec_has_its_map() -> None:
    cases = {
        "avc1": (nal(SEI, 20) + nal(IDR, 300), AVC_CONFIG, [(20 + LEAD_BYTES, 320)]),
        "hvc1": (nal(HEVC_SEI, 300) + nal(HEVC_SLICE, 301), HEVC_CONFIG, [(300 + LEAD_BYTES, 601)]),
        "vp09": (superframe(100, 203), b"", [(VP9_LEAD_BYTES, 100), (100 + VP9_LEAD_BYTES, 303)]),
        "av01": (obu(SEQUENCE_HEADER, 200) + obu(FRAME, 300), b"", [(203 + AV1_LEAD_BYTES, 506)]),
    }
    for codec, (sample, config, protected) in cases.items():
        assert protected_of(ranges_for(codec, sample, Scheme.CBCS, config=config)) == protected
        whole_blocks = [(end - (end - start) // 16 * 16, end) for start, end in protected]
        for scheme in (Scheme.CENC, Scheme.CENS, Scheme.CBC1):
            assert protected_of(ranges_for(codec, sample, scheme, config=config)) == whole_blocks


@pytest.mark.parametrize("codec", sorted(WHOLE_SAMPLES))
def test_audio_is_protected_whole_without_a_table(codec: str) -> None:
    assert ranges_for(codec, b"x" * 400, Scheme.CENC, config=b"") == ()


def test_a_sample_without_anything_to_protect_has_clear_bytes_and_not_an_empty_table() -> None:
    assert ranges_for("vp09", b"\xaa" * 20, Scheme.CENC, config=b"") == ((20, 0),)


def test_a_tile_group_without_a_size_ends_with_its_sample() -> None:
    sample = obu(SEQUENCE_HEADER, 10) + bytes([TILE_GROUP << 3]) + b"\xaa" * 300
    assert protected_of(ranges_for("av01", sample, Scheme.CBCS, config=b"")) == [(13 + AV1_LEAD_BYTES, 314)]


@given(codec=st.sampled_from(sorted(PAYLOADS)), sample=st.binary(max_size=600), scheme=st.sampled_from(Scheme))
@settings(max_examples=200)
def test_any_bytes_get_a_map_that_fills_them_or_one_clear_refusal(codec: str, sample: bytes, scheme: Scheme) -> None:
    config = HEVC_CONFIG if codec in ("hvc1", "hev1") else AVC_CONFIG
    try:
        ranges = ranges_for(codec, sample, scheme, config=config)
    except ValueError:
        return
    assert sum(map(sum, ranges)) == len(sample)


@pytest.mark.parametrize(
    ("codec", "sample"),
    [
        ("av01", bytes([FRAME << 3 | 2, 5, 0])),
        ("av01", bytes([FRAME << 3 | 2]) + b"\xff" * 9),
        ("av01", bytes([FRAME << 3 | 6])),
        ("vp09", superframe(100, 100)[50:]),
        ("hvc1", nal(HEVC_SLICE, 300)[:-1]),
        ("wvtt", b"words"),
    ],
)
def test_what_is_not_as_its_codec_says_is_refused(codec: str, sample: bytes) -> None:
    with pytest.raises(ValueError, match=r"sample|subsample"):
        ranges_for(codec, sample, Scheme.CENC, config=HEVC_CONFIG)


@pytest.mark.parametrize(("codec", "config"), [("avc1", b""), ("hev1", bytes(21))])
def test_a_configuration_that_ends_too_early_is_refused(codec: str, config: bytes) -> None:
    with pytest.raises(ValueError, match="configuration"):
        ranges_for(codec, nal(IDR, 300), Scheme.CENC, config=config)
