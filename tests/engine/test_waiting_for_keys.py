"""The engine plays by the rules of the media element, and by the ways of devices that do otherwise."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, KeyPlan, LicenseSpec, Rotation
from player.cdm import make as cdm_make
from player.cdm.emulated import EmulatedCdm
from player.chance import Draw
from player.clock import SECOND
from player.drm.events import KeyStatusChanged, LicenseRequested
from player.drm.plan import ClientPlan
from player.drm.profile import LicenseScope, NextPeriodTrigger
from player.eme.cdm import Call, CdmResult, Decrypted, SessionChange
from player.eme.element import HAVE_CURRENT_DATA, HAVE_FUTURE_DATA
from player.eme.element_quirks import EARLY_US, element_quirks
from player.eme.events import KeyStatusesChanged, SessionClosed, WaitingForKey
from player.eme.status import ClosedReason, KeyStatus
from player.engine.events import PlaybackFailed
from player.engine.profile import Profile
from player.ids import KeyId
from player.stream.events import Ended, RepresentationChosen, Resumed, Stalled
from tests.engine.conftest import Watch, Watched

ON_DEMAND = ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT)


def late_license() -> BackendSpec:
    """The second key's license takes 8 s: its first sample is due before that."""
    content = ContentSpec(
        tracks=("video-180p", "audio"), first_boundary_s=10.0, rotation=Rotation.IN_BAND, crypto_period_s=16.0
    )
    fault = Fault(from_s=9, to_s=12, mode="slow", delay_s=8.0)
    return BackendSpec(content=content, seed=1, license=LicenseSpec(faults=(fault,)))


def stalled(watch: Watch, *quirks: str) -> Watched:
    return watch(late_license(), plan=ON_DEMAND, element=element_quirks(quirks))


def usable_at(watched: Watched) -> float:
    """When the second key became usable."""
    return [t for t, e in watched.events if isinstance(e, KeyStatusChanged) and e.new == "usable"][1]


@pytest.mark.rule("R008")
@pytest.mark.rule("R009")
@pytest.mark.rule("R012")
@pytest.mark.rule("R015")
def test_a_key_that_is_late_is_waited_for_once_and_one_that_is_in_time_not_at_all(watch: Watch) -> None:
    watched = stalled(watch)
    (waiting,), (stall,) = watched.at(WaitingForKey), watched.at(Stalled)
    assert waiting == stall  # not when its license was asked for: there was a lead
    assert waiting - watched.at(LicenseRequested)[1] > 2
    assert len(watched.of(LicenseRequested)) > 2  # the keys before and after it came in time


@pytest.mark.rule("R010")
def test_the_ready_state_is_lowered_while_a_key_is_waited_for(watch: Watch) -> None:
    waiting = watch(late_license(), plan=ON_DEMAND, stop_at_s=17.0).machine
    assert waiting.element.ready_state == HAVE_CURRENT_DATA
    assert stalled(watch).machine.element.ready_state == HAVE_FUTURE_DATA


@pytest.mark.rule("Q10")
@pytest.mark.rule("R016")
@pytest.mark.parametrize("form", ["stale", "missing", "early"])
def test_no_way_of_telling_of_a_missing_key_changes_what_the_player_does(watch: Watch, form: str) -> None:
    reference, watched = stalled(watch), stalled(watch, f"unreliable_waitingforkey:{form}")
    for kind in (LicenseRequested, Stalled, Resumed, Ended):
        assert watched.of(kind) == reference.of(kind)
    (in_time,) = reference.at(WaitingForKey)
    expected = {
        "stale": [usable_at(watched)],
        "missing": [],
        "early": [in_time - (EARLY_US + 1_001) / SECOND],
    }
    assert watched.at(WaitingForKey) == pytest.approx(expected[form])


@pytest.mark.rule("Q33")
def test_an_element_that_fails_for_a_missing_key_ends_playback_without_waiting(watch: Watch) -> None:
    watched = stalled(watch, "error_instead_of_waitingforkey")
    assert not watched.of(WaitingForKey)
    (failed,) = watched.of(PlaybackFailed)
    assert failed.code == "key-missing"
    assert watched.at(PlaybackFailed) == stalled(watch).at(WaitingForKey)


