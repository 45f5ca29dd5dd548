"""Does this init data need a request? Dedupe, embedded keys, scope; and no known key is asked for twice."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from player.drm import keys
from player.drm.announce import Answer, Ask, Skip, SkipReason, Wait, judge
from player.drm.init_data import InitData, Origin, Unit, from_boxes, second_boxes
from player.drm.keys import ExtendedStatus
from player.drm.profile import LicenseScope
from player.drm.scope import Layout, Listed, covered
from player.eme.status import KeyStatus
from player.engine.profile import Profile, parse
from player.ids import COMMON_SYSTEM, HIERARCHY, HIERARCHY_SYSTEM, KeyId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh

SD, HD, AU, NEXT, LEAF, ROOT = (KeyId(bytes([n]) * 16) for n in range(1, 7))
LAYOUT: Layout = (
    Listed("p0", "video", "v1", SD),
    Listed("p0", "video", "v2", HD),
    Listed("p0", "audio", "a1", AU),
    Listed("p1", "video", "v1", NEXT),
    Listed("p1", "audio", "a1", AU),  # shared with p0: one license covers both Periods
    Listed("p2", "video", "v1", ROOT),
)
VIDEO = Unit("p0", "video", "v1")


@cache
def ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


def init_data(*kids: KeyId, unit: Unit | None = VIDEO, root: KeyId | None = None) -> InitData:
    return InitData(type="keyids", data=b"", kids=kids, origin=Origin.MPD, unit=unit, root=root)


def answer(data: InitData, table: keys.Table = (), layout: Layout = LAYOUT) -> Answer:
    return judge(data, table, layout, ideal().scope, ideal().status)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (LicenseScope.INIT_DATA, {SD}),
        (LicenseScope.REPRESENTATION, {SD}),
        (LicenseScope.ADAPTATION, {SD, HD}),
        (LicenseScope.PERIOD, {SD, HD, AU, NEXT}),
        (LicenseScope.MEDIA, {SD, HD, AU, NEXT, ROOT}),
    ],
)
def test_what_a_license_is_taken_to_cover(scope: LicenseScope, expected: set[KeyId]) -> None:
    assert set(covered(scope, init_data(SD), LAYOUT)) == expected


def test_a_key_that_the_manifest_does_not_list_belongs_to_no_scope_unit() -> None:
    assert covered(LicenseScope.PERIOD, init_data(LEAF), LAYOUT) == (LEAF,)
    assert set(covered(LicenseScope.MEDIA, init_data(LEAF), LAYOUT)) == {LEAF, SD, HD, AU, NEXT, ROOT}


def test_keys_in_the_extent_of_a_request_in_flight_are_not_asked_for() -> None:
    asked = answer(init_data(SD))
    assert isinstance(asked, Ask)
    table = keys.request((), asked.covers, 0, "request")
    assert answer(init_data(AU), table) == Skip(SkipReason.IN_FLIGHT, slot=0)


def test_a_later_period_that_a_license_should_have_covered_is_refused_without_a_request() -> None:
    table = keys.report((), 0, ((SD, KeyStatus.USABLE), (AU, KeyStatus.USABLE)))
    later = answer(init_data(NEXT, unit=Unit("p1", "video", "v1")), table)
    assert isinstance(later, Skip)
    assert later.reason is SkipReason.SCOPE
    assert set(later.disallowed) == {NEXT, HD}


def test_a_key_that_was_refused_is_not_asked_for_again() -> None:
    table = keys.settle(keys.request((), (SD,), 0, "request"), 0, ExtendedStatus.DISALLOWED, "absent")
    assert answer(init_data(SD), table) == Skip(SkipReason.DISALLOWED, slot=0)


@pytest.mark.rule("decisions:D75")
def test_a_leaf_waits_while_its_root_is_on_the_way() -> None:
    leaf = init_data(LEAF, unit=None, root=ROOT)
    on_the_way = keys.request((), (ROOT,), 0, "request")
    assert answer(leaf, on_the_way) == Wait()
    there = keys.report(on_the_way, 0, ((ROOT, KeyStatus.USABLE),))
    assert answer(leaf, there) == Ask((LEAF,))
    assert answer(leaf) == Ask((LEAF,))  # no root asked for: the CDM asks for it


def test_init_data_without_key_ids_leads_to_nothing() -> None:
    assert answer(init_data()) == Skip(SkipReason.EMPTY)


class Asking(RuleBasedStateMachine):
    """Random announcements, licenses and closings: no request ever names only keys that are usable or refused."""

    def __init__(self) -> None:
        super().__init__()
        self.table: keys.Table = ()
        self.slots = 0

    @rule(kids=st.lists(st.sampled_from([SD, HD, AU, NEXT, LEAF]), min_size=1, max_size=3, unique=True))
    def announce(self, kids: list[KeyId]) -> None:
        data = init_data(*kids)
        before = {entry.kid: entry.status for entry in self.table}
        match answer(data, self.table):
            case Ask(covers):
                assert any(before.get(kid, ExtendedStatus.UNKNOWN) in keys.MAY_BE_ASKED for kid in kids)
                assert set(kids) <= set(covers)
                self.table = keys.request(self.table, covers, self.slots, "request")
                self.slots += 1
            case Skip(_, disallowed, slot):
                self.table = keys.disallow(self.table, disallowed, slot, "scope")
            case Wait():
                assert ExtendedStatus.REQUESTED in before.values()  # the unit's own license may bring the rest

    @rule(data=st.data())
    def license(self, data: st.DataObject) -> None:
        pending = sorted({e.slot for e in self.table if e.status is ExtendedStatus.REQUESTED})
        if not pending:
            return
        slot = data.draw(st.sampled_from(pending))
        asked = [e.kid for e in self.table if e.slot == slot and e.status is ExtendedStatus.REQUESTED]
        given = data.draw(st.lists(st.sampled_from(asked), unique=True))
        self.table = keys.report(self.table, slot, tuple((kid, KeyStatus.USABLE) for kid in sorted(given)))
        self.table = keys.settle(self.table, slot, ExtendedStatus.DISALLOWED, "absent")

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        if self.slots:
            self.table = keys.close(self.table, data.draw(st.integers(0, self.slots - 1)), keep=False)

    @invariant()
    def keys_are_sorted_and_unique(self) -> None:
        kids = [entry.kid for entry in self.table]
        assert kids == sorted(set(kids))


TestAsking = Asking.TestCase


@pytest.mark.rule("ID07")
def test_a_second_box_of_one_system_is_not_used_and_not_forgotten() -> None:
    boxes = [
        pssh.write(Pssh(version=1, system_id=system, key_ids=(KeyId.cenc(bytes([number]) * 16),)))
        for number, system in enumerate((HIERARCHY_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM, COMMON_SYSTEM))
    ]
    assert second_boxes(b"".join(boxes)) == (KeyId(b"\2" * 16), KeyId(b"\3" * 16))
    assert second_boxes(boxes[0] + boxes[1]) == ()
    found = from_boxes(HIERARCHY, b"".join(boxes), Origin.MPD, None)
    assert found is not None
    assert found.kids == (KeyId(bytes(16)),)
