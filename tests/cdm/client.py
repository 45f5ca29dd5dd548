"""One client: its sessions and a real CDM, called at once as the inline driver does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from player.cdm.emulated import EmulatedCdm
from player.cdm.make import KEY_SYSTEMS, make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import MILLISECOND, VIRTUAL_EPOCH_US
from player.eme import table, tasks
from player.eme.cdm import (
    Close,
    Decrypt,
    Decrypted,
    DeviceCall,
    GenerateRequest,
    Handled,
    Remove,
    SessionCall,
    Statuses,
    Update,
    Wake,
)
from player.eme.events import Message, Output, Settled
from player.eme.session import Session
from player.eme.status import KeyStatus
from player.errors import EmeError
from player.ids import CLEARKEY, HIERARCHY, HIERARCHY_SYSTEM, ContentKey, KeyId, Pool
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.isobmff.sample import Protection, Sample, Scheme
from player.wire import blob, clearkey, hierarchy, keyids
from player.wire.blob import LeafKey
from player.wire.hierarchy import License, LicenseKey, Policy, Use

T = TypeVar("T", GenerateRequest, Update, Close)

NO_POLICY = Policy()
EPOCH_MS = VIRTUAL_EPOCH_US // MILLISECOND
EMBEDDED = CdmSpec(features=("embedded_keys",))


def kid(number: int) -> KeyId:
    return KeyId.cenc(number.to_bytes(16, "big"))


def key(number: int) -> ContentKey:
    return ContentKey((number + 1000).to_bytes(16, "big"))


ROOT = 900


class Client:
    """Calls give what a page sees of them; a call that fails raises its error."""

    def __init__(self, key_system: str = CLEARKEY, spec: CdmSpec | None = None, pool: Pool | None = None) -> None:
        self.pool = Pool() if pool is None else pool
        self.state = table.State(supports=KEY_SYSTEMS[key_system])
        self.cdm = make(key_system, CdmSpec() if spec is None else spec, self.pool, VIRTUAL_EPOCH_US)
        self.now = 0
        self.draw = Draw(1, 1)
        self.told: tuple[Output, ...] = ()  # what decryptions have changed

    @property
    def inner(self) -> EmulatedCdm:
        assert isinstance(self.cdm, EmulatedCdm)
        return self.cdm

    def call(self, call: SessionCall | DeviceCall) -> tuple[Output, ...]:
        handled = self.cdm.handle(call, self.now, self.draw)
        assert isinstance(handled, Handled)
        return seen(table.settle(self.state, self.pool, call, handled))

    def request(self, init_data: bytes, init_data_type: str = "cenc") -> tuple[Output, ...]:
        """createSession and generateRequest; the new session is the last of the table."""
        slot = table.create_session(self.state, self.pool)
        return self.call(self._token(table.generate_request(self.state, self.pool, slot, init_data_type, init_data)))

    def ask(self, *numbers: int) -> int:
        """A session that asks for these keys; its slot."""
        self.request(keyids.write(map(kid, numbers)), "keyids")
        return self.newest

    def update(self, slot: int, response: bytes) -> tuple[Output, ...]:
        return self.call(self._token(table.update(self.state, self.pool, slot, response)))

    def close(self, slot: int) -> tuple[Output, ...]:
        call = table.close(self.state, self.pool, slot)
        return () if call is None else self.call(self._token(call))

    def remove(self, slot: int) -> tuple[Output, ...]:
        return self.call(Remove(slot, table.session_number(self.state, self.row(slot))))

    def wait(self, now: int) -> tuple[Output, ...]:
        """Let time pass, with the wake-ups that the CDM has asked for."""
        outputs: tuple[Output, ...] = ()
        while self.state.cdm_due is not None and self.state.cdm_due <= now:
            self.now, self.state.cdm_due = self.state.cdm_due, None
            outputs += self.call(Wake())
        self.now = now
        return outputs

    def decrypt(self, *numbers: int) -> Decrypted:
        """One sample of 16 zero bytes under each of these keys."""
        buffer = bytearray(16 * len(numbers))
        samples = tuple(sample(place, number) for place, number in enumerate(numbers))
        done = self.cdm.handle(Decrypt(0, buffer, samples, 0), self.now, self.draw)
        assert isinstance(done, Decrypted)
        self.told += tasks.used(self.state, self.pool, done)
        return done

    def row(self, slot: int) -> Session:
        return table.row(self.state, slot)

    @property
    def newest(self) -> int:
        return self.state.table[-1].slot

    def statuses(self, slot: int) -> dict[KeyId, str]:
        return dict(self.row(slot).statuses)

    def _token(self, given: T | EmeError | None) -> T:
        assert given is not None
        if isinstance(given, EmeError):
            raise given
        return given


def seen(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Raises the error of a call that was refused; then it is all that is told."""
    for output in outputs:
        if isinstance(output, Settled) and output.error is not None:
            assert outputs == (output,), "refused, and yet something is told"
            raise output.error
    return outputs


def sample(place: int, number: int) -> Sample:
    protection = Protection(scheme=Scheme.CENC, kid=kid(number), iv_size=8)
    return Sample(16 * place, 16, 1, protection, bytes(8), ())


def jwk_set(*numbers: int, shift: int = 0) -> bytes:
    """A Clear Key license; `shift` gives other values for the same ids."""
    return clearkey.write_license((kid(number), key(number + shift)) for number in numbers)


def license_(*numbers: int, root: int | None = None, starts_ms: int | None = None, policy: Policy = NO_POLICY) -> bytes:
    """A license of the hierarchy system for content keys and perhaps a root key; times in ms after the epoch."""
    uses = [(number, Use.CONTENT) for number in numbers] + ([] if root is None else [(root, Use.WRAP)])
    nbf_ms = None if starts_ms is None else EPOCH_MS + starts_ms
    keys = tuple(
        LicenseKey(kid=kid(number), key=key(number), use=use, nbf_ms=nbf_ms, output=policy.output)
        for number, use in uses
    )
    return hierarchy.write_license(License(keys=keys, policy=policy))


def root_box(root: int = ROOT) -> bytes:
    return pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(kid(root),)))


def leaf_box(
    *numbers: int, root: int = ROOT, start_ms: int = 0, end_ms: int = 0, policy: Policy | None = None
) -> bytes:
    """Init data with these content keys wrapped under a root key; times in ms after the epoch, 0: open."""
    begin, end = (EPOCH_MS + at if at else 0 for at in (start_ms, end_ms))
    leaves = [LeafKey(kid(number), key(number), begin, end) for number in numbers]
    data = blob.seal(kid(root), key(root), leaves, policy)
    return pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=tuple(map(kid, numbers)), data=data))


def with_root(spec: CdmSpec = EMBEDDED, pool: Pool | None = None, policy: Policy = NO_POLICY) -> tuple[Client, int]:
    """A client of the hierarchy system that holds the root key, and the slot of its session."""
    client = Client(HIERARCHY, spec, pool)
    client.request(root_box())
    slot = client.newest
    client.update(slot, license_(root=ROOT, policy=policy))
    return client, slot


def names(outputs: Iterable[Output]) -> list[tuple[str, int]]:
    return [(output.name.removeprefix("eme:"), output.session.slot) for output in outputs]


def messages(outputs: Iterable[Output]) -> list[bytes]:
    return [output.message for output in outputs if isinstance(output, Message)]


def usable(*numbers: int) -> Statuses:
    return tuple((kid(number), KeyStatus.USABLE) for number in numbers)
