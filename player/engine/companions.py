"""Sessions that only open a channel: for devices that want each key id asked for before its samples, whatever license
brought its key (RxPlayer issue 863).

A companion's message is dropped and it is never updated. It counts in the device's limit of sessions and in the
profile's; it goes with the session that holds its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.drm import keys as table
from player.drm.init_data import InitData, kids_of
from player.drm.keys import ExtendedStatus
from player.eme import table as eme
from player.eme.session import CALLABLE, REQUESTING, Session
from player.engine import keys
from player.engine.actions import CdmCall
from player.errors import EmeError
from player.ids import KeyId

if TYPE_CHECKING:
    from player.engine.machine import Machine


def open_channel(m: Machine, init_data: InitData) -> None:
    """The init data needs no license of its own; its keys may need a channel."""
    if not m.spec.element.channel_per_key or not any(_lacks_channel(m, kid) for kid in init_data.kids):
        return
    keys.make_room(m)
    try:
        slot = eme.create_session(m.eme, m.pool)
    except EmeError:
        return  # no room: the key stays without a channel, and playback tells
    call = eme.generate_request(m.eme, m.pool, slot, init_data.type, init_data.data)
    if isinstance(call, EmeError):
        eme.drop(m.eme, m.pool, slot)
    else:
        m.act(CdmCall(call))


def _lacks_channel(m: Machine, kid: KeyId) -> bool:
    """A refused key needs none: no sample will come for it, and a channel takes the place of a session."""
    entry = table.find(m.drm.keys, kid)
    refused = entry is not None and entry.status is ExtendedStatus.DISALLOWED
    return not refused and not any(kid in _named(m, row) for row in m.eme.table if row.state in (CALLABLE, REQUESTING))


def _named(m: Machine, row: Session) -> tuple[KeyId, ...]:
    kids: tuple[KeyId, ...] = m.pool.remember(kids_of, row.init_data_type, row.init_data)
    return kids


def held_by(m: Machine, owner: Session) -> tuple[KeyId, ...]:
    """Keys that a session answers for; asked before it is forgotten."""
    if not m.spec.element.channel_per_key:
        return ()
    return tuple(entry.kid for entry in m.drm.keys if entry.slot == owner.slot)


def close_with(m: Machine, kids: tuple[KeyId, ...]) -> None:
    """The session that held these keys is closed: so are the channels for them."""
    for row in m.eme.table if kids else ():
        is_companion = row.slot not in m.drm.order and row.state is CALLABLE
        if is_companion and set(_named(m, row)) <= set(kids) and not _is_held(m, row):
            keys.close_session(m, row.slot)


def _is_held(m: Machine, row: Session) -> bool:
    held = [table.find(m.drm.keys, kid) for kid in _named(m, row)]
    return any(entry is not None and entry.slot in m.drm.order for entry in held)
