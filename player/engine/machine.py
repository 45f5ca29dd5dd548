"""The whole player as one sans-IO state machine: four verbs, no clock, no chance of its own, no I/O.

    receive(result, now) ── a driver's answer to an action ──► actions(now), next_event()
    handle_deadline(now) ── at deadline() ──────────────────►

What it does is told by its sibling modules, each a stretch of the way from MPD to samples: `presentation` (MPD,
refresh, clock); `tracks`, `segments`, `decrypting` (media); `announcing`, `keys`, `licensing`, `settling` (asking for
keys); `playback` (position, stalls).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, assert_never

from player.chance import Draw
from player.drm.keys import ExtendedStatus
from player.drm.state import State as DrmState
from player.eme.element import Element
from player.eme.table import State as EmeState
from player.engine import (
    arrivals,
    client_data,
    keys,
    leaving,
    licensing,
    opening,
    playback,
    presentation,
    remote,
    seeking,
    segments,
    settling,
    steering,
    triggers,
    utc_timing,
    verdicts,
)
from player.engine.actions import (
    Action,
    Cancel,
    CdmCall,
    CdmDone,
    Control,
    Fetch,
    Fetched,
    FetchFailed,
    FetchKind,
    Finish,
    Headers,
    Pause,
    Progress,
    Result,
    Resume,
    Seek,
    SetRate,
    Start,
    Stop,
)
from player.engine.events import PlaybackFailed
from player.engine.exchange import Exchange
from player.engine.manifest import NONE_YET, Manifest
from player.engine.spec import PlayerSpec
from player.engine.track import StreamState
from player.engine.upkeep import Upkeep
from player.errors import KeystormError
from player.ids import KeyId, Pool
from player.stream import buffer
from player.stream.buffer import FOREVER
from player.trace.event import Event

E = TypeVar("E", bound=Event)


class Machine:
    """One client. `wanted`: the event types somebody listens to; no other event is ever made.

    All instants are µs on the run clock, whose 0 is `epoch_us` (µs since 1970).
    """

    __slots__ = (
        "_actions",
        "_events",
        "client",
        "clock_offset_us",
        "draw",
        "drm",
        "element",
        "eme",
        "epoch_us",
        "etag",
        "exchanges",
        "finished",
        "key_error",
        "key_system",
        "manifest",
        "manifest_attempts",
        "manifest_url",
        "manifest_version",
        "pool",
        "refresh_at",
        "request",
        "spec",
        "starved",
        "stream",
        "upkeep",
        "validators",
        "wanted",
    )  # fmt: skip

    def __init__(
        self,
        spec: PlayerSpec,
        pool: Pool,
        draw: Draw,
        *,
        epoch_us: int,
        client: int = 0,
        wanted: frozenset[type[Event]] = frozenset(),
    ) -> None:
        self.spec = spec
        self.pool = pool
        self.draw = draw
        self.epoch_us = epoch_us
        self.client = client
        self.wanted = wanted
        self.eme = EmeState()
        self.drm = DrmState()
        self.stream = StreamState(0, spec.rate)
        self.element = Element()
        self.manifest: Manifest = NONE_YET
        self.manifest_version = 0
        self.manifest_url = spec.mpd_url
        self.manifest_attempts = 0
        self.validators: Headers = ()  # of the MPD in hand, for the next request
        self.upkeep: Upkeep | None = None  # what only some origins make a client remember
        self.request: Fetch | None = None  # the fetch of the MPD, or of a patch, under way
        self.refresh_at = -1
        self.clock_offset_us = 0
        self.key_system = ""
        self.key_error: KeystormError | None = None  # why the last license failed
        self.exchanges: tuple[Exchange, ...] = ()
        self.starved = 0  # by bits: tracks that have, since their last request; kept for CMCD only
        self.finished = False
        self._actions: list[Action] | None = None
        self._events: list[Event] | None = None

    # ── the four verbs ───────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, result: Result, now: int) -> None:
        """Take one answer. Results that come after the end, or to actions that no longer count, change nothing."""
        if self.finished:
            if isinstance(result, CdmDone):
                leaving.closed(self, result)
            return
        match result:
            case CdmDone():
                settling.cdm_done(self, result, now)
            case Fetched():
                _FETCHED[result.action.kind](self, result, now)
            case FetchFailed():
                _FAILED[result.action.kind](self, result, now)
            case Progress():
                arrivals.progressed(self, result, now)
            case Start():
                presentation.start(self, now)
            case Stop():
                playback.stop(self, now)
            case Seek() | Pause() | Resume() | SetRate():
                self._control(result, now)
            case _:
                assert_never(result)
        self._turn(now)

    def _control(self, control: Control, now: int) -> None:
        match control:
            case Seek(position_us):
                seeking.seek(self, position_us, now)
            case Pause():
                seeking.pause(self, now)
            case Resume():
                seeking.resume(self, now)
            case SetRate(rate):
                seeking.set_rate(self, rate, now)
            case _:
                assert_never(control)

    def actions(self, now: int) -> Sequence[Action]:  # noqa: ARG002 — the verb's shape
        """The pending actions, taken once, in the order in which they are to be begun."""
        taken, self._actions = self._actions, None
        return taken or ()

    def next_event(self) -> Event | None:
        """The oldest event not yet taken."""
        if not self._events:
            return None
        event = self._events.pop(0)
        if not self._events:
            self._events = None
        return event

    def deadline(self) -> int | None:
        """The next instant at which `handle_deadline` must be called; None: only an answer can move it."""
        if self.finished:
            return None
        instants = [self.refresh_at, self.eme.cdm_due, playback.deadline(self)]
        if self.upkeep is not None:
            instants += self.upkeep.deadlines()
        instants += [planned.at for planned in self.drm.planned]
        for exchange in self.exchanges:
            instants += (exchange.retry_at, exchange.held_until, exchange.verdict_at)
        if self.drm.batch is not None:
            instants.append(self.drm.batch.due)
        instants += [track.due for track in self.stream.tracks]
        return min((at for at in instants if at is not None and 0 <= at < FOREVER), default=None)

    def handle_deadline(self, now: int) -> None:
        if self.finished:
            return
        if 0 <= self.refresh_at <= now:
            presentation.refresh(self)
        if self.upkeep is not None:
            presentation.run_deadlines(self, self.upkeep, now)
            utc_timing.run_deadlines(self, self.upkeep, now)
            steering.run_deadlines(self, self.upkeep, now)
        triggers.run_plans(self, now)
        settling.run_deadlines(self, now)
        self._turn(now)

    # ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def position_us(self, now: int) -> int:
        """Playback position on the presentation timeline."""
        return playback.position(self, now)

    def buffered_us(self, now: int) -> tuple[int, int] | None:
        """First and last position that can be played without a fetch."""
        return buffer.held(self.stream.tracks, self.position_us(now))

    def key_statuses(self) -> Mapping[KeyId, ExtendedStatus]:
        """Extended status of every key id met so far."""
        return {entry.kid: entry.status for entry in self.drm.keys}

    def wall_us(self, now: int) -> int:
        """Wall time of the presentation's servers, µs since 1970."""
        return self.epoch_us + now + self.clock_offset_us

    # ── for the sibling modules ──────────────────────────────────────────────────────────────────────────────────────

    def act(self, action: Action) -> None:
        if self._actions is None:
            self._actions = []
        self._actions.append(action)

    def hears(self, kind: type[Event]) -> bool:
        return kind in self.wanted

    def tell(self, event: Event) -> None:
        """Queue an event; the caller has asked `hears` first, so that nothing is built in vain."""
        if self._events is None:
            self._events = []
        self._events.append(event)

    def fail(self, error: KeystormError, now: int) -> None:
        """A fatal error: playback ends here."""
        if not self.finished:
            if self.hears(PlaybackFailed):
                self.tell(PlaybackFailed(code=error.code, message=str(error)))
            playback.tell_end(self, now, ended=False)
            self.finish(error)

    def finish(self, error: KeystormError | None = None) -> None:
        self.finished = True
        leaving.abort(self)
        for fetch in self._under_way():
            self.act(Cancel(fetch))
        self.exchanges = ()
        leaving.close_sessions(self)
        self.act(Finish(error))

    def has_work(self) -> bool:
        """Is anything asked of the driver that it has not answered?"""
        asked = (action for action in self._actions or () if isinstance(action, Fetch | CdmCall))
        return bool(self._under_way()) or any(asked)

    def _under_way(self) -> list[Fetch]:
        fetches = [self.request, *(t.request for t in self.stream.tracks), *(x.request for x in self.exchanges)]
        if self.upkeep is not None:
            fetches += self.upkeep.requests()
        return [fetch for fetch in fetches if fetch is not None]

    def _turn(self, now: int) -> None:
        """After every input: decrypt what can be, fetch what is due, move the position."""
        if not self.finished and self.stream.tracks:
            remote.come_near(self, now)
            licensing.run_delayed(self, now)
            keys.run_waiting(self, now)
            segments.advance(self, now)
        if not self.finished and self.stream.tracks:
            was, position_us = (self.stream.moving, self.stream.rate), self.stream.anchor_us
            playback.update(self, now)
            moved = self.spec.as_fast_as_possible and self.stream.anchor_us != position_us
            if moved or (self.stream.moving and was != (True, self.stream.rate)):
                segments.advance(self, now)  # the buffer makes room, or makes it at another pace
            if self.spec.as_fast_as_possible:
                verdicts.end_if_stuck(self, now)
            if self.spec.cmcd is not None:
                client_data.note_starvation(self)


_FETCHED: Final[dict[FetchKind, Callable[[Machine, Fetched, int], None]]] = {
    FetchKind.MEDIA: arrivals.media_fetched,
    FetchKind.LICENSE: licensing.fetched,
    FetchKind.MPD: presentation.fetched,
    FetchKind.INIT: arrivals.init_fetched,
    FetchKind.INDEX: arrivals.index_fetched,
    FetchKind.TIME: opening.time_fetched,
    FetchKind.PATCH: presentation.fetched,
    FetchKind.XLINK: remote.fetched,
    FetchKind.STEERING: opening.steering_fetched,
}
_FAILED: Final[dict[FetchKind, Callable[[Machine, FetchFailed, int], None]]] = {
    FetchKind.MEDIA: arrivals.fetch_failed,
    FetchKind.LICENSE: licensing.fetch_failed,
    FetchKind.MPD: presentation.fetch_failed,
    FetchKind.INIT: arrivals.fetch_failed,
    FetchKind.INDEX: arrivals.fetch_failed,
    FetchKind.TIME: opening.time_failed,
    FetchKind.PATCH: presentation.fetch_failed,
    FetchKind.XLINK: remote.failed,
    FetchKind.STEERING: opening.steering_failed,
}
