"""Content steering: a server says which service location comes first (ETSI TS 103 998).

Its answer holds for its TTL and is asked for again; while none comes, the last one stays in force, at first the default
service locations of the MPD. 410 ends the steering, 429 may name the wait.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urljoin, urlsplit

from player.clock import SECOND
from player.engine import locations
from player.engine.actions import Fetched, FetchFailed, FetchKind
from player.engine.events import Steered, SteeringFailed
from player.engine.fetching import error_of
from player.engine.upkeep import Upkeep, ask, upkeep
from player.errors import KeystormError, ManifestError
from player.mpd.model import ContentSteering
from player.stream import choice

if TYPE_CHECKING:
    from player.engine.machine import Machine

DEFAULT_TTL_S: Final = 300
LEAST_TTL_S: Final = 5  # a choice: a server must not make its clients a flood
MOST_TTL_S: Final = 24 * 3600
MAX_PATHWAYS: Final = 64
MAX_NAME_CHARS: Final = 256
VERSION: Final = 1
_GONE: Final = 410
_TOO_MANY: Final = 429
_ORDERS: Final = ("PATHWAY-PRIORITY", "SERVICE-LOCATION-PRIORITY")  # the second is what drafts called it


def begin(m: Machine, now: int) -> bool:
    """At the first MPD. True: the server is to be asked before anything is fetched."""
    wanted = m.manifest.presentation.steering
    if wanted is None:
        return False
    u = upkeep(m)
    u.pathways, u.steering_url = wanted.default_locations[:MAX_PATHWAYS], wanted.url
    _ask(m, u, now)
    return wanted.query_before_start


def renewed(m: Machine, before: ContentSteering | None, now: int) -> None:
    """A new MPD: other steering begins anew, steering that is gone ends."""
    wanted = m.manifest.presentation.steering
    if wanted == before:
        return
    if wanted is not None:
        begin(m, now)
    elif m.upkeep is not None:
        u = m.upkeep
        u.pathways, u.steering_url, u.steering_at = (), "", -1


def run_deadlines(m: Machine, u: Upkeep, now: int) -> None:
    if 0 <= u.steering_at <= now and u.steering_url:
        _ask(m, u, u.steering_at)


def fetched(m: Machine, result: Fetched, now: int) -> bool:
    """True: this answer was waited for."""
    u = _taken(m, result)
    if u is None:
        return False
    if not 200 <= result.status < 300:
        _refused(m, u, error_of(result), now, result)
        return True
    try:
        _take(m, u, result, now)
    except ManifestError as error:
        _refused(m, u, error, now)
    return True


def failed(m: Machine, result: FetchFailed, now: int) -> bool:
    u = _taken(m, result)
    if u is not None:
        _refused(m, u, error_of(result), now)
    return u is not None


def _ask(m: Machine, u: Upkeep, now: int) -> None:
    u.steering_at = -1
    if u.steering_request is None:
        u.steering_request = ask(m, FetchKind.STEERING, _with_query(m, u.steering_url), now)


def _with_query(m: Machine, url: str) -> str:
    """The location in use and what it brings, once there is something to tell."""
    told = []
    if location := locations.location_of(m):
        quoted = quote(f'"{location}"', safe="")
        told.append(f"_DASH_pathway={quoted}")
    rules = m.spec.profile.stream
    rates = [choice.throughput(track.estimate, track.kind, rules) for track in m.stream.tracks]
    if any(rates):
        told.append(f"_DASH_throughput={int(max(rates))}")
    if not told:
        return url
    return url + ("&" if urlsplit(url).query else "?") + "&".join(told)


def _taken(m: Machine, result: Fetched | FetchFailed) -> Upkeep | None:
    u = m.upkeep
    if u is None or u.steering_request is not result.action:
        return None
    u.steering_request = None
    return u


def _take(m: Machine, u: Upkeep, result: Fetched, now: int) -> None:
    """Raises: ManifestError."""
    document = _read(result.body, result.url)
    pathways = _pathways(document, result.url)
    ttl_s = _ttl_s(document.get("TTL"))
    u.steering_url = _reload_url(document.get("RELOAD-URI"), u.steering_url, result.url)
    u.steering_at, u.steering_attempts = now + ttl_s * SECOND, 0
    u.pathways = m.pool.intern(pathways)
    if m.hears(Steered):
        m.tell(Steered(pathways=pathways, ttl_s=ttl_s))


def _read(body: bytes, url: str) -> dict[str, Any]:
    """Raises: ManifestError `bad-steering`."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad(url, "no JSON") from None
    if not isinstance(document, dict) or document.get("VERSION") != VERSION:
        raise _bad(url, "no steering manifest of version 1")
    return document


def _pathways(document: dict[str, Any], url: str) -> tuple[str, ...]:
    order = next((document[name] for name in _ORDERS if name in document), None)
    if not isinstance(order, list) or not 0 < len(order) <= MAX_PATHWAYS:
        raise _bad(url, "no order of pathways")
    if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS for name in order):
        raise _bad(url, "an order of pathways that are no names")
    return tuple(dict.fromkeys(order))


def _ttl_s(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST_TTL_S:
        return DEFAULT_TTL_S
    return max(int(value), LEAST_TTL_S)


def _reload_url(value: object, ours: str, after_redirects: str) -> str:
    """Where to ask next: relative to where this answer came from, without our own query."""
    if not isinstance(value, str) or not value:
        return ours
    try:
        return urljoin(after_redirects, value)
    except ValueError:
        return ours


def _refused(m: Machine, u: Upkeep, error: KeystormError, now: int, result: Fetched | None = None) -> None:
    u.steering_attempts += 1
    status = None if result is None else result.status
    if status == _GONE:
        u.steering_url = ""
    else:
        wait_s = _retry_after_s(result) if result is not None and status == _TOO_MANY else DEFAULT_TTL_S
        u.steering_at = now + wait_s * SECOND
    if m.hears(SteeringFailed):
        m.tell(SteeringFailed(code=error.code, reason=str(error)))


def _retry_after_s(result: Fetched) -> int:
    text = next((value for name, value in result.headers if name == "retry-after"), "")
    return _ttl_s(int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else DEFAULT_TTL_S


def _bad(url: str, reason: str) -> ManifestError:
    return ManifestError("bad-steering", "/MPD/ContentSteering", f"{url}: {reason}")
