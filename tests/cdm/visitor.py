"""A page visit: a client with a real CDM whose records go to a shelf, by number of session, and come back by load."""

from __future__ import annotations

from player.cdm.make import key_systems
from player.cdm.spec import CdmSpec
from player.eme import table
from player.eme.cdm import DeviceCall, Handled, Load, Record, SessionCall
from player.eme.events import Output
from player.eme.status import KeyStatus, SessionType
from player.ids import CLEARKEY, KeyId, Pool
from player.wire import clearkey, keyids, stored_session
from player.wire.hierarchy import Policy
from player.wire.stored_session import StoredSession
from tests.cdm.client import Client, key, kid, license_, seen

USAGE = CdmSpec(features=("persistent_usage_record",))
LICENSE, RECORD = SessionType.PERSISTENT_LICENSE, SessionType.PERSISTENT_USAGE_RECORD


class Visitor(Client):
    """`shelf`: what is stored, by slot; every record is there before anything else of its answer is seen."""

    def __init__(self, key_system: str = CLEARKEY, spec: CdmSpec = USAGE, pool: Pool | None = None) -> None:
        super().__init__(key_system, spec, pool)
        self.state.supports = key_systems(spec)[key_system]
        self.shelf: dict[int, bytes] = {}
        self.writes = 0

    def call(self, call: SessionCall | DeviceCall) -> tuple[Output, ...]:
        handled = self.cdm.handle(call, self.now, self.draw)
        assert isinstance(handled, Handled)
        self.save(handled.records)
        return seen(table.settle(self.state, self.pool, call, handled))

    def save(self, records: tuple[Record, ...]) -> None:
        for record in records:
            self.writes += 1
            if record.data is None:
                del self.shelf[record.slot]
            else:
                stored_session.read(record.data)
                self.shelf[record.slot] = record.data

    def create(self, session_type: SessionType, *numbers: int) -> int:
        """A session of this type that asks for these keys; its slot."""
        slot = table.create_session(self.state, self.pool, session_type)
        call = table.generate_request(self.state, self.pool, slot, "keyids", keyids.write(map(kid, numbers)))
        self.call(self._token(call))
        return slot

    def load(self, record: bytes, session_type: SessionType) -> tuple[Output, ...]:
        """createSession and load; the new session is the last of the table."""
        slot = table.create_session(self.state, self.pool, session_type)
        table.load(self.state, self.pool, slot, "1")
        number = table.session_number(self.state, self.row(slot))
        return self.call(Load(slot, number, session_type, record))

    def play(self, *numbers: int) -> None:
        """Decrypt samples under these keys."""
        self.save(self.decrypt(*numbers).records)

    def stored(self, slot: int) -> StoredSession:
        return stored_session.read(self.shelf[slot])


def license_for(system: str, session_type: SessionType, *numbers: int) -> bytes:
    """A license with these keys that a session of this type takes."""
    if system == CLEARKEY:
        return clearkey.write_license(((kid(it), key(it)) for it in numbers), session_type)
    return license_(*numbers, policy=Policy(persist=session_type is LICENSE))


def released(*numbers: int) -> dict[KeyId, str]:
    return {kid(it): KeyStatus.RELEASED for it in numbers}
