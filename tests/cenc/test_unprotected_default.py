"""Entries that are not protected by default, whose samples a group protects all the same: ciphertext never passes."""

from __future__ import annotations

import pytest

from player.backend.clip.load import load
from player.backend.packager.protect import SegmentKey, protection_of, segment_iv
from player.backend.packager.segment import init_segment, media_segment
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Scheme
from tests.cenc.content import play
from tests.cenc.wrap import with_tenc

KID = KeyId(bytes(range(16)))
KEY = ContentKey(bytes(range(16, 32)))
UNPROTECTED = bytes(20)  # the bytes of tenc: isProtected 0, no IV, no KID


@pytest.mark.rule("media:M6")
@pytest.mark.parametrize("name", ["video-360p", "audio"])
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_what_our_packager_puts_in_a_group_needs_its_key(name: str, scheme: Scheme) -> None:
    track = load().tracks[name]
    key = SegmentKey(scheme=scheme, kid=KID, key=KEY, iv=segment_iv(scheme, 0, 1))
    init = with_tenc(init_segment(track, protection=protection_of(track.kind, key)), UNPROTECTED)
    data = init + media_segment(track, 1, key=key, in_group=True)
    assert (play(data, {}).stopped_by, play(data, {}).samples) == (KID, b"")
    assert play(data, {KID: KEY}).samples == b"".join(track.groups[1].samples)
