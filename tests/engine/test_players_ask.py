"""What a license server sees of one client of each player: which keys, in which order, when, and how often again."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from player.backend.origin import presentation, signalling
from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, KeyPlan, LicenseSpec, Rotation
from player.cdm.spec import CdmSpec
from player.drm.events import KeyFault, LicenseAnswered, LicenseRequested, SessionCreated, StatusesAnnounced
from player.eme.element_quirks import element_quirks
from player.eme.events import SessionClosed
from player.engine.actions import Pause, Resume
from player.engine.profile import Profile
from player.ids import KeyId
from player.runtime.profiles import load_profile
from player.stream.events import Ended, Resumed, Stalled
from tests.engine.conftest import Watch, Watched
from tests.engine.test_moving_about import at, move

PLAYERS = ("rxplayer", "shaka", "dashjs", "hlsjs", "ideal")
QUALITIES = ("video-180p", "video-720p", "audio")
VOD = BackendSpec(content=ContentSpec(form=Form.VOD, tracks=QUALITIES), seed=1)
SEPARATE = replace(VOD, content=replace(VOD.content, keys=KeyPlan.RESOLUTION))


def live(rotation: Rotation, period_s: float = 8.0) -> BackendSpec:
    content = ContentSpec(
        tracks=("video-180p", "audio"), rotation=rotation, crypto_period_s=period_s, first_boundary_s=10.0
    )
    return BackendSpec(content=content, seed=1)


def failing(mode: str, spec: BackendSpec = VOD, **fault: float) -> BackendSpec:
    given = {"from_s": 0.0, "to_s": 1e6, **fault}
    return replace(spec, license=LicenseSpec(faults=(Fault(mode=mode, **given),)))


def of_each_key(name: str) -> Profile:
    """The profile, with each announcement standing for itself."""
    profile = load_profile(name)
    return replace(profile, scope=replace(profile.scope, license_scope="init-data"))  # type: ignore[arg-type]


def asked(watched: Watched) -> list[tuple[KeyId, ...]]:
    """Key ids of each first attempt."""
    return [event.kids for event in watched.of(LicenseRequested) if event.attempt == 1]


def order_of(kids: list[tuple[KeyId, ...]]) -> list[int]:
    """Keys by the order in which they were first asked for."""
    names: dict[KeyId, int] = {}
    return [names.setdefault(kid, len(names)) for (kid,) in kids]


def key_of(watch: Watch, representation: str) -> KeyId:
    layout = watch(SEPARATE, profile=load_profile("hlsjs")).machine.manifest.layout
    return next(row.kid for row in layout if row.representation == representation)


def waits(watched: Watched) -> list[float]:
    """Seconds from the end of each attempt to the next one."""
    ends, begins = watched.at(LicenseAnswered), watched.at(LicenseRequested)
    return [begin - end for end, begin in zip(ends, begins[1:], strict=False)]


@pytest.mark.parametrize("name", PLAYERS)
def test_one_key_costs_one_request_and_one_session(watch: Watch, name: str) -> None:
    watched = watch(VOD, profile=load_profile(name))
    assert watched.error is None
    assert len(watched.of(LicenseRequested)) == len(watched.of(SessionCreated)) == 1
    assert watched.of(Ended)[0].ended


@pytest.mark.rule("KP04")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rxplayer", ["video-180p", "audio"]),  # what is played
        ("shaka", ["video-180p", "video-720p", "audio"]),  # all that the manifest has
        ("dashjs", ["video-180p", "audio"]),
        ("hlsjs", ["audio", "video-180p"]),  # whichever segment is due first
        ("ideal", ["video-180p", "audio"]),
    ],
)
def test_of_separate_keys_a_player_asks_for_those_that_its_trigger_tells_of(
    watch: Watch, name: str, expected: list[str]
) -> None:
    watched = watch(SEPARATE, profile=of_each_key(name))
    names = {row.kid: row.representation for row in watched.machine.manifest.layout}
    assert [names[kid] for (kid,) in asked(watched)] == expected
    assert watched.of(Ended)[0].ended


def test_the_first_request_leaves_with_the_manifest_the_init_segment_or_the_first_segment(watch: Watch) -> None:
    first = {name: watch(VOD, profile=load_profile(name)).at(LicenseRequested)[0] for name in PLAYERS}
    assert first["shaka"] == first["rxplayer"] == first["dashjs"] == first["ideal"]
    assert first["hlsjs"] > first["shaka"]
    without_box = {name: watch(live(Rotation.NEW_PERIOD), profile=load_profile(name)) for name in PLAYERS}
    at = {name: watched.at(LicenseRequested)[0] for name, watched in without_box.items()}
    assert at["rxplayer"] > at["shaka"]  # no box in the manifest: it waits for the init segment


@pytest.mark.rule("KP05")
@pytest.mark.parametrize(
    ("name", "expected", "instants"),
    [
        ("rxplayer", [0, 1, 2, 3], [8, 16, 24]),  # the Period before is loaded
        ("shaka", [0, 1, 2, 3, 4], [2, 10, 18, 26]),  # the refresh that shows the Period
        ("dashjs", [0, 0, 1, 1, 2, 2, 3, 3], [8, 8, 16, 16, 24, 24]),  # by key id, and again by the box in the media
        ("hlsjs", [0, 0, 1, 2, 3], [8, 16, 24]),
    ],
)
def test_a_new_period_without_a_box_in_the_manifest(
    watch: Watch, name: str, expected: list[int], instants: list[int]
) -> None:
    watched = watch(live(Rotation.NEW_PERIOD), profile=load_profile(name))
    assert order_of(asked(watched)) == expected
    later = [at for at in watched.at(LicenseRequested) if at > 1]
    assert [round(at) for at in later] == instants
    assert not watched.of(Stalled)


@pytest.mark.rule("KP05")
@pytest.mark.parametrize("name", ["rxplayer", "shaka", "dashjs", "ideal"])
def test_a_new_period_with_its_box_in_the_manifest_costs_one_request_a_key(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told = replace(signalling.SIGNALLING[Rotation.NEW_PERIOD], pssh_in_mpd=True)
    table = MappingProxyType({**signalling.SIGNALLING, Rotation.NEW_PERIOD: told})
    monkeypatch.setattr(signalling, "SIGNALLING", table)
    monkeypatch.setattr(presentation, "SIGNALLING", table, raising=False)
    watched = watch(live(Rotation.NEW_PERIOD), profile=load_profile(name))
    kids = asked(watched)
    assert len(kids) == len(set(kids)) in (4, 5)
    assert not watched.of(Stalled)


@pytest.mark.rule("KP05")
@pytest.mark.parametrize("name", PLAYERS)
def test_a_box_repeated_in_every_fragment_costs_one_request_a_key(watch: Watch, name: str) -> None:
    watched = watch(live(Rotation.IN_BAND), profile=load_profile(name))
    assert order_of(asked(watched)) == [0, 1, 2, 3]
    assert [round(at) for at in watched.at(LicenseRequested)] == [0, 10, 18, 26]
    assert not watched.of(Stalled)


@pytest.mark.rule("KP06")
@pytest.mark.parametrize(
    ("name", "attempts", "least", "most"),
    [
        ("rxplayer", 3, [0.14, 0.28], [0.26, 0.52]),
        ("shaka", 2, [0.5], [1.5]),
        ("dashjs", 4, [1.0] * 3, [1.0] * 3),
        ("hlsjs", 9, [0.0] * 8, [0.0] * 8),
        ("ideal", 6, [0.0] * 5, [2.0, 4.0, 8.0, 16.0, 30.0]),
    ],
)
@pytest.mark.parametrize("mode", ["error", "down"])
def test_what_a_failing_server_sees_of_a_client(
    watch: Watch, mode: str, name: str, attempts: int, least: list[float], most: list[float]
) -> None:
    watched = watch(failing(mode), profile=load_profile(name))
    assert [event.attempt for event in watched.of(LicenseRequested)] == list(range(1, attempts + 1))
    for wait, low, high in zip(waits(watched), least, most, strict=True):
        assert low - 1e-5 <= wait <= high + 1e-5
    assert watched.error is not None
    assert watched.error.code == "license-load"


@pytest.mark.rule("KP06")
@pytest.mark.parametrize(("name", "timeout_s"), [("rxplayer", 10), ("shaka", 30), ("dashjs", 8), ("hlsjs", 0)])
def test_a_server_that_does_not_answer(watch: Watch, name: str, timeout_s: float) -> None:
    watched = watch(failing("slow", to_s=1.0, delay_s=40.0), profile=load_profile(name))
    answers = watched.of(LicenseAnswered)
    if timeout_s:
        assert answers[0].outcome == "timeout"
        assert answers[0].duration_us == timeout_s * 1_000_000
        assert len(watched.of(LicenseRequested)) == 2
    else:
        assert [answer.outcome for answer in answers] == ["ok"]
        assert watched.at(LicenseAnswered)[0] > 40
    assert watched.of(Ended)[0].ended


@pytest.mark.rule("KP07")
@pytest.mark.parametrize(
    ("name", "attempts", "faults", "closed"),
    [
        ("rxplayer", 3, [], 0),  # fatal, nothing is closed: sessions are kept for the next content
        ("shaka", 2, [], 2),  # the failed session is forgotten, not closed, and nobody is told
        ("dashjs", 4, ["license-load"], 2),  # an error is told, another set is played; every second session is closed
        ("hlsjs", 1, [], 2),  # a client error is final
    ],
)
def test_a_key_that_is_withheld(watch: Watch, name: str, attempts: int, faults: list[str], closed: int) -> None:
    profile = load_profile(name)
    best = (key_of(watch, "video-720p"),)
    withheld = replace(SEPARATE, license=LicenseSpec(withhold=best))
    watched = watch(withheld, profile=profile, representation="highest")
    assert sum(event.kids == best for event in watched.of(LicenseRequested)) == attempts
    assert [event.code for event in watched.of(KeyFault)] == faults
    assert len(watched.of(SessionClosed)) == closed
    assert (watched.error is None) is (name == "dashjs")


@pytest.mark.rule("KP07")
def test_one_failing_key_leaves_the_others_alone_where_the_profile_says_so(watch: Watch) -> None:
    best = (key_of(watch, "video-720p"),)
    withheld = replace(SEPARATE, license=LicenseSpec(withhold=best))
    watched = watch(withheld, profile=load_profile("shaka"))  # it plays another quality
    assert best in asked(watched)
    assert watched.error is None
    assert watched.of(Ended)[0].ended


@pytest.mark.parametrize("name", PLAYERS)
def test_a_late_license_is_waited_for(watch: Watch, name: str) -> None:
    slow = failing("slow", live(Rotation.IN_BAND, 16.0), from_s=9.0, to_s=12.0, delay_s=8.0)
    watched = watch(slow, profile=load_profile(name))
    assert [event.cause for event in watched.of(Stalled)] == ["key"]
    (resumed,) = watched.at(Resumed)
    assert resumed == pytest.approx(19.06 if name == "dashjs" else 18.06, abs=0.02)  # its timeout ends first
    assert watched.error is None


@pytest.mark.parametrize(("name", "attempts"), [("rxplayer", 1), ("shaka", 1), ("dashjs", 1), ("hlsjs", 1)])
def test_an_answer_that_is_no_license_is_not_asked_for_again(watch: Watch, name: str, attempts: int) -> None:
    watched = watch(failing("empty"), profile=load_profile(name))
    assert len(watched.of(LicenseRequested)) == attempts
    assert watched.error is not None
    assert watched.error.code == "license-rejected"


@pytest.mark.rule("KP08")
def test_statuses_are_told_together_and_each_new_one_begins_the_wait_anew(watch: Watch) -> None:
    none = live(Rotation.NONE)
    separate = replace(none, content=replace(none.content, tracks=QUALITIES, keys=KeyPlan.RESOLUTION))
    watched = watch(separate, profile=load_profile("shaka"), duration_us=4_000_000)
    (told,) = watched.of(StatusesAnnounced)
    assert [status for _, status in told.statuses] == ["usable"] * 3
    last = max(watched.at(LicenseAnswered))
    assert watched.at(StatusesAnnounced)[0] == pytest.approx(last + 0.003 + 0.5, abs=0.001)


# ── one field, its own lines ──────────────────────────────────────────────────────────────────────────────────────────

SPEAKS_OF_FAILURE = {"attempts": 1, "backoff_base_ms": 7, "jitter_amount": 0.1, "final_statuses": ("400-599",)}


@pytest.mark.rule("KP09")
@pytest.mark.parametrize("name", PLAYERS)
@pytest.mark.parametrize("field", SPEAKS_OF_FAILURE)
def test_a_field_that_speaks_of_failures_changes_nothing_where_nothing_fails(
    watch: Watch, name: str, field: str
) -> None:
    profile = load_profile(name)
    other = replace(profile, network=replace(profile.network, **{field: SPEAKS_OF_FAILURE[field]}))  # type: ignore[arg-type]
    one, two = (watch(live(Rotation.IN_BAND), profile=each, duration_us=12_000_000).events for each in (profile, other))
    assert one == two


@pytest.mark.rule("KP09")
def test_batching_changes_only_when_statuses_are_told(watch: Watch) -> None:
    profile = load_profile("shaka")
    at_once = replace(profile, status=replace(profile.status, batch_ms=0))
    one, two = (watch(SEPARATE, profile=each).events for each in (profile, at_once))
    told = [event for event in one if not isinstance(event[1], StatusesAnnounced)]
    assert [event for _, event in told] == [event for _, event in two]


# ── every session ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("KP10")
@pytest.mark.parametrize("name", PLAYERS)
@pytest.mark.parametrize("rotation", [Rotation.IN_BAND, Rotation.NEW_PERIOD])
@pytest.mark.parametrize("stop_at_s", [0.045, 5.0, 10.032, 25.0])
def test_every_session_is_closed_or_kept_for_the_next_content(
    watch: Watch, name: str, rotation: Rotation, stop_at_s: float
) -> None:
    profile = load_profile(name)
    profile = replace(profile, quirks=())
    watched = watch(live(rotation), profile=profile, duration_us=None, stop_at_s=stop_at_s)
    left = [row for row in watched.machine.eme.table if row.statuses]
    if profile.sessions.keep_between_contents:
        assert {row.slot for row in left} <= set(watched.machine.drm.order)
    else:
        assert not left


def test_a_player_may_close_every_second_session_only(watch: Watch) -> None:
    watched = watch(SEPARATE, profile=load_profile("dashjs"))
    assert len(watched.of(SessionCreated)) == 2
    assert len(watched.of(SessionClosed)) == 1


# ── devices with a channel for each key ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("KP16")
def test_a_device_with_a_channel_for_each_key_gets_sessions_that_ask_nobody(watch: Watch) -> None:
    """One license brings all keys; the key of the second track gets a session of its own, and no request."""
    quirk = ("channel_per_key",)
    group = replace(SEPARATE, license=LicenseSpec(grant="all"))
    given: dict[str, object] = {"cdm": CdmSpec(quirks=quirk), "element": element_quirks(quirk)}
    watched = watch(group, profile=load_profile("ideal"), **given)
    assert watched.error is None
    assert len(watched.of(LicenseRequested)) == 1
    assert len(watched.of(SessionCreated)) == 1
    assert [row.slot for row in watched.machine.eme.table] == [0, 1]
    assert watched.of(Ended)[0].ended
    without = watch(group, profile=load_profile("ideal"), **(given | {"element": element_quirks(())}), stop_at_s=30.0)
    assert without.error is not None or not without.of(Ended)[0].ended  # its samples wait for a channel


def test_messages_may_be_held_until_the_user_plays() -> None:
    profile = load_profile("shaka")
    held = replace(profile, network=replace(profile.network, delay_until_play=True))
    for each, expected in ((profile, 0), (held, 4)):
        moved = move(VOD, at(Pause(), 0.01), at(Resume(), 4.0), profile=each)
        (asked_at,) = (time_s for time_s, _ in moved.of(LicenseRequested))
        assert round(asked_at) == expected
