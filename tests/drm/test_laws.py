"""The laws that a field of a profile chooses: dedupe, queues, absent keys, verdicts, reactions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.drm import absent, dedupe, keys, queue, reactions
from player.drm.dedupe import Known
from player.drm.init_data import InitData, Origin, kids_of
from player.drm.keys import ExtendedStatus, Table, Verdict
from player.drm.profile import Concurrency, Dedupe, Extent, LicenseScope, MissingKeyVerdict, RepresentationRule, Scope
from player.drm.queue import InFlight
from player.drm.verdicts import of_representation
from player.eme.status import KeyStatus
from player.ids import KeyId
from player.runtime.profiles import load_profile

A, B, C = (KeyId(bytes([n]) * 16) for n in (1, 2, 3))
ZERO = KeyId(bytes(16))


def of(*kids: KeyId, data: bytes = b"box", type_: str = "cenc") -> InitData:
    return InitData(type=type_, data=data, kids=kids, origin=Origin.MPD)


def session(*kids: KeyId, data: bytes = b"box", listed: tuple[KeyId, ...] = (), tied: tuple[KeyId, ...] = ()) -> Known:
    return Known(0, "cenc", data, kids, listed, tied)


@pytest.mark.rule("KP11")
@pytest.mark.parametrize(
    ("law", "announced", "known", "answers"),
    [
        (Dedupe.SESSION_KIDS, of(A, data=b"repacked"), session(A), True),
        (Dedupe.SESSION_KIDS, of(A), session(B, data=b"other", listed=(A, B)), True),  # learnt from the license
        (Dedupe.SESSION_KIDS, of(A), session(B, data=b"other", tied=(A,)), True),  # assigned, nothing listed yet
        (Dedupe.SESSION_KIDS, of(A), session(B, listed=(B,), tied=(A, B)), True),  # by scope
        (Dedupe.SESSION_KIDS, of(A), session(B), False),  # key ids on both sides: bytes do not matter
        (Dedupe.SESSION_KIDS, of(data=b"box"), session(A), True),  # no key ids on one side: bytes do
        (Dedupe.SESSION_KIDS, of(data=b"other"), session(A), False),
        (Dedupe.KID_OR_BYTES, of(A, data=b"repacked"), session(A), True),
        (Dedupe.KID_OR_BYTES, of(B), session(A), True),
        (Dedupe.KID_OR_BYTES, of(B, data=b"other"), session(A, listed=(A, B)), False),  # learns nothing
        (Dedupe.KID_THEN_BYTES, of(A, data=b"repacked"), session(A), True),
        (Dedupe.BYTES, of(A, data=b"repacked"), session(A), False),  # asked for again
        (Dedupe.BYTES, of(A), session(A), True),
        (Dedupe.BYTES, of(A, type_="keyids"), session(A), False),
        (Dedupe.STATUS_KID, of(A, data=b"repacked"), session(B, listed=(A,)), True),
        (Dedupe.STATUS_KID, of(A), session(A), False),  # in flight: the queue knows
    ],
)
def test_when_a_session_answers_for_an_announcement(
    law: Dedupe, announced: InitData, known: Known, answers: bool
) -> None:
    assert (dedupe.answering(law, announced, [known], learn=True) is known) is answers


def test_without_learning_only_what_was_asked_for_is_known() -> None:
    known = session(B, listed=(A, B))
    assert dedupe.answering(Dedupe.SESSION_KIDS, of(A), [known], learn=False) is None
    assert dedupe.answering(Dedupe.SESSION_KIDS, of(B), [known], learn=False) is known


@given(st.sampled_from(Dedupe), st.sets(st.sampled_from([A, B, C]), min_size=1))
def test_the_same_init_data_is_never_asked_for_twice_while_its_session_has_statuses(
    law: Dedupe, kids: set[KeyId]
) -> None:
    named = tuple(sorted(kids))
    assert dedupe.answering(law, of(*named), [session(*named, listed=named)], learn=True) is not None


def test_each_place_of_init_data_has_its_law() -> None:
    scope = load_profile("shaka").scope
    assert dedupe.law_of(scope, Origin.MPD, first_manifest=True) is Dedupe.KID_OR_BYTES
    assert dedupe.law_of(scope, Origin.MPD, first_manifest=False) is Dedupe.BYTES
    assert dedupe.law_of(load_profile("dashjs").scope, Origin.EVENT, first_manifest=True) is Dedupe.BYTES


@pytest.mark.rule("KP12")
@pytest.mark.parametrize(
    ("concurrency", "other", "waits"),
    [
        (Concurrency.PARALLEL, InFlight(of(A), reported=False), False),
        (Concurrency.SERIAL, InFlight(of(B, data=b"other"), reported=False), True),
        (Concurrency.SERIAL, InFlight(of(B, data=b"other"), reported=True), False),  # the first report unlocks it
        (Concurrency.SERIAL_PER_URI, InFlight(of(B, data=b"other"), reported=False), False),
        (Concurrency.SERIAL_PER_URI, InFlight(of(A), reported=False), True),
        (Concurrency.SERIAL_PER_SCOPE, InFlight(of(B), reported=False), False),
    ],
)
def test_who_waits_for_whom(concurrency: Concurrency, other: InFlight, waits: bool) -> None:
    scope = replace(load_profile("rxplayer").scope, concurrency=concurrency)
    assert queue.waits(of(A), scope, [other]) is waits
    assert not queue.waits(of(A), scope, [])  # never locked for good
    wide = replace(scope, license_scope=LicenseScope.PERIOD, concurrency_scoped=Concurrency.PARALLEL)
    assert not queue.waits(of(A), wide, [other])


def requested(*kids: KeyId) -> Table:
    return keys.request((), kids, 0, "request")


def after(scope: Scope, statuses: tuple[tuple[KeyId, KeyStatus], ...], *, manifest: bool = True) -> dict[KeyId, str]:
    table = keys.report(requested(A, B), 0, statuses)
    settled = absent.settle(table, scope, absent.License(0, statuses, manifest))
    return {entry.kid: entry.status.value for entry in settled}


@pytest.mark.rule("KP13")
@pytest.mark.parametrize(
    ("verdict", "listed", "manifest", "expected"),
    [
        (MissingKeyVerdict.NONE, True, True, "unknown"),
        (MissingKeyVerdict.RESTRICTED_IF_MANIFEST_PSSH, True, True, "disallowed"),
        (MissingKeyVerdict.RESTRICTED_IF_MANIFEST_PSSH, True, False, "unknown"),
        (MissingKeyVerdict.RESTRICTED_IF_MANIFEST_PSSH, False, True, "unknown"),  # an empty map blocks nothing
        (MissingKeyVerdict.UNUSABLE_AFTER_STATUS, True, True, "disallowed"),
        (MissingKeyVerdict.UNUSABLE_AFTER_STATUS, False, True, "unknown"),  # the session has not reported
        (MissingKeyVerdict.INTERNAL_ERROR, True, True, "internal-error"),
        (MissingKeyVerdict.DISALLOWED, True, True, "disallowed"),
    ],
)
def test_a_key_that_the_license_lacks(verdict: MissingKeyVerdict, listed: bool, manifest: bool, expected: str) -> None:
    scope = replace(load_profile("rxplayer").scope, missing_key_verdict=verdict)
    statuses = ((A, KeyStatus.USABLE),) if listed else ()
    assert after(scope, statuses, manifest=manifest)[B] == expected


@pytest.mark.parametrize("verdict", MissingKeyVerdict)
def test_a_stated_or_learnt_extent_refuses_what_is_absent(verdict: MissingKeyVerdict) -> None:
    scope = replace(load_profile("rxplayer").scope, missing_key_verdict=verdict)
    for widened in (
        replace(scope, license_scope=LicenseScope.MEDIA),
        replace(scope, extent=Extent.ONE_AT_A_TIME),
    ):
        assert after(widened, ((A, KeyStatus.USABLE),)) == {A: "usable", B: "disallowed"}


def test_after_the_first_license_nothing_is_expected_any_more() -> None:
    scope = replace(load_profile("rxplayer").scope, expect_all_manifest_kids=True)
    table = keys.request(keys.expect((), (A, B, C)), (A,), 0, "request")
    assert {entry.status for entry in table} == {ExtendedStatus.REQUESTED, ExtendedStatus.EXPECTED}
    statuses = ((A, KeyStatus.USABLE), (B, KeyStatus.USABLE))
    table = absent.settle(keys.report(table, 0, statuses), scope, absent.License(0, statuses, True))
    assert {entry.kid: entry.status for entry in table} == {A: "usable", B: "usable", C: "disallowed"}


def test_a_key_that_a_session_takes_back_is_refused_by_one_player_only() -> None:
    table = keys.report((), 0, ((A, KeyStatus.USABLE), (B, KeyStatus.USABLE)))
    now = ((A, KeyStatus.USABLE),)
    told = keys.find(absent.vanished(table, 0, now, MissingKeyVerdict.NONE), B)
    assert told is not None
    assert (told.status, told.why) == (ExtendedStatus.DISALLOWED, absent.VANISHED)
    assert absent.vanished(table, 0, now, MissingKeyVerdict.DISALLOWED) == table


@pytest.mark.rule("KP14")
@pytest.mark.parametrize(
    ("rule", "verdicts", "expected"),
    [
        (RepresentationRule.FIRST_LISTED_KID, (None, Verdict.ALLOW, Verdict.BLOCK), Verdict.ALLOW),
        (RepresentationRule.FIRST_LISTED_KID, (Verdict.BLOCK, Verdict.ALLOW), Verdict.BLOCK),
        (RepresentationRule.ALL_KIDS, (Verdict.ALLOW, Verdict.BLOCK), Verdict.BLOCK),
        (RepresentationRule.ALL_KIDS, (Verdict.ALLOW, None), Verdict.UNDECIDED),
        (RepresentationRule.ANY_KID, (Verdict.ALLOW, Verdict.BLOCK), Verdict.ALLOW),
        (RepresentationRule.ANY_KID, (Verdict.BLOCK, None), Verdict.UNDECIDED),
        (RepresentationRule.ANY_KID, (Verdict.BLOCK, Verdict.BLOCK), Verdict.BLOCK),
        (RepresentationRule.SEGMENT_KID, (), Verdict.ALLOW),
    ],
)
def test_several_keys_of_one_representation(
    rule: RepresentationRule, verdicts: tuple[Verdict | None, ...], expected: Verdict
) -> None:
    assert of_representation(rule, verdicts) is expected


@pytest.mark.rule("KP15")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (KeyStatus.USABLE, "allow allow allow allow allow"),
        (KeyStatus.OUTPUT_DOWNSCALED, "allow allow allow block allow"),
        (KeyStatus.STATUS_PENDING, "allow allow allow undecided undecided"),
        (KeyStatus.RELEASED, "allow allow allow block block"),
        (KeyStatus.EXPIRED, "block allow allow undecided undecided"),
        (KeyStatus.OUTPUT_RESTRICTED, "block block block block block"),
        (KeyStatus.INTERNAL_ERROR, "block block block block block"),
    ],
)
def test_from_status_to_verdict_for_each_player(status: KeyStatus, expected: str) -> None:
    players = ("rxplayer", "shaka", "dashjs", "hlsjs", "ideal")
    found = [keys.verdict(ExtendedStatus(status.value), load_profile(name).status) for name in players]
    assert " ".join(found) == expected


@pytest.mark.rule("KP15")
@pytest.mark.parametrize(
    ("name", "status", "code", "fatal", "ends"),
    [
        ("rxplayer", KeyStatus.EXPIRED, "key-expired", True, True),
        ("rxplayer", KeyStatus.OUTPUT_RESTRICTED, "key-output-restricted", True, True),
        ("rxplayer", KeyStatus.INTERNAL_ERROR, "key-internal", True, True),
        ("dashjs", KeyStatus.EXPIRED, "key-expired", False, False),
        ("hlsjs", KeyStatus.EXPIRED, "key-expired", True, False),  # a fatal error, and a new request
        ("hlsjs", KeyStatus.RELEASED, "key-released", True, True),
        ("hlsjs", KeyStatus.OUTPUT_RESTRICTED, "key-output-restricted", False, False),
    ],
)
def test_what_a_player_tells_of_a_status(name: str, status: KeyStatus, code: str, fatal: bool, ends: bool) -> None:
    profile = load_profile(name)
    new = keys.report((), 0, ((A, status),))
    (reaction,) = reactions.to_changes((), new, profile.status, profile.quirks, frozenset({A}))
    assert (reaction.code, reaction.fatal, reaction.ends) == (code, fatal, ends)


def test_the_end_of_all_keys_is_the_end_for_one_player() -> None:
    both = keys.report((), 0, ((A, KeyStatus.EXPIRED), (B, KeyStatus.USABLE)))
    status = load_profile("shaka").status
    assert not reactions.all_expired(both, status)
    assert reactions.all_expired(keys.report(both, 0, ((B, KeyStatus.EXPIRED),)), status)
    assert reactions.to_changes((), both, status, (), frozenset({A})) == []


def test_a_status_that_stays_pending_is_a_refusal_that_a_later_status_replaces() -> None:
    table = keys.end_pending(keys.report((), 0, ((A, KeyStatus.STATUS_PENDING),)), 0)
    assert [(e.status, e.why) for e in table] == [(ExtendedStatus.DISALLOWED, "pending-too-long")]
    assert keys.report(table, 0, ((A, KeyStatus.USABLE),))[0].status is ExtendedStatus.USABLE


def test_a_key_that_a_license_lacked_is_not_lost_with_its_session() -> None:
    table = keys.settle(requested(A), 0, ExtendedStatus.INTERNAL_ERROR, keys.ABSENT)
    assert keys.close(table, 0, keep=False) == table


def test_init_data_names_its_keys_by_itself() -> None:
    assert kids_of("keyids", b'{"kids":["AQEBAQEBAQEBAQEBAQEBAQ"]}') == (A,)
    assert kids_of("keyids", b"[") == kids_of("cenc", b"\x00") == kids_of("webm", b"abc") == ()


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.sampled_from(KeyStatus)), max_size=6))
def test_a_status_of_the_cdm_replaces_any_other_whatever_came_before(reports: list[tuple[KeyId, KeyStatus]]) -> None:
    table = requested(A, B, C)
    for kid, status in reports:
        table = keys.report(table, 0, ((kid, status),))
        held = keys.find(table, kid)
        assert held is not None
        assert held.status.value == status.value
    assert [entry.kid for entry in table] == [A, B, C]
