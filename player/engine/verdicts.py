"""May samples of a key be decrypted, and may a Representation be played: the key table, seen with a profile's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.drm import keys as table
from player.drm.keys import Entry, ExtendedStatus, Verdict
from player.drm.profile import AppendWaits, OnLicenseFailure, Quirk
from player.drm.verdicts import of_representation
from player.eme import table as eme
from player.engine import keys
from player.engine.track import Track
from player.ids import KeyId
from player.mpd.model import AdaptationSet, Representation

if TYPE_CHECKING:
    from player.engine.machine import Machine


def of_key(m: Machine, kid: KeyId) -> Verdict:
    """May samples of this key be decrypted?"""
    entry = table.find(m.drm.keys, kid)
    if entry is None:
        return Verdict.UNDECIDED
    found = table.verdict(entry.status, m.spec.profile.status)
    if found is Verdict.BLOCK:
        return _blocked(m, entry)
    return Verdict.UNDECIDED if found is Verdict.ALLOW and _waits_for_all(m) else found


def playable(m: Machine, group: AdaptationSet, representation: Representation) -> bool:
    """Is the Representation not blocked, by the profile's rule for several keys?"""
    kids = keys.default_kids((*group.protections, *representation.protections))
    found = [None if table.find(m.drm.keys, kid) is None else of_key(m, kid) for kid in kids]
    return of_representation(m.spec.profile.scope.representation_rule, found) is not Verdict.BLOCK


def end_if_stuck(m: Machine, now: int) -> None:
    """As fast as possible there is nobody to see a stall: a wait that nothing can end is the end."""
    if m.spec.element.buffered_data_sticks:
        return  # a device that waits for ever is what is looked at
    waiting = [track for track in m.stream.tracks if track.pending and track.request is None and not track.decrypting]
    busy = m.has_work() or any(not exchange.locked for exchange in m.exchanges)
    if waiting and not busy and not m.finished and m.deadline() is None:
        kid = waiting[0].pending[0].kid()
        if kid is not None:
            keys.nothing_left(m, kid, now)


def _blocked(m: Machine, entry: Entry) -> Verdict:
    """A block that is not yet told, or that the player overlooks, is none."""
    profile = m.spec.profile
    overlooks = profile.sessions.on_license_failure is OnLicenseFailure.EVENT
    if entry.status is ExtendedStatus.FAILED and overlooks and not m.spec.as_fast_as_possible:
        return Verdict.UNDECIDED  # its session never reports, so the key goes on to count as usable
    if profile.status.batch_ms and not _is_told(m, entry):
        return Verdict.UNDECIDED
    hidden = Quirk.AUDIO_VERDICT_OVERRIDDEN in profile.quirks and _is_audio_beside_video(m, entry.kid)
    return Verdict.UNDECIDED if hidden else Verdict.BLOCK


def _is_told(m: Machine, entry: Entry) -> bool:
    """Of statuses that are told together: has the block been told?"""
    told = None if m.drm.batch is None else table.find(m.drm.batch.told, entry.kid)
    return told is not None and table.verdict(told.status, m.spec.profile.status) is Verdict.BLOCK


def _is_audio_beside_video(m: Machine, kid: KeyId) -> bool:
    """A usable video key hides the verdict of an audio key."""
    of_kind = {track.kind: _kids_of(track) for track in m.stream.tracks}
    held = [table.find(m.drm.keys, video) for video in of_kind.get("video", ())]
    usable = any(entry is not None and entry.status is ExtendedStatus.USABLE for entry in held)
    return usable and kid in of_kind.get("audio", ()) and kid not in of_kind.get("video", ())


def _kids_of(track: Track) -> tuple[KeyId, ...]:
    named = keys.default_kids((*track.adaptation_set.protections, *track.representation.protections))
    return (*named, *(kid for pending in track.pending for kid in pending.fragment.kids))


def _waits_for_all(m: Machine) -> bool:
    """With several sessions, some players hand on nothing before each of them has statuses."""
    rule = m.spec.profile.announce.append_waits_license
    if rule is not AppendWaits.ALL_SESSIONS_IF_SEVERAL or m.stream.started_at >= 0 or len(m.drm.order) < 2:
        return False
    rows = [eme.find(m.eme, slot) for slot in m.drm.order]
    return any(row is not None and not row.statuses for row in rows)
