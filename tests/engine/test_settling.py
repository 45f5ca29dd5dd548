"""Answers of the CDM that the engine holds for a modelled latency."""

from __future__ import annotations

import pytest

from player.chance import Draw
from player.drm.cause import Cause
from player.drm.init_data import InitData, Origin
from player.eme import table
from player.eme.cdm import GenerateRequest, Handled, SessionChange, Update, Wake
from player.eme.events import KeyStatusesChanged, Settled
from player.eme.status import KeyStatus, MessageType
from player.engine.actions import CdmCall, CdmDone
from player.engine.exchange import Exchange
from player.engine.machine import Machine
from player.engine.profile import Profile
from player.engine.spec import VIRTUAL_CDM, PlayerSpec
from player.ids import KeyId, Pool

KID = KeyId(b"0123456789abcdef")
INIT_DATA = InitData(type="webm", data=bytes(KID), kids=(KID,), origin=Origin.MPD)


@pytest.mark.rule("N002")
def test_the_cdm_never_overtakes_an_answer_that_is_held(ideal: Profile) -> None:
    spec = PlayerSpec(mpd_url="http://origin.test/live.mpd", profile=ideal, cdm_latency=VIRTUAL_CDM)
    machine = Machine(spec, Pool(), Draw(1, 0), epoch_us=0, wanted=frozenset({Settled, KeyStatusesChanged}))
    update = _update(machine)
    usable = SessionChange(slot=0, statuses=((KID, KeyStatus.USABLE),))
    machine.receive(CdmDone(update, Handled(changes=(usable,))), 10)
    machine.eme.cdm_due = 11
    machine.handle_deadline(11)
    assert [action for action in machine.actions(11) if isinstance(action, CdmCall)] == []
    settles_at = 10 + VIRTUAL_CDM.update_us
    assert machine.deadline() == settles_at
    machine.handle_deadline(settles_at)
    assert [type(machine.next_event()) for _ in range(2)] == [Settled, KeyStatusesChanged]
    assert [action.call for action in machine.actions(settles_at) if isinstance(action, CdmCall)] == [Wake()]


def _update(machine: Machine) -> Update:
    """A callable session whose license is with the CDM."""
    slot = table.create_session(machine.eme, machine.pool)
    call = table.generate_request(machine.eme, machine.pool, slot, INIT_DATA.type, INIT_DATA.data)
    assert isinstance(call, GenerateRequest)
    table.settle(machine.eme, machine.pool, call, Handled(message=(MessageType.LICENSE_REQUEST, b"{}")))
    machine.exchanges = (Exchange(slot, INIT_DATA, Cause.START, 0),)
    update = table.update(machine.eme, machine.pool, slot, b"{}")
    assert isinstance(update, Update)
    return update
