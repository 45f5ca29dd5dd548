"""What a playback came to: a fold over its events and its sink. The fields are those of `keystorm play --json`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from player.clock import seconds
from player.drm.events import KeyStatusChanged, LicenseAnswered, LicenseFailed, LicenseRequested, SessionCreated
from player.eme.events import Encrypted
from player.engine.events import PlaybackFailed
from player.errors import KeystormError
from player.ids import KeyId
from player.runtime.sinks import Delivered, Sink
from player.stream.events import Blocked, Ended, RepresentationChosen, Resumed, SegmentLoaded, Started, TrackOpened
from player.trace.encode import Encoder
from player.trace.event import Event

OK: Final = "ok"  # outcome of an attempt that brought a license


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Playback stood still at this position. `cause`: "key" or "network"."""

    at_s: float
    for_s: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWait:
    """As fast as possible: the decryptable buffer ended at this position for want of a key."""

    at_s: float
    for_s: float
    kid: KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedTrack:
    """`id`: of the adaptation set. `sha256`: over the clear samples as played; None where the sink does not digest."""

    id: str
    kind: str
    codec: str
    representations: tuple[str, ...]
    samples: int
    bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayError:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayResult:
    """`startup_s` None: the position never advanced. `crypto_periods`: the most keys met in one representation."""

    mpd: str
    ended: bool
    played_s: float
    startup_s: float | None
    stalls: tuple[Stall, ...]
    blocked: tuple[KeyWait, ...]
    encrypted_events: int
    init_data_distinct: int
    sessions: int
    license_requests: int
    local_licenses: int
    licenses: int
    license_failures: int
    retries: int
    keys: Mapping[KeyId, str]
    tracks: tuple[PlayedTrack, ...]
    periods: int
    crypto_periods: int
    error: PlayError | None
    quirks: tuple[str, ...] = ()  # deviations of its device that were on

    def as_json(self) -> Any:
        """Numbers, text, lists and dictionaries only."""
        return Encoder().plain(self)


@dataclass(slots=True)
class _Track:
    id: str
    kind: str
    codec: str
    kids: dict[str, set[KeyId]] = field(default_factory=dict)  # keys met, by representation in order of first use
    current: str = ""


@dataclass(slots=True)
class _Tally:
    """What the events so far came to."""

    counts: Counter[str] = field(default_factory=Counter)
    init_data: set[bytes] = field(default_factory=set)  # digests
    local: set[int] = field(default_factory=set)  # sequence numbers of requests answered from the key table
    keys: dict[KeyId, str] = field(default_factory=dict)
    periods: set[int] = field(default_factory=set)
    tracks: dict[int, _Track] = field(default_factory=dict)
    stalls: list[Stall] = field(default_factory=list)
    blocked: list[KeyWait] = field(default_factory=list)
    startup_s: float | None = None
    ended: Ended | None = None
    error: PlayError | None = None


class ResultFold:
    """Give it every event of one client, in order, then ask for the result."""

    __slots__ = ("_mpd", "_tally")

    def __init__(self, mpd: str) -> None:
        self._mpd = mpd
        self._tally = _Tally()

    def take(self, event: Event) -> None:
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self._tally, event)

    def result(self, sink: Sink, error: KeystormError | None = None) -> PlayResult:
        """`error`: what ended the machine, if it ended by an error."""
        t, count = self._tally, self._tally.counts
        known = t.error or (None if error is None else PlayError(code=error.code, message=error.message))
        return PlayResult(
            mpd=self._mpd,
            ended=t.ended is not None and t.ended.ended,
            played_s=0.0 if t.ended is None else seconds(t.ended.played_us),
            startup_s=t.startup_s,
            stalls=tuple(t.stalls),
            blocked=tuple(t.blocked),
            encrypted_events=count["encrypted"],
            init_data_distinct=len(t.init_data),
            sessions=count["sessions"],
            license_requests=count["requests"],
            local_licenses=count["local"],
            licenses=count["licenses"],
            license_failures=count["failures"],
            retries=count["retries"],
            keys={kid: t.keys[kid] for kid in sorted(t.keys)},
            tracks=_tracks(t, sink.tracks()),
            periods=len(t.periods),
            crypto_periods=max((len(k) for track in t.tracks.values() for k in track.kids.values()), default=0),
            error=known,
        )


