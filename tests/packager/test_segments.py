"""The boxes of our segments: their order, numbers and offsets, seen with a walk of this file's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.clip.load import ClipTrack, load
from player.backend.packager.protect import ZERO_KID, SegmentKey, protection_of, rotating_protection, segment_iv
from player.backend.packager.segment import init_segment, media_segment
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Scheme

KeyOf = Callable[[int, int], SegmentKey]
PSSH = (b"\0\0\0\x08psh1", b"\0\0\0\x08psh2")  # stands for boxes the packager does not read
VIDEO, AUDIO = load().tracks["video-180p"], load().tracks["audio"]


def boxes(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Type, start and payload of each box."""
    position = 0
    while position < len(data):
        size = unpack_from(">I", data, position)[0]
        yield data[position + 4 : position + 8].decode(), position, data[position + 8 : position + size]
        position += size


def names(data: bytes) -> list[str]:
    return [name for name, _, _ in boxes(data)]


def payload(data: bytes, path: str) -> bytes:
    """Payload of the first box on a path such as `moof/traf`."""
    for step in path.split("/"):
        data = next(body for name, _, body in boxes(data) if name == step)
    return data


def test_a_rotating_fragment_is_laid_out_as_shaka_packager_does_it(key_of: KeyOf, track: ClipTrack) -> None:
    segment = media_segment(track, 5, key=key_of(1, 5), in_group=True, pssh=PSSH)
    assert names(segment) == ["styp", "moof", "mdat"]
    assert names(payload(segment, "moof")) == ["mfhd", "traf", "psh1", "psh2"]
    whole = names(payload(segment, "moof/traf"))
    assert whole[:5] == ["tfhd", "tfdt", "trun", "sbgp", "sgpd"]
    constant_iv_alone = track.kind == "audio" and key_of(1, 5).scheme is Scheme.CBCS
    assert whole[5:] == (["senc"] if constant_iv_alone else ["saiz", "saio", "senc"])
    assert payload(segment, "moof/traf/sbgp")[-4:].hex() == "00010001"


def test_outside_a_group_the_key_of_the_init_segment_applies(key_of: KeyOf, track: ClipTrack) -> None:
    traf = names(payload(media_segment(track, 0, key=key_of(0, 0), in_group=False), "moof/traf"))
    assert "sbgp" not in traf
    assert "senc" in traf


def test_a_clear_segment_has_no_protection_boxes(track: ClipTrack) -> None:
    segment = media_segment(track, 0, key=None, in_group=False)
    assert names(payload(segment, "moof/traf")) == ["tfhd", "tfdt", "trun"]
    assert payload(segment, "mdat") == b"".join(track.groups[0].samples)


def test_saio_points_at_the_first_entry_of_senc(track: ClipTrack) -> None:
    key = SegmentKey(scheme=Scheme.CENC, kid=KeyId(bytes(16)), key=ContentKey(bytes(16)), iv=b"\x77" * 8)
    segment = media_segment(track, 2, key=key, in_group=True, pssh=PSSH)
    moof = next(start for name, start, _ in boxes(segment) if name == "moof")
    (offset,) = unpack_from(">I", payload(segment, "moof/traf/saio"), 8)
    assert segment[moof + offset :].startswith(key.iv)
    assert payload(segment, "moof/traf/senc")[8:].startswith(key.iv)


@given(st.sampled_from([VIDEO, AUDIO]), st.integers(0, 2**40), st.integers(1, 5))
def test_decode_times_and_sequence_numbers_follow_from_the_segment_number(
    track: ClipTrack, index: int, groups: int
) -> None:
    segment = media_segment(track, index, groups=groups, key=None, in_group=False)
    (decode_time,) = unpack_from(">Q", payload(segment, "moof/traf/tfdt"), 4)
    (sequence,) = unpack_from(">I", payload(segment, "moof/mfhd"), 4)
    assert decode_time == track.start(index * groups)
    assert sequence == (index + 1) % 2**32
    parts = [track.group(index * groups + i) for i in range(groups)]
    assert payload(segment, "mdat") == b"".join(sample for part in parts for sample in part.samples)


