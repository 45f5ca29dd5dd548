"""The map of an H.264 sample: headers stay clear, the rest of a slice is protected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cenc.subsamples import CLEAR_LEAD_BYTES, SLICES, SLICES_AND_FILLER, SMALL_NAL_BYTES, avc_ranges
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
            assert min(inside) >= position + CLEAR_LEAD_BYTES
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
