"""One presentation of the embedded clip: which tracks, which key at which segment, and how that is signalled.

Everything here is a function of track, segment and crypto period; no instant and no client comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from player.backend.clip.load import ClipTrack, load
from player.backend.common.keys import HeldKey
from player.backend.origin.mpd_tree import MP4_PROTECTION, Protection
from player.backend.origin.signalling import SIGNALLING, Names
from player.backend.packager import protect, pssh
from player.backend.packager.protect import SegmentKey
from player.backend.packager.segment import init_segment, media_segment
from player.backend.rotation.keys import KeyRing, key_tiers
from player.backend.rotation.schedule import live_schedule, vod_schedule
from player.backend.spec import ContentSpec, Form, Rotation
from player.chance import Draw
from player.clock import SECOND, us
from player.errors import BackendError
from player.ids import CLEARKEY, CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM, KeyId
from player.wire.blob import LeafKey

_GROUP_US: Final = 2 * SECOND  # the clip's smallest piece
_MOST_TRACKS: Final = 16


class Presentation:
    """The live form and the form on demand of one run share no key."""

    def __init__(
        self, content: ContentSpec, form: Form, draw: Draw, license_urls: Mapping[str, str], epoch_us: int
    ) -> None:
        live = form is Form.LIVE
        self.content = content
        self.rotation = content.rotation if form is content.form else Rotation.NONE
        self.schedule = live_schedule(content) if live else vod_schedule(content)
        self.tracks = _tracks(content)
        self.announced = live and content.announced and self.rotation is Rotation.IN_BAND
        self.segments = 0 if live else _count(us(content.duration_s), self.schedule.segment, "duration")
        self.window_segments = -(-us(content.time_shift_s) // self.schedule.segment)
        self._clip_groups = _count(self.schedule.segment, _GROUP_US, "segment")
        self._numbers = {track.name: number for number, track in enumerate(self.tracks)}
        self._tiers = key_tiers({track.name: track.kind for track in self.tracks}, content.keys)
        self._signalling = SIGNALLING[self.rotation]
        self._license_url = license_urls.get(self._signalling.key_system, "")
        self.ring = KeyRing(draw, self._tiers.values(), self.schedule, epoch_us=epoch_us, series=0 if live else 1)

    def start_ticks(self, track: ClipTrack, segment: int) -> int:
        """Where a segment starts on the track's media timeline; audio frames do not divide a segment evenly."""
        return track.start(segment * self._clip_groups)

    def segment_at(self, track: ClipTrack, ticks: int) -> int | None:
        """The segment that starts exactly here."""
        segment, rest = divmod(track.number_at(ticks), self._clip_groups)
        return segment if not rest and self.start_ticks(track, segment) == ticks else None

    def kids(self, period: int) -> tuple[KeyId, ...]:
        """The distinct KIDs of a crypto period."""
        return tuple(key.kid for key in self.ring.period(period))

    def init(self, track: ClipTrack, period: int) -> bytes:
        """The init segment of a crypto period; the same for all of them where the period is not named in it."""
        named, signalling = self._named(track, period), self._signalling
        scheme = self.content.scheme
        protection = (
            protect.rotating_protection(track.kind, scheme)
            if named is None
            else protect.protection_of(track.kind, self._segment_key(track, named, 0))
        )
        boxes = (self._named_pssh(named),) if signalling.pssh_in_moov and named is not None else ()
        return init_segment(track, protection=protection, pssh=boxes)

    def segment(self, track: ClipTrack, index: int) -> bytes:
        """A media segment."""
        held = self.ring.content(self._tiers[track.name], self.schedule.period(index))
        return media_segment(
            track,
            index,
            groups=self._clip_groups,
            key=self._segment_key(track, held, index),
            in_group=self._signalling.in_band,
            pssh=(self._moof_pssh(held),) if self._signalling.in_band else (),
        )

    def descriptors(self, track: ClipTrack, period: int) -> tuple[Protection, ...]:
        """ContentProtection of a track, mp4protection first and Clear Key before all others.

        Shaka Player 5.2 takes the common system if it finds that one first, and then has no license server for it.
        """
        named, signalling = self._named(track, period), self._signalling
        kid = None if named is None else named.kid
        box = self._named_pssh(named) if signalling.pssh_in_mpd and named is not None else b""
        first = Protection(scheme=MP4_PROTECTION, value=self.content.scheme.value, default_kid=kid)
        if signalling.key_system != CLEARKEY:
            own = Protection(scheme=f"urn:uuid:{HIERARCHY_SYSTEM}", pssh=box, license_url=self._license_url)
            return (first, own)
        clear_key = Protection(
            scheme=f"urn:uuid:{CLEARKEY_DASH_SYSTEM}", value="ClearKey1.0", license_url=self._license_url
        )
        common = (Protection(scheme=f"urn:uuid:{COMMON_SYSTEM}", pssh=box),) if box else ()
        return (first, clear_key, *common)

    def _named(self, track: ClipTrack, period: int) -> HeldKey | None:
        """The key that `tenc` and default_KID name."""
        match self._signalling.default_kid:
            case Names.CONTENT:
                return self.ring.content(self._tiers[track.name], period)
            case Names.ROOT:
                return self.ring.root()
            case Names.NOTHING:
                return None

    def _named_pssh(self, named: HeldKey) -> bytes:
        root = self._signalling.default_kid is Names.ROOT
        return pssh.hierarchy_root(named.kid) if root else pssh.common((named.kid,))

    def _moof_pssh(self, held: HeldKey) -> bytes:
        if self._signalling.default_kid is not Names.ROOT:
            return pssh.common((held.kid,))
        root = self.ring.root()
        leaf = LeafKey(held.kid, held.key, held.from_ms or 0, 0)  # no end: players play on behind the live edge
        return pssh.hierarchy_leaf(root.kid, root.key, (leaf,))

    def _segment_key(self, track: ClipTrack, held: HeldKey, index: int) -> SegmentKey:
        scheme = self.content.scheme
        iv = protect.segment_iv(scheme, self._numbers[track.name], index)
        return SegmentKey(scheme=scheme, kid=held.kid, key=held.key, iv=iv)


def _tracks(content: ContentSpec) -> tuple[ClipTrack, ...]:
    clip = load(content.clip)
    unknown = [name for name in content.tracks if name not in clip.tracks]
    if unknown or not 0 < len(set(content.tracks)) == len(content.tracks) <= _MOST_TRACKS:
        known = ", ".join(clip.tracks)
        raise BackendError("bad-tracks", f"tracks {', '.join(content.tracks) or '(none)'}: expected some of {known}")
    if content.scheme not in protect.IV_BYTES:
        raise BackendError("bad-scheme", f"{content.scheme} is not packaged: expected {' or '.join(protect.IV_BYTES)}")
    return tuple(clip.tracks[name] for name in content.tracks)


def _count(whole: int, part: int, what: str) -> int:
    """How many times a part goes into a whole, without a rest."""
    if whole <= 0 or whole % part:
        raise BackendError("bad-duration", f"a {what} of {whole / SECOND:g} s is no multiple of {part / SECOND:g} s")
    return whole // part
