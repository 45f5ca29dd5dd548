"""Five laws by which players tell that an open session already answers for an announcement.

Pure: a law compares what is announced with what is known of one session. What follows from a match is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from player.drm.init_data import InitData, Origin
from player.drm.profile import Dedupe, Scope
from player.ids import KeyId


class Known(NamedTuple):
    """An open session: the init data that made it, the keys its status map lists, and those its scope tied to it."""

    slot: int
    type: str
    data: bytes
    kids: tuple[KeyId, ...] = ()  # of the init data; (): not known
    listed: tuple[KeyId, ...] = ()
    tied: tuple[KeyId, ...] = ()


Law = Callable[[InitData, Known, bool], bool]


def law_of(scope: Scope, origin: Origin, *, first_manifest: bool) -> Dedupe:
    """The law for what was met there; a manifest that is loaded for the first time may have one of its own."""
    if origin in (Origin.MPD, Origin.ANNOUNCEMENT):
        return scope.dedupe_load if first_manifest else scope.dedupe_refresh
    return scope.dedupe_media


def answering(law: Dedupe, init_data: InitData, sessions: Iterable[Known], *, learn: bool) -> Known | None:
    """The first session that answers for the init data. `learn`: keys that a license brought unasked count."""
    return next((session for session in sessions if _LAWS[law](init_data, session, learn)), None)


def _session_kids(init_data: InitData, session: Known, learn: bool) -> bool:
    """Key ids where both sides have them, whatever the bytes; else the bytes of what both know (RxPlayer)."""
    if init_data.kids and (session.kids or session.listed):
        of_license = (*session.listed, *session.tied) if learn else ()
        return _all_in(init_data.kids, of_license) or _all_in(init_data.kids, session.kids)
    return _bytes(init_data, session, learn)


def _kid_or_bytes(init_data: InitData, session: Known, learn: bool) -> bool:
    return _same_kids(init_data, session) or _bytes(init_data, session, learn)


def _bytes(init_data: InitData, session: Known, _learn: bool) -> bool:
    """A box that was packed anew is another one, even if it names the same keys."""
    return init_data.type == session.type and init_data.data == session.data


def _status_kid(init_data: InitData, session: Known, _learn: bool) -> bool:
    """Any status will do, so that a key that has expired is not asked for either (hls.js)."""
    return bool(init_data.kids) and _all_in(init_data.kids, session.listed)


def _same_kids(init_data: InitData, session: Known) -> bool:
    return bool(init_data.kids) and set(init_data.kids) == set(session.kids)


def _all_in(kids: tuple[KeyId, ...], among: tuple[KeyId, ...]) -> bool:
    return bool(among) and all(kid in among for kid in kids)


_LAWS: Final[dict[Dedupe, Law]] = {
    Dedupe.SESSION_KIDS: _session_kids,
    Dedupe.KID_OR_BYTES: _kid_or_bytes,
    Dedupe.KID_THEN_BYTES: _kid_or_bytes,  # first all sessions by key id, then all by bytes: the same sessions answer
    Dedupe.BYTES: _bytes,
    Dedupe.STATUS_KID: _status_kid,
}