def _tracks(t: _Tally, delivered: Mapping[int, Delivered]) -> tuple[PlayedTrack, ...]:
    nothing = Delivered(samples=0, bytes=0, sha256=None)
    return tuple(_played(track, delivered.get(number, nothing)) for number, track in sorted(t.tracks.items()))


def _played(track: _Track, delivered: Delivered) -> PlayedTrack:
    return PlayedTrack(
        id=track.id,
        kind=track.kind,
        codec=track.codec,
        representations=tuple(track.kids),
        samples=delivered.samples,
        bytes=delivered.bytes,
        sha256=delivered.sha256,
    )


# ── one function a kind of event ─────────────────────────────────────────────────────────────────────────────────────


def _encrypted(t: _Tally, event: Encrypted) -> None:
    t.counts["encrypted"] += 1
    t.init_data.add(hashlib.sha256(event.init_data_type.encode() + b"\0" + (event.init_data or b"")).digest())


def _session(t: _Tally, _event: SessionCreated) -> None:
    t.counts["sessions"] += 1


def _requested(t: _Tally, event: LicenseRequested) -> None:
    t.counts["local" if event.local else "requests"] += 1
    t.counts["retries"] += event.attempt > 1
    if event.local:
        t.local.add(event.sequence)


def _answered(t: _Tally, event: LicenseAnswered) -> None:
    t.counts["licenses"] += event.outcome == OK and event.sequence not in t.local


def _gave_up(t: _Tally, _event: LicenseFailed) -> None:
    t.counts["failures"] += 1


def _key_status(t: _Tally, event: KeyStatusChanged) -> None:
    t.keys[event.kid] = str(event.new)  # a plain word: an enum shows its class in a repr


def _opened(t: _Tally, event: TrackOpened) -> None:
    t.periods.add(event.period)
    t.tracks.setdefault(event.track, _Track(event.adaptation_set, event.kind, event.codecs))


def _chosen(t: _Tally, event: RepresentationChosen) -> None:
    track = t.tracks[event.track]
    track.current = event.representation
    track.kids.setdefault(event.representation, set())


def _loaded(t: _Tally, event: SegmentLoaded) -> None:
    track = t.tracks[event.track]
    track.kids.setdefault(track.current, set()).update(event.kids)


def _started(t: _Tally, event: Started) -> None:
    t.startup_s = seconds(event.startup_us)


def _resumed(t: _Tally, event: Resumed) -> None:
    t.stalls.append(Stall(at_s=seconds(event.position_us), for_s=seconds(event.for_us), cause=event.cause))


def _blocked(t: _Tally, event: Blocked) -> None:
    t.blocked.append(KeyWait(at_s=seconds(event.position_us), for_s=seconds(event.for_us), kid=event.kid))


def _end(t: _Tally, event: Ended) -> None:
    t.ended = event


def _failed(t: _Tally, event: PlaybackFailed) -> None:
    t.error = PlayError(code=event.code, message=event.message)


_FOLDS: Final[Mapping[type[Event], Callable[[_Tally, Any], None]]] = {
    Blocked: _blocked,
    Encrypted: _encrypted,
    Ended: _end,
    KeyStatusChanged: _key_status,
    LicenseAnswered: _answered,
    LicenseFailed: _gave_up,
    LicenseRequested: _requested,
    PlaybackFailed: _failed,
    RepresentationChosen: _chosen,
    Resumed: _resumed,
    SegmentLoaded: _loaded,
    SessionCreated: _session,
    Started: _started,
    TrackOpened: _opened,
}

FOLDED: Final = frozenset(_FOLDS)
"""The kinds of events that a result needs."""
