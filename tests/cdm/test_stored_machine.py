"""Stored sessions of many kinds at once, by hypothesis: a record that was saved is never lost, and tells the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND
from player.eme.cdm import Destroyed, Lost
from player.eme.errors import EmeTypeError
from player.eme.events import Message
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.errors import LicenseError
from player.ids import CLEARKEY, HIERARCHY
from player.wire import keyids, release, stored_session
from tests.cdm.client import EPOCH_MS, kid
from tests.cdm.visitor import LICENSE, RECORD, Visitor, license_for, released

ACCURACY_MS = 10_000


@dataclass
class Kept:
    """What the model knows of a stored session. `slot` None: it is not open."""

    kind: SessionType
    slot: int | None
    numbers: set[int] = field(default_factory=set)
    released: bool = False
    first: int | None = None  # µs of the run
    latest: int | None = None
    record: bytes | None = None  # while it is not open


class StoredSessions(RuleBasedStateMachine):
    kept: Bundle[Kept] = Bundle("kept")

    @initialize(system=st.sampled_from([CLEARKEY, HIERARCHY]))
    def begin(self, system: str) -> None:
        self.system = system
        self.all: list[Kept] = []
        self.now = 0
        self.visit()

    def visit(self) -> None:
        self.visitor = Visitor(self.system, CdmSpec(features=("persistent_usage_record",)))
        self.visitor.now = self.now

    @rule(target=kept, kind=st.sampled_from([LICENSE, RECORD]), number=st.integers(1, 4))
    def create(self, kind: SessionType, number: int) -> Kept:
        it = Kept(kind, self.visitor.create(kind, number), {number})
        self.visitor.update(it.slot or 0, license_for(self.system, kind, number))
        self.all.append(it)
        return it

    @rule(it=kept, number=st.integers(1, 4))
    def update(self, it: Kept, number: int) -> None:
        if it.slot is None:
            return
        body = license_for(self.system, it.kind, number)
        if it.released:
            with pytest.raises(EmeTypeError):
                self.visitor.update(it.slot, body)
        else:
            self.visitor.update(it.slot, body)
            it.numbers.add(number)

    @rule(number=st.integers(1, 4))
    def play(self, number: int) -> None:
        slots = [it.slot for it in self.visitor.inner.ring if any(key.kid == kid(number) for key in it.keys)]
        self.visitor.play(number)
        if slots:
            (serving,) = [it for it in self.all if it.slot == slots[-1]]
            serving.first = self.now if serving.first is None else serving.first
            serving.latest = self.now

    @rule(ms=st.one_of(st.integers(0, 30_000), st.integers(0, 10_000_000)))
    def wait(self, ms: int) -> None:
        self.now += ms * MILLISECOND
        self.visitor.wait(self.now)

    @rule(it=kept)
    def remove(self, it: Kept) -> None:
        if it.slot is None:
            return
        (sent,) = [output.message for output in self.visitor.remove(it.slot) if isinstance(output, Message)]
        it.released = True
        assert set(release.read(sent).kids) == set(map(kid, it.numbers))
        assert self.visitor.statuses(it.slot) == released(*it.numbers)

    @rule(it=kept)
    def close(self, it: Kept) -> None:
        if it.slot is not None:
            self.visitor.close(it.slot)
            self.leave([it])

    @rule(it=kept)
    def load(self, it: Kept) -> None:
        if it.record is None:
            return
        self.visitor.load(it.record, it.kind)
        it.slot = self.visitor.newest
        self.visitor.shelf[it.slot], it.record = it.record, None  # what load was given stays in the store
        it.released = it.released or it.kind is RECORD
        status = KeyStatus.RELEASED if it.released else KeyStatus.USABLE
        assert self.visitor.statuses(it.slot) == dict.fromkeys(map(kid, it.numbers), status)

    @rule(it=consumes(kept))
    def acknowledge(self, it: Kept) -> None:
        if it.slot is None or not it.released:
            return
        self.visitor.update(it.slot, keyids.write(map(kid, it.numbers)))
        assert it.slot not in self.visitor.shelf
        self.all.remove(it)

    @rule(end=st.sampled_from(["crash", "leave", "lose"]))
    def end_of_page(self, end: str) -> None:
        if end == "leave":
            self.visitor.call(Destroyed())
        elif end == "lose":
            self.visitor.call(Lost(ClosedReason.HARDWARE_CONTEXT_RESET))
        self.leave(self.all)
        self.visit()

    def leave(self, closed: list[Kept]) -> None:
        for it in closed:
            if it.slot is not None:
                it.record = self.visitor.shelf.pop(it.slot)
                it.slot = None

    @invariant()
    def every_record_is_there_and_tells_the_truth(self) -> None:
        for it in getattr(self, "all", []):
            data = it.record if it.slot is None else self.visitor.shelf[it.slot]
            stored = stored_session.read(data or b"")
            assert set(stored.kids) == set(map(kid, it.numbers))
            assert stored.type == it.kind
            if it.kind is LICENSE:
                assert bool(stored.keys) is not it.released
                continue
            assert stored.keys == ()
            times = stored.times
            assert times is not None
            assert (times.first_ms is None) == (it.first is None)
            for told, true in ((times.first_ms, it.first), (times.latest_ms, it.latest)):
                if told is not None and true is not None:
                    assert abs(told - EPOCH_MS - true / MILLISECOND) <= ACCURACY_MS


StoredSessions.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestStoredSessions = pytest.mark.rule("UR09")(pytest.mark.rule("ST02")(StoredSessions.TestCase))


RECORDS = [(system, kind) for system in (CLEARKEY, HIERARCHY) for kind in (LICENSE, RECORD)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDS), st.data())
def test_mutated_records_give_nothing_or_a_type_error_and_never_another_error(
    kinds: tuple[str, SessionType], data: st.DataObject
) -> None:
    system, kind = kinds
    visitor = Visitor(system)
    slot = visitor.create(kind, 1, 2)
    visitor.update(slot, license_for(system, kind, 1, 2))
    visitor.play(1)
    raw = bytearray(visitor.shelf[slot])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                raw[place] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[place : place + data.draw(st.integers(1, 8))]
            case _:
                raw[place:place] = data.draw(st.binary(max_size=8))
    other = Visitor(system)
    try:
        other.load(bytes(raw), kind)
    except EmeTypeError:
        assert other.inner.ring == ()


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=40).map(str.encode)))
def test_bytes_that_are_no_record_are_refused_with_the_one_error(raw: bytes) -> None:
    with pytest.raises(LicenseError):
        stored_session.read(raw)