@pytest.mark.parametrize(("groups", "flags"), [(1, 0x205), (3, 0x601)])
def test_only_the_first_picture_of_a_group_is_a_sync_sample(groups: int, flags: int) -> None:
    trun = payload(media_segment(VIDEO, 0, groups=groups, key=None, in_group=False), "moof/traf/trun")
    assert int.from_bytes(trun[1:4], "big") == flags
    if groups == 1:
        assert trun[12:16].hex() == "02000000"
    else:
        rows = [unpack_from(">II", trun, 12 + 8 * i) for i in range(50 * groups)]
        assert [i for i, (_, row) in enumerate(rows) if row == 0x02000000] == [0, 50, 100]


def test_a_clear_lead_names_the_second_sample_entry(key_of: KeyOf, track: ClipTrack) -> None:
    key = key_of(0, 0)
    init = init_segment(track, protection=protection_of(track.kind, key), clear_lead=True)
    entries = names(payload(init, "moov/trak/mdia/minf/stbl/stsd")[8:])
    assert entries == (["encv", "avc1"] if track.kind == "video" else ["enca", "mp4a"])
    for segment_key, entry in ((None, 2), (key, 1)):
        segment = media_segment(track, 0, key=segment_key, in_group=False, clear_lead=True)
        assert unpack_from(">I", payload(segment, "moof/traf/tfhd"), 8) == (entry,)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_the_tenc_of_rotating_content_names_no_key(kind: str) -> None:
    protection = rotating_protection(kind, Scheme.CBCS)
    assert (protection.kid, protection.iv_size, protection.constant_iv) == (ZERO_KID, 0, bytes(8))
    assert rotating_protection(kind, Scheme.CENC).iv_size == 8


def test_every_segment_fits_the_bandwidth_of_its_track(key_of: KeyOf, track: ClipTrack) -> None:
    for index in range(4):
        segment = media_segment(track, index, key=key_of(0, index), in_group=True, pssh=(bytes(300),))
        assert len(segment) * 8 / 2 <= track.bandwidth


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_counter_ivs_of_two_segments_never_meet(track_a: int, index_a: int, track_b: int, index_b: int) -> None:
    a, b = (
        int.from_bytes(segment_iv(Scheme.CENC, track, index), "big")
        for track, index in ((track_a, index_a), (track_b, index_b))
    )
    assert (track_a, index_a) == (track_b, index_b) or abs(a - b) >= 2**16


@pytest.mark.parametrize(("scheme", "size"), [(Scheme.CENC, 16), (Scheme.CBCS, 8), (Scheme.CENS, 8), (Scheme.CBC1, 16)])
def test_an_iv_that_does_not_fit_its_scheme_is_refused(scheme: Scheme, size: int) -> None:
    with pytest.raises(ValueError, match="is not packaged"):
        SegmentKey(scheme=scheme, kid=KeyId(bytes(16)), key=ContentKey(bytes(16)), iv=bytes(size))


def test_the_same_arguments_give_the_same_bytes(key_of: KeyOf, track: ClipTrack) -> None:
    first, second = (media_segment(track, 7, key=key_of(0, 7), in_group=True, pssh=PSSH) for _ in range(2))
    assert first == second


def test_every_sample_but_the_small_ones_is_encrypted(key_of: KeyOf, track: ClipTrack) -> None:
    """A player that skipped decryption would otherwise pass for one that decrypts."""
    data = payload(media_segment(track, 0, key=key_of(0, 0), in_group=True), "mdat")
    for sample in track.groups[0].samples:
        protected, data = data[: len(sample)], data[len(sample) :]
        assert (protected == sample) is (len(sample) < 16)
