"""What we package, ffmpeg and Shaka Packager decrypt to the samples of the clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from struct import pack, unpack_from
from typing import Protocol

from player.backend.clip.load import ClipTrack
from player.backend.packager import pssh
from player.backend.packager.protect import SegmentKey, protection_of, rotating_protection
from player.backend.packager.segment import init_segment, media_segment
from player.isobmff.sample import Scheme

KeyOf = Callable[[int, int], SegmentKey]
TENC_PATH = "moov/trak/mdia/minf/stbl/stsd/enc?/sinf/schi/tenc"
CHILDREN_START = {"stsd": 8, "encv": 78, "enca": 28}  # bytes between the header and the first child; 0 elsewhere


class Oracles(Protocol):
    def all(self, file: bytes, key: SegmentKey) -> tuple[bytes, ...]: ...

    def messages(self, file: bytes, key: SegmentKey) -> str: ...


def sha256(samples: bytes) -> str:
    return hashlib.sha256(samples).hexdigest()


def test_a_loop_under_one_key_is_decrypted_to_the_clip(track: ClipTrack, key_of: KeyOf, oracles: Oracles) -> None:
    key = key_of(0, 0)
    init = init_segment(track, protection=protection_of(track.kind, key), pssh=(pssh.common([key.kid]),))
    segments = [media_segment(track, k, key=key_of(0, k), in_group=False) for k in range(4)]
    file = b"".join([init, *segments])
    assert [sha256(samples) for samples in oracles.all(file, key)] == [track.sha256] * 2


def test_three_encrypted_loops_decode_without_a_message(track: ClipTrack, key_of: KeyOf, oracles: Oracles) -> None:
    init = init_segment(track, protection=protection_of(track.kind, key_of(0, 0)))
    segments = [media_segment(track, k, groups=2, key=key_of(0, k), in_group=False) for k in range(6)]
    assert oracles.messages(b"".join([init, *segments]), key_of(0, 0)) == ""


def test_a_loop_with_a_clear_lead_is_decrypted_to_the_clip(track: ClipTrack, key_of: KeyOf, oracles: Oracles) -> None:
    key = key_of(0, 0)
    init = init_segment(track, protection=protection_of(track.kind, key), clear_lead=True)
    keys = (None, None, key_of(0, 2), key_of(0, 3))
    segments = [media_segment(track, k, key=keys[k], in_group=False, clear_lead=True) for k in range(4)]
    file = b"".join([init, *segments])
    assert [sha256(samples) for samples in oracles.all(file, key)] == [track.sha256] * 2


def test_a_rotating_loop_is_decrypted_to_the_clip(
    scheme: Scheme, track: ClipTrack, key_of: KeyOf, oracles: Oracles
) -> None:
    """No tool applies sample groups: each segment gets an init segment whose `tenc` says what its `seig` says."""
    init = init_segment(track, protection=rotating_protection(track.kind, scheme))
    found: list[bytes] = [b"", b""]
    for k in range(4):
        key = key_of(k // 2, k)
        segment = media_segment(track, k, key=key, in_group=True, pssh=(pssh.common([key.kid]),))
        one = with_tenc(init, seig_entry(segment)) + segment
        found = [before + samples for before, samples in zip(found, oracles.all(one, key), strict=True)]
    assert [sha256(samples) for samples in found] == [track.sha256] * 2


def seig_entry(segment: bytes) -> bytes:
    """The only entry of the segment's `sgpd` (14496-12, 8.9.3, version 1)."""
    start = segment.index(b"sgpd") + 4
    grouping, size, count = unpack_from(">4x4sII", segment, start)
    assert (grouping, count) == (b"seig", 1)
    return segment[start + 16 : start + 16 + size]


def with_tenc(data: bytes, payload: bytes, path: str = TENC_PATH) -> bytes:
    """The same boxes with another payload behind version and flags of `tenc`, all sizes around it corrected."""
    wanted, _, rest = path.partition("/")
    start = data.index(wanted.rstrip("?").encode())
    size = unpack_from(">I", data, start - 4)[0]
    kind, body = data[start : start + 4], data[start + 4 : start - 4 + size]
    if rest:
        skip = CHILDREN_START.get(kind.decode(), 0)
        body = body[:skip] + with_tenc(body[skip:], payload, rest)
    else:
        body = body[:4] + payload
    return data[: start - 4] + pack(">I", len(body) + 8) + kind + body + data[start - 4 + size :]
