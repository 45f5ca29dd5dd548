"""Whatever is packaged, the player's own parser and decryptor bring the clip's samples back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from player.backend.clip.load import ClipTrack, load
from player.backend.packager import pssh
from player.backend.packager.protect import SegmentKey, protection_of, rotating_protection, segment_iv
from player.backend.packager.segment import init_segment, media_segment
from player.cenc.decrypt import Decryptor
from player.ids import ContentKey, KeyId
from player.isobmff.init import parse_init
from player.isobmff.model import Fragment
from player.isobmff.sample import Scheme
from player.isobmff.segment import parse_media

tracks = st.sampled_from(list(load().tracks.values()))
schemes = st.sampled_from([Scheme.CENC, Scheme.CBCS])
numbers = st.integers(0, 2**32 - 1)
sixteen = st.binary(min_size=16, max_size=16)


@st.composite
def segment_keys(draw: st.DrawFn) -> SegmentKey:
    scheme = draw(schemes)
    iv = draw(st.binary(min_size=8, max_size=8) if scheme is Scheme.CENC else sixteen)
    kid = KeyId(draw(sixteen.filter(any)))
    return SegmentKey(scheme=scheme, kid=kid, key=ContentKey(draw(sixteen)), iv=iv)


def read(init: bytes, segment: bytes) -> tuple[Fragment, bytearray]:
    """The only fragment of the segment and its data, read without a warning."""
    media = parse_media(segment, parse_init(init))
    assert media.warnings == ()
    (fragment,) = media.fragments
    return fragment, bytearray(segment[slice(*fragment.data)])


def assert_is_the_clip(track: ClipTrack, first: int, groups: int, fragment: Fragment, data: bytes) -> None:
    parts = [track.group(first + i) for i in range(groups)]
    expected = [(part, ticks) for group in parts for part, ticks in zip(group.samples, group.durations, strict=True)]
    found = [(data[it.offset : it.offset + it.size], it.duration) for it in fragment.samples]
    assert found == expected
    assert (fragment.timescale, fragment.decode_time) == (track.timescale, track.start(first))


@given(tracks, segment_keys(), numbers, st.integers(1, 4), st.booleans())
def test_a_segment_is_read_and_decrypted_to_the_clip(
    track: ClipTrack, key: SegmentKey, index: int, groups: int, in_group: bool
) -> None:
    named = protection_of(track.kind, key)
    init = init_segment(track, protection=rotating_protection(track.kind, key.scheme) if in_group else named)
    box = pssh.common([key.kid])
    segment = media_segment(track, index, groups=groups, key=key, in_group=in_group, pssh=(box, box))
    fragment, data = read(init, segment)
    assert fragment.kids == (key.kid,)
    assert fragment.init_data == (box + box,)
    assert {sample.protection for sample in fragment.samples} == {named}
    outcome = Decryptor().decrypt(data, fragment.samples, {key.kid: key.key}.get)
    assert outcome == (len(fragment.samples), None)
    assert_is_the_clip(track, index * groups, groups, fragment, bytes(data))


@given(tracks, numbers, st.integers(1, 4))
def test_a_clear_segment_is_read_as_the_clip(track: ClipTrack, index: int, groups: int) -> None:
    segment = media_segment(track, index, groups=groups, key=None, in_group=False)
    fragment, data = read(init_segment(track, protection=None), segment)
    assert {sample.protection for sample in fragment.samples} == {None}
    assert_is_the_clip(track, index * groups, groups, fragment, bytes(data))


@given(tracks, schemes, st.integers(0, 3))
def test_a_clear_lead_is_clear_and_what_follows_is_not(track: ClipTrack, scheme: Scheme, index: int) -> None:
    key = SegmentKey(scheme=scheme, kid=KeyId(b"k" * 16), key=ContentKey(bytes(16)), iv=segment_iv(scheme, 0, index))
    named = protection_of(track.kind, key)
    init = init_segment(track, protection=named, clear_lead=True)
    for segment_key, expected in ((None, None), (key, named)):
        segment = media_segment(track, index, key=segment_key, in_group=False, clear_lead=True)
        fragment, _ = read(init, segment)
        assert {sample.protection for sample in fragment.samples} == {expected}


@given(tracks, segment_keys(), st.lists(sixteen.map(KeyId), min_size=1, max_size=3))
def test_the_init_segment_says_what_it_was_told(track: ClipTrack, key: SegmentKey, kids: list[KeyId]) -> None:
    named, boxes = protection_of(track.kind, key), tuple(pssh.common([kid]) for kid in kids)
    init = parse_init(init_segment(track, protection=named, pssh=boxes))
    (found,) = init.tracks
    assert init.warnings == ()
    assert (found.kind, found.timescale, found.default_entry) == (track.kind, track.timescale, 1)
    assert [entry.protection for entry in found.entries] == [named]
    assert [entry.fourcc for entry in found.entries] == [track.sample_entry[4:8].decode()]
    assert init.init_data == (b"".join(boxes),)


@given(tracks, schemes)
def test_rotating_content_names_no_default_key(track: ClipTrack, scheme: Scheme) -> None:
    init = parse_init(init_segment(track, protection=rotating_protection(track.kind, scheme)))
    assert init.default_kids == ()
