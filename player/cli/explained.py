"""Why each license request of a trace was sent, and why each key that is not usable is not.

A fold over decoded lines, client by client: it looks back only at what the client's own lines have said before. It
knows what events mean; it refuses to know files, terminals, and what any player would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from player.drm.absent import VANISHED
from player.drm.cause import Cause
from player.drm.events import (
    InitDataAnnounced,
    InitDataSkipped,
    KeyStatusChanged,
    LicenseAnswered,
    LicenseFailed,
    LicenseRequested,
    PrefetchPlanned,
    SessionCreated,
)
from player.drm.keys import ExtendedStatus
from player.eme import events as eme
from player.engine.events import ManifestLoaded
from player.ids import KeyId
from player.trace.encode import Line
from player.trace.reader import event_of

FIRST_LINE: Final = 2  # the header is the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of the trace that something follows from; `says` is what matters of it, "" where its name says it all."""

    line: int
    at_s: float
    name: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`init_data`: where the init data of its session was met, None where the trace does not say.

    `rule` gave the keys the status "requested". `after`: what became of the attempt before, `outcome`: of this one.
    """

    line: int
    at_s: float
    who: str
    session: int
    sequence: int | None  # None: answered from keys given by hand, and no request at all
    attempt: int
    cause: Cause
    origin: Cause
    init_data: str | None
    rule: str | None
    kids: tuple[KeyId, ...]
    after: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`rule` gave the status at `at_s`, by what `event` told. `requests`: license requests that name the key."""

    line: int
    at_s: float
    who: str
    kid: KeyId
    status: str
    rule: str
    event: Told | None
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """`keys` are those not usable when the trace ends, `usable` counts the others."""

    clients: int
    requests: tuple[Request, ...]
    keys: tuple[Key, ...]
    usable: int


def explain(lines: Iterable[Line], name: str, client: str | None = None) -> Explained:
    """`name` is the file's; `client`: of this one alone. Raises: UsageError naming the line that is no such event."""
    requests: list[Request] = []
    clients: dict[str, _Client] = {}
    for number, line in enumerate(lines, FIRST_LINE):
        if client is not None and line.who != client:
            continue
        of = clients.setdefault(line.who, _Client(who=line.who, requests=requests))
        rule = _RULES.get(line.name)
        if rule is not None:
            kind, fold = rule
            fold(of, event_of(line, kind, name, number), Told(line=number, at_s=line.time, name=line.name, says=""))
    keys = [key for of in clients.values() for key in of.keys.values()]
    refused = tuple(key for key in keys if key.status != ExtendedStatus.USABLE)
    return Explained(clients=len(clients), requests=tuple(requests), keys=refused, usable=len(keys) - len(refused))


# ── what one client has told ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True, kw_only=True)
class _Session:
    """An open session: its init data's origin, the rule that asked, and the place of its last request in the list."""

    init_data: str | None = None
    rule: str | None = None
    last: int | None = None
    told: dict[str, Told] = field(default_factory=dict)  # the last line of each name


@dataclass(slots=True, kw_only=True)
class _Client:
    who: str
    requests: list[Request]  # of all clients
    keys: dict[KeyId, Key] = field(default_factory=dict)
    sessions: dict[int, _Session] = field(default_factory=dict)
    answering: dict[KeyId, int] = field(default_factory=dict)  # the session that a key hangs on
    newest: int = -1  # the session opened last
    announced: InitDataAnnounced | None = None
    told: dict[str, Told] = field(default_factory=dict)  # of no session

    def session(self, slot: int) -> _Session:
        return self.sessions.setdefault(slot, _Session())

    def note(self, kid: KeyId, rule: str, told: Told) -> None:
        """A key of which no status has been told yet, or whose only news were such."""
        if kid not in self.keys or self.keys[kid].status == ExtendedStatus.UNKNOWN:
            self.keys[kid] = self.key(kid, ExtendedStatus.UNKNOWN, rule, told, told)

    def key(self, kid: KeyId, status: str, rule: str, told: Told, by: Told | None) -> Key:
        asked = self.keys[kid].requests if kid in self.keys else 0
        at, line = told.at_s, told.line
        return Key(line=line, at_s=at, who=self.who, kid=kid, status=status, rule=rule, event=by, requests=asked)


def _announced(of: _Client, event: InitDataAnnounced, told: Told) -> None:
    of.announced = event
    of.told[told.name] = replace(told, says=event.origin)
    for kid in event.kids:
        of.note(kid, "announced", of.told[told.name])


def _skipped(of: _Client, event: InitDataSkipped, told: Told) -> None:
    for kid in event.kids:
        of.note(kid, event.reason, replace(told, says=event.reason))


def _planned(of: _Client, event: PrefetchPlanned, told: Told) -> None:
    for kid in event.kids:
        of.note(kid, "planned", replace(told, says=f"for {event.at_us} µs on the run clock"))


