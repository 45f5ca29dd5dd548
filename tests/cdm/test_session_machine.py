"""Any order of calls, licenses good and bad, and passing time: sessions never reach a state that must not be."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from player.cdm.ring import find
from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND
from player.eme import table
from player.eme.cdm import DisplayChanged, Lost
from player.eme.errors import EmeTypeError
from player.eme.session import SessionState
from player.eme.status import ClosedReason, KeyStatus
from player.errors import EmeError
from player.ids import HIERARCHY
from player.wire.hierarchy import Output, Policy
from tests.cdm.client import EPOCH_MS, ROOT, Client, kid, leaf_box, license_, root_box

slots = st.integers(0, 6)
numbers = st.integers(1, 5)
lives_ms = st.none() | st.integers(1, 50)
outputs = st.none() | st.sampled_from([Output.HDCP_1_4, Output.HDCP_2_2])


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.client = Client(HIERARCHY, CdmSpec(features=("embedded_keys",), downscale_hdcp="1.4"))

    @property
    def now_ms(self) -> int:
        return self.client.now // MILLISECOND

    @rule(number=numbers)
    def ask_for_a_key(self, number: int) -> None:
        self.client.ask(number)

    @rule()
    def ask_for_the_root(self) -> None:
        self.client.request(root_box())

    @rule(number=numbers, life_ms=lives_ms)
    def meet_embedded_keys(self, number: int, life_ms: int | None) -> None:
        end_ms = 0 if life_ms is None else self.now_ms + life_ms
        outputs = self.client.request(leaf_box(number, end_ms=end_ms))
        slot = self.client.newest
        assert (self.client.row(slot).parent is None) == any(output.name == "eme:message" for output in outputs)

    @rule(slot=slots, number=numbers, life_ms=lives_ms, renew_ms=lives_ms, output=outputs, root=st.booleans())
    def license(
        self, slot: int, number: int, life_ms: int | None, renew_ms: int | None, output: Output | None, root: bool
    ) -> None:
        end_ms, renew_at_ms = (None if it is None else EPOCH_MS + self.now_ms + it for it in (life_ms, renew_ms))
        policy = Policy(exp_ms=end_ms, renew_at_ms=renew_at_ms, output=output)
        response = license_(number, root=ROOT if root else None, policy=policy)
        row = table.find(self.client.state, slot)
        try:
            self.client.update(slot, response)
        except EmeTypeError:
            assert row is not None
            assert row.parent is not None
        except EmeError:
            assert row is None or row.state is not SessionState.CALLABLE
        else:
            assert kid(number) in self.client.statuses(slot)

    @rule(slot=slots, damaged=st.sampled_from([b"{}", b"[]", b"\xff", license_(1)[:-1], license_(1) + b"x"]))
    def damaged_license(self, slot: int, damaged: bytes) -> None:
        before = (self.client.state.table, self.client.state.ends, self.client.inner.ring, self.client.inner.terms)
        try:
            self.client.update(slot, damaged)
        except EmeError:
            after = (self.client.state.table, self.client.state.ends, self.client.inner.ring, self.client.inner.terms)
            assert all(one is other for one, other in zip(before, after, strict=True))
        else:
            raise AssertionError("a damaged license was taken")

    @rule(data=st.sampled_from([b"junk", leaf_box(1)[:-1]]))
    def malformed_init_data(self, data: bytes) -> None:
        made = self.client.state.sessions_made
        try:
            self.client.request(data)
        except EmeTypeError:
            spent = self.client.newest
            assert self.client.row(spent).state is SessionState.SPENT
            table.drop(self.client.state, self.client.pool, spent)
        assert self.client.state.sessions_made == made + 1

    @precondition(lambda self: self.client.state.table)
    @rule(slot=slots)
    def close(self, slot: int) -> None:
        children = [row.slot for row in self.client.state.table if row.parent == slot]
        self.client.close(slot)
        for closed in (slot, *children):
            assert table.find(self.client.state, closed) is None
            assert find(self.client.inner.ring, closed) is None

    @precondition(lambda self: self.client.state.table)
    @rule(slot=slots)
    def remove(self, slot: int) -> None:
        row = table.find(self.client.state, slot)
        if row is None:
            return
        family = [slot, *(it.slot for it in self.client.state.table if it.parent == slot)]
        before = {it.slot: it.statuses for it in self.client.state.table}
        self.client.remove(slot)
        for it in self.client.state.table:
            if it.slot in family:
                assert set(self.client.statuses(it.slot).values()) <= {KeyStatus.RELEASED}
                assert self.client.statuses(it.slot).keys() == dict(before[it.slot]).keys()
            else:
                assert it.statuses == before[it.slot]

    @rule(hdcp=st.sampled_from(["", "1.4", "2.3"]))
    def attach_another_display(self, hdcp: str) -> None:
        self.client.call(DisplayChanged(hdcp))

    @rule()
    def reset_the_hardware(self) -> None:
        self.client.call(Lost(ClosedReason.HARDWARE_CONTEXT_RESET))
        assert self.client.state.table == self.client.inner.ring == ()
        assert self.client.inner.terms is None

    @rule(us=st.integers(1, 60 * MILLISECOND))
    def let_time_pass(self, us: int) -> None:
        self.client.wait(self.client.now + us)

    @invariant()
    def every_session_is_callable_and_known_to_the_cdm(self) -> None:
        assert all(row.state is SessionState.CALLABLE for row in self.client.state.table)
        assert {row.slot for row in self.client.state.table} == {it.slot for it in self.client.inner.ring}

    @invariant()
    def slots_are_distinct_and_numbers_rise(self) -> None:
        rows = self.client.state.table
        assert len({row.slot for row in rows}) == len(rows)
        made = [table.session_number(self.client.state, row) for row in rows]
        assert made == sorted(set(made))

    @invariant()
    def every_parent_is_open_and_no_child_outlives_its_root(self) -> None:
        for row in self.client.state.table:
            if row.parent is not None:
                assert table.find(self.client.state, row.parent) is not None
            if row.parent is not None and set(dict(row.statuses).values()) - {KeyStatus.RELEASED}:
                end, roots = (table.expiration_ms(self.client.state, slot) for slot in (row.slot, row.parent))
                assert table.find(self.client.state, row.parent) is not None
                assert not roots or 0 < end <= roots

    @invariant()
    def the_page_sees_what_the_cdm_holds(self) -> None:
        at = self.client.inner.at(self.client.now)
        for session in at.ring:
            assert self.client.row(session.slot).statuses == at.statuses(session)
            assert table.expiration_ms(self.client.state, session.slot) == at.end_of(session)

    @invariant()
    def a_key_decrypts_if_and_only_if_some_session_has_it_usable(self) -> None:
        opens = (KeyStatus.USABLE, KeyStatus.OUTPUT_DOWNSCALED)
        shown = {it for row in self.client.state.table for it, status in row.statuses if status in opens}
        for number in range(1, 6):
            assert (self.client.decrypt(number).clear == 1) == (kid(number) in shown)

    @invariant()
    def expired_means_the_whole_session_and_an_end_in_the_past(self) -> None:
        wall_us = self.client.inner.wall(self.client.now)
        assert wall_us is not None
        for row in self.client.state.table:
            held = (status for _, status in row.statuses if status is not KeyStatus.RELEASED)
            expired = {status is KeyStatus.EXPIRED for status in held}
            assert len(expired) < 2
            if True in expired:
                assert table.expiration_ms(self.client.state, row.slot) * MILLISECOND < wall_us


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