@pytest.mark.rule("Q34")
@pytest.mark.parametrize("quirks", [(), ("buffered_data_sticks",)])
def test_what_is_buffered_under_a_withheld_key_may_stick(watch: Watch, ideal: Profile, quirks: tuple[str, ...]) -> None:
    content = ContentSpec(form=Form.VOD, tracks=("video-180p", "video-720p", "audio"), keys=KeyPlan.RESOLUTION)
    profile = replace(ideal, scope=replace(ideal.scope, license_scope=LicenseScope.INIT_DATA))
    spec = BackendSpec(content=content, seed=1)
    best = watch(spec, profile=profile, representation="highest", stop_at_s=0.2).of(LicenseRequested)[0].kids
    withheld = replace(spec, license=LicenseSpec(withhold=best))
    watched = watch(withheld, profile=profile, representation="highest", stop_at_s=20.0, element=element_quirks(quirks))
    assert watched.error is None
    chosen = [event.representation for event in watched.of(RepresentationChosen) if event.track == 0]
    assert len(chosen) == 2  # it falls back once, and does not go to and fro
    (ended,) = watched.of(Ended)
    assert ended.ended is not bool(quirks)
    assert (ended.played_us == 0) is bool(quirks)


class FirstUse:
    """A CDM that does something on the first decryption."""

    def __init__(self, inner: EmulatedCdm, first: dict[str, object]) -> None:
        self._inner = inner
        self._first: dict[str, object] | None = first

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        done = self._inner.handle(call, now, draw)
        if isinstance(done, Decrypted) and self._first is not None:
            first, self._first = self._first, None
            return msgspec.structs.replace(done, **first)
        return done


def _plays_with(watch: Watch, monkeypatch: pytest.MonkeyPatch, **first: object) -> Watched:
    def made(*spec: object) -> FirstUse:
        return FirstUse(cdm_make.make(*spec), first)  # type: ignore[arg-type]

    monkeypatch.setattr("tests.engine.conftest.make", made)
    content = ContentSpec(tracks=("video-180p",), rotation=Rotation.NONE, first_boundary_s=None)
    return watch(BackendSpec(content=content, seed=1), duration_us=8 * SECOND, stop_at_s=20.0)


@pytest.mark.rule("R007")
def test_the_first_use_of_a_key_may_change_its_status(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = watch(BackendSpec(content=ContentSpec(tracks=("video-180p",), rotation=Rotation.NONE), seed=1))
    ((kid, _),) = plain.of(KeyStatusesChanged)[0].session.statuses
    downscaled = SessionChange(slot=0, statuses=((kid, KeyStatus.OUTPUT_DOWNSCALED),))
    watched = _plays_with(watch, monkeypatch, changes=(downscaled,))
    assert [event.session.statuses for event in watched.of(KeyStatusesChanged)] == [
        ((kid, KeyStatus.USABLE),),
        ((kid, KeyStatus.OUTPUT_DOWNSCALED),),
    ]


@pytest.mark.rule("R006")
def test_a_cdm_that_goes_away_over_a_decryption_ends_playback(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ClosedReason.HARDWARE_CONTEXT_RESET
    watched = _plays_with(watch, monkeypatch, lost=gone)
    assert [event.reason for event in watched.of(SessionClosed)] == [gone]
    assert watched.error is not None
    assert watched.error.code == "bad-protection"
    assert not watched.of(WaitingForKey)


@pytest.mark.parametrize("first", [{"clear": 0}, {"clear": 3}, {"clear": -1}])
def test_a_cdm_that_stops_without_a_reason_ends_playback_and_never_hangs(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, first: dict[str, object]
) -> None:
    watched = _plays_with(watch, monkeypatch, **first)
    assert watched.error is not None
    assert "did not say why" in str(watched.error)


def test_a_cdm_that_stops_at_a_key_it_has_is_asked_again_when_a_status_changes_only(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = _plays_with(watch, monkeypatch, clear=0, stopped_by=KeyId(bytes(16)))
    assert watched.error is None
    assert not watched.of(Ended)[0].played_us


def test_an_element_of_a_storm_costs_two_numbers(watch: Watch) -> None:
    element = stalled(watch).machine.element
    assert [type(getattr(element, name)) for name in element.__slots__] == [int, int]
    assert replace(element) == element