def _waited(of: _Client, event: eme.WaitingForKey, told: Told) -> None:
    if event.kid is not None:
        of.note(event.kid, "never-announced", told)


def _loaded(of: _Client, _event: ManifestLoaded, told: Told) -> None:
    of.told[told.name] = told


def _opened(of: _Client, event: SessionCreated, told: Told) -> None:
    """The announcement that led to a session is told just before it."""
    meant = of.announced is not None and of.announced.kids == event.kids
    of.sessions[event.slot] = _Session(init_data=of.announced.origin if of.announced and meant else None)
    of.sessions[event.slot].told[told.name] = told
    of.newest = event.slot


def _requested(of: _Client, event: LicenseRequested, told: Told) -> None:
    session = of.session(event.slot)
    before = None if session.last is None or event.attempt == 1 else of.requests[session.last].outcome
    session.last = len(of.requests)
    request = Request(
        line=told.line,
        at_s=told.at_s,
        who=of.who,
        session=event.slot,
        sequence=None if event.local else event.sequence,
        attempt=event.attempt,
        cause=event.cause,
        origin=event.origin,
        init_data=session.init_data,
        rule=session.rule,
        kids=event.kids,
        after=before,
        outcome="key-by-hand" if event.local else None,
    )
    of.requests.append(request)
    for kid in event.kids:
        if kid in of.keys:
            of.keys[kid] = replace(of.keys[kid], requests=of.keys[kid].requests + 1)


def _answered(of: _Client, event: LicenseAnswered, told: Told) -> None:
    session = of.session(event.slot)
    session.told[told.name] = replace(told, says=event.outcome)
    if session.last is not None:
        of.requests[session.last] = replace(of.requests[session.last], outcome=event.outcome)


def _reported(of: _Client, event: _Statuses, told: Told) -> None:
    session = of.session(event.session.slot)
    session.told[told.name] = told
    for kid, _ in event.session.statuses:
        of.answering[kid] = event.session.slot


def _closed(of: _Client, event: _Closed, told: Told) -> None:
    of.session(event.session.slot).told[told.name] = replace(told, says=event.reason)


def _changed(of: _Client, event: KeyStatusChanged, told: Told) -> None:
    if event.new == ExtendedStatus.REQUESTED:
        of.answering[event.kid] = of.newest
        of.session(of.newest).rule = event.why
    of.keys[event.kid] = of.key(event.kid, event.new, event.why, told, _given_by(of, event))


def _given_by(of: _Client, event: KeyStatusChanged) -> Told | None:
    """The line that the rule looked at: of the key's session, or of none."""
    name = _GIVEN_BY.get(event.why, LicenseAnswered.name)
    session = of.sessions.get(of.answering.get(event.kid, -1))
    told = of.told.get(name) if session is None else session.told.get(name, of.told.get(name))
    return told and replace(told, says=event.new if name == eme.KeyStatusesChanged.name else told.says)


def _failed(of: _Client, event: LicenseFailed, told: Told) -> None:
    """Told after the statuses it leads to; it says more than the last answer."""
    for kid in event.kids:
        if kid in of.keys and of.keys[kid].status == ExtendedStatus.FAILED:
            of.keys[kid] = replace(of.keys[kid], event=replace(told, says=event.reason))


# ── what is read of events whose rows are too rich to be read back ───────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    slot: int
    statuses: tuple[tuple[KeyId, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statuses:
    session: _Row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closed:
    session: _Row
    reason: str


_RULES: Final[Mapping[str, tuple[type[Any], Callable[[_Client, Any, Told], None]]]] = {
    InitDataAnnounced.name: (InitDataAnnounced, _announced),
    InitDataSkipped.name: (InitDataSkipped, _skipped),
    PrefetchPlanned.name: (PrefetchPlanned, _planned),
    SessionCreated.name: (SessionCreated, _opened),
    LicenseRequested.name: (LicenseRequested, _requested),
    LicenseAnswered.name: (LicenseAnswered, _answered),
    LicenseFailed.name: (LicenseFailed, _failed),
    KeyStatusChanged.name: (KeyStatusChanged, _changed),
    ManifestLoaded.name: (ManifestLoaded, _loaded),
    eme.KeyStatusesChanged.name: (_Statuses, _reported),
    eme.SessionClosed.name: (_Closed, _closed),
    eme.WaitingForKey.name: (eme.WaitingForKey, _waited),
}

_GIVEN_BY: Final[Mapping[str, str]] = {
    # the rule of a status: the event it looks at; every other rule judges the answer of a license server
    "status": eme.KeyStatusesChanged.name,
    VANISHED: eme.KeyStatusesChanged.name,
    "pending-too-long": eme.KeyStatusesChanged.name,
    "session-closed": eme.SessionClosed.name,
    "request": SessionCreated.name,
    "scope": InitDataAnnounced.name,
    "expected-by-manifest": ManifestLoaded.name,
}
