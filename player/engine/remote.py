"""Remote elements: what an MPD says lies elsewhere is fetched and put in its place (xlink; ISO/IEC 23009-1, 5.5).

`onLoad` before the MPD is used, `onRequest` when playback comes near. One is fetched after the other; what cannot be
had stays as it is written. Nothing is fetched twice, and links within what was linked end after `xlink.MAX_ROUNDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import presentation
from player.engine.actions import Fetched, FetchFailed, FetchKind
from player.engine.events import RemoteElementFailed
from player.engine.fetching import error_of
from player.engine.manifest import NONE_YET, Manifest
from player.engine.upkeep import Upkeep, ask, upkeep
from player.errors import KeystormError, ManifestError
from player.mpd.model import Period, RemoteElement
from player.mpd.xlink import MAX_ROUNDS

if TYPE_CHECKING:
    from player.engine.machine import Machine

NEAR_US: Final = 10 * SECOND  # a choice: beyond what is loaded; a fetch and a refresh take far less
MAX_TOTAL_BYTES: Final = 16 << 20  # as much as an MPD may have
MAX_KEPT: Final = 512  # of what was fetched; the oldest go


def complete(m: Machine, manifest: Manifest, now: int) -> Manifest | None:
    """A new MPD with what belongs in it now; None: some of it must be fetched, and `presentation.use` comes later."""
    if manifest.document is None:
        if m.upkeep is not None:
            m.upkeep.as_fetched, m.upkeep.resolving = NONE_YET, None
        return manifest
    u = upkeep(m)
    u.as_fetched = manifest
    return _begin(m, u, manifest, now)


def come_near(m: Machine, now: int) -> None:
    """Playback has moved on: elements that are to be fetched on request may be wanted now."""
    manifest = m.manifest
    if not manifest.presentation.remote or (m.upkeep is not None and m.upkeep.resolving is not None):
        return
    if any(_is_wanted(m, link, now) for link in manifest.presentation.remote):
        changed = _begin(m, upkeep(m), manifest, now)
        if changed is not None and changed is not manifest:
            presentation.use(m, changed, now)


def is_between(m: Machine, period: Period, following: Period | None) -> bool:
    """Is there a Period to come between these two that has not been fetched yet?"""
    return any(
        link.start_us is not None
        and period.start_us < link.start_us
        and (following is None or link.start_us < following.start_us)
        for link in m.manifest.presentation.remote
        if "Period" in link.path.rpartition("/")[2]
    )


def fetched(m: Machine, result: Fetched, now: int) -> None:
    usable = 200 <= result.status < 300 and bool(result.body.strip())
    _take(m, result, result.body if usable else None, now)


def failed(m: Machine, result: FetchFailed, now: int) -> None:
    _take(m, result, None, now)


def _take(m: Machine, result: Fetched | FetchFailed, body: bytes | None, now: int) -> None:
    u = m.upkeep
    if u is None or u.remote_request is not result.action:
        return
    u.remote_request = None
    if body is None:
        _tell(m, result.action.url, error_of(result))
    u.contents = (*u.contents, (result.action.url, body))[-MAX_KEPT:]
    if u.resolving is not None:
        done = _go_on(m, u, u.resolving, now)
        if done is not None:
            presentation.use(m, done, now)


def _begin(m: Machine, u: Upkeep, manifest: Manifest, now: int) -> Manifest | None:
    u.remote_rounds = 0
    u.resolving = manifest
    return None if u.remote_request is not None else _go_on(m, u, manifest, now)


def _go_on(m: Machine, u: Upkeep, manifest: Manifest, now: int) -> Manifest | None:
    """Round by round: fetch what is wanted, put it in its place, see what that wants."""
    known = dict(u.contents)
    while wanted := [link for link in manifest.presentation.remote if _is_wanted(m, link, now)]:
        last = u.remote_rounds >= MAX_ROUNDS
        missing = next((link.url for link in wanted if link.url not in known), None)
        if missing is not None and not last:
            u.resolving = manifest
            u.remote_request = ask(m, FetchKind.XLINK, missing, now)
            return None
        if last:
            _tell(m, wanted[0].url, _looping(wanted[0]))
        u.remote_rounds += 1
        try:
            manifest = _placed(m, manifest, {link.url: None if last else known[link.url] for link in wanted}, wanted)
        except ManifestError as error:
            u.resolving = None
            presentation.unusable(m, error, now)
            return None
    u.resolving = None
    return manifest


def _placed(m: Machine, manifest: Manifest, contents: dict[str, bytes | None], wanted: list[RemoteElement]) -> Manifest:
    """With the contents in their place; where they make no MPD, the elements stay as they are written.

    Raises: ManifestError where that is no MPD either.
    """
    try:
        if sum(len(contents[link.url] or b"") for link in wanted) > MAX_TOTAL_BYTES:
            raise ManifestError("too-large", wanted[0].path, f"remote elements of more than {MAX_TOTAL_BYTES} bytes")
        return manifest.resolved(tuple(contents.items()))
    except ManifestError as error:
        _tell(m, wanted[0].url, error)
        return manifest.resolved(tuple((url, None) for url in contents))


def _is_wanted(m: Machine, link: RemoteElement, now: int) -> bool:
    """An element without a known place in time is wanted at once."""
    return link.on_load or link.start_us is None or link.start_us <= _reach(m, now) + NEAR_US


def _reach(m: Machine, now: int) -> int:
    """Up to where playback has asked for media; before it is open, where it will begin at the latest."""
    tracks = m.stream.tracks
    if tracks:
        return max(track.loaded_us for track in tracks)
    u = m.upkeep
    presented = (m.manifest if u is None or u.resolving is None else u.resolving).presentation
    return m.wall_us(now) - presented.availability_start_wall_us if presented.dynamic else 0


def _looping(link: RemoteElement) -> ManifestError:
    return ManifestError("remote-loop", link.path, f"links within links more than {MAX_ROUNDS} deep: {link.url}")


def _tell(m: Machine, url: str, error: KeystormError) -> None:
    if m.hears(RemoteElementFailed):
        m.tell(RemoteElementFailed(url=url, code=error.code, reason=str(error)))
