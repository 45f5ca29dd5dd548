"""What must hold whatever bytes come in as a license, an acknowledgement, a stored record, init data or a certificate.

Each is taken, or refused with one of the errors that EME names; refused means that nothing changed and nothing was
told, and what is good is still taken afterwards. `tools/fuzz` tries it, and so do thousands of mutants by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from player.cdm.spec import CdmSpec
from player.eme import table
from player.eme.cdm import GenerateRequest, Handled, SetServerCertificate
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.session import CALLABLE, SPENT
from player.eme.status import SessionType
from player.errors import EmeError
from player.ids import CLEARKEY, COMMON_SYSTEM, HIERARCHY
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import keyids, release, stored_session
from player.wire.hierarchy import Policy
from player.wire.release import Times
from player.wire.stored_session import StoredKey, StoredSession
from tests.cdm.client import EPOCH_MS, ROOT, key, kid, leaf_box, license_, root_box
from tests.cdm.visitor import LICENSE, RECORD, Visitor, license_for
from tests.crypto.certificates import self_signed

TEMPORARY: Final = SessionType.TEMPORARY
SYSTEMS: Final = (CLEARKEY, HIERARCHY)
DEVICE: Final = CdmSpec(features=("embedded_keys", "persistent_usage_record"))
TIMES: Final = Times(first_ms=EPOCH_MS, latest_ms=EPOCH_MS + 1000)
HURRIED: Final = Policy(exp_ms=EPOCH_MS + 60_000, nbf_ms=EPOCH_MS, renew_at_ms=EPOCH_MS + 30_000)


class Door(NamedTuple):
    """A way in. `give` tells whether bytes were taken; `good` are such, `refusals` all the errors that there may be."""

    good: tuple[bytes, ...]
    open: Callable[[], Visitor]
    give: Callable[[Visitor, bytes], bool]
    refusals: tuple[type[EmeError], ...] = (EmeTypeError,)


class Trial:
    """Bytes through one door, one after the other. A client that has refused all goes on as if nothing had been."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.visitor = door.open()

    def __call__(self, data: bytes) -> bool:
        """Whether they were taken."""
        visitor, before = self.visitor, situation(self.visitor)
        try:
            taken = self.door.give(visitor, data)
        except self.door.refusals:
            taken = False
        check(visitor)
        if taken:
            self.visitor = self.door.open()
        else:
            forget_spent(visitor)
            assert situation(visitor) == before, "refused, and not without a trace"
        return taken

    def is_as_good_as_new(self) -> bool:
        return all(self(good) for good in self.door.good)


def situation(visitor: Visitor) -> object:
    """All that a client has. Sessions by their number: one that was made in vain is counted, and no more."""
    state, cdm = visitor.state, visitor.inner
    rows = [(table.session_number(state, row), replace(row, back=1)) for row in state.table]
    return rows, state.ends, state.cdm_due, cdm.ring, cdm.terms, cdm.usages, cdm.device, dict(visitor.shelf)


def forget_spent(visitor: Visitor) -> None:
    for row in visitor.state.table:
        if row.state is SPENT:
            table.drop(visitor.state, visitor.pool, row.slot)


def check(visitor: Visitor) -> None:
    """What is shown is sound: every map in its order, without a key id twice, and the CDM knows each open session."""
    held = {session.slot for session in visitor.inner.ring}
    for row in visitor.state.table:
        kids = [named for named, _ in row.statuses]
        assert kids == sorted(set(kids)), "a map out of order"
        assert row.state is not CALLABLE or row.slot in held, "a session of which the CDM knows nothing"


# ── licenses and acknowledgements ────────────────────────────────────────────────────────────────────────────────────


def asking(system: str, session_type: SessionType) -> Visitor:
    """A session that has a key and asks for more."""
    visitor = Visitor(system, DEVICE)
    slot = visitor.create(session_type, 1, 2)
    visitor.update(slot, license_for(system, session_type, 1))
    return visitor


def asking_for_root() -> Visitor:
    visitor = Visitor(HIERARCHY, DEVICE)
    visitor.request(leaf_box(1, 2))
    return visitor


def removed(system: str, session_type: SessionType) -> Visitor:
    """A session that waits for the acknowledgement of its release."""
    visitor = asking(system, session_type)
    visitor.play(1)
    visitor.remove(visitor.newest)
    return visitor


def update(visitor: Visitor, response: bytes) -> bool:
    visitor.update(visitor.newest, response)
    return True


def licenses(system: str, session_type: SessionType) -> Door:
    good = [license_for(system, session_type, *numbers) for numbers in ((1, 2), (2, 3, 4))]
    if system == HIERARCHY and session_type is TEMPORARY:
        good.append(license_(1, 2, policy=HURRIED))
    return Door(tuple(good), lambda: asking(system, session_type), update)


def acknowledgements(system: str, session_type: SessionType) -> Door:
    return Door((release.write_acknowledgement([kid(1)]),), lambda: removed(system, session_type), update)


# ── stored records ───────────────────────────────────────────────────────────────────────────────────────────────────


def records(system: str, session_type: SessionType) -> Door:
    def give(visitor: Visitor, data: bytes) -> bool:
        visitor.load(data, session_type)
        return visitor.state.table[-1].state is CALLABLE

    return Door(tuple(stored(system, session_type)), lambda: asking(system, TEMPORARY), give)


def stored(system: str, session_type: SessionType) -> Iterator[bytes]:
    kids = (kid(1), kid(2))
    keeps_keys = session_type is LICENSE
    keys = (StoredKey(kid=kid(1), key=key(1), start_ms=EPOCH_MS, output="1.4"), StoredKey(kid=kid(2), key=key(2)))
    for released in (False, True):
        yield stored_session.write(
            StoredSession(
                system=system,
                type=session_type,
                kids=kids,
                released=released,
                keys=keys if keeps_keys and not released else (),
                end_ms=EPOCH_MS + 60_000 if keeps_keys and not released else 0,
                times=None if keeps_keys else TIMES,
            )
        )


# ── init data ────────────────────────────────────────────────────────────────────────────────────────────────────────


def init_data(system: str, init_data_type: str, *good: bytes) -> Door:
    def give(visitor: Visitor, data: bytes) -> bool:
        slot = table.create_session(visitor.state, visitor.pool)
        call = table.generate_request(visitor.state, visitor.pool, slot, init_data_type, data)
        if not isinstance(call, GenerateRequest):
            raise call
        visitor.call(call)
        return True

    return Door(good, lambda: with_root(system), give, (EmeTypeError, NotSupportedError))


def with_root(system: str) -> Visitor:
    visitor = asking(system, TEMPORARY)
    if system == HIERARCHY:
        visitor.request(root_box())
        visitor.update(visitor.newest, license_(root=ROOT))
    return visitor


COMMON: Final = pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(kid(1), kid(2))))


# ── server certificates ──────────────────────────────────────────────────────────────────────────────────────────────


def certify(visitor: Visitor, data: bytes) -> bool:
    handled = visitor.cdm.handle(SetServerCertificate(data), visitor.now, visitor.draw)
    assert isinstance(handled, Handled)
    assert handled.error in (None, "TypeError"), handled.error
    assert (handled.changes, handled.records, handled.message) == ((), (), None)
    return bool(handled.value)


DOORS: Final[Mapping[str, Mapping[str, Door]]] = MappingProxyType(
    {
        "licenses": {
            **{f"license {it} {kind}": licenses(it, kind) for it in SYSTEMS for kind in (TEMPORARY, LICENSE, RECORD)},
            "license of a root": Door((license_(root=ROOT), license_(3, root=ROOT)), asking_for_root, update),
            **{f"release {it} {kind}": acknowledgements(it, kind) for it in SYSTEMS for kind in (LICENSE, RECORD)},
            **{f"record {it} {kind}": records(it, kind) for it in SYSTEMS for kind in (LICENSE, RECORD)},
            "certificate": Door((self_signed(),), lambda: asking(HIERARCHY, TEMPORARY), certify),
        },
        "init-data": {
            **{f"cenc {it}": init_data(it, "cenc", COMMON, root_box() + COMMON) for it in SYSTEMS},
            **{f"keyids {it}": init_data(it, "keyids", keyids.write([kid(1), kid(2)])) for it in SYSTEMS},
            "webm": init_data(CLEARKEY, "webm", kid(1)),
            "embedded keys": init_data(HIERARCHY, "cenc", leaf_box(5), leaf_box(5, 6, policy=HURRIED), root_box()),
        },
    }
)
"""Every way in, by kind and name."""


def fuzz_targets(kind: str) -> dict[str, Callable[[bytes], None]]:
    return {name: fuzz_target(Trial(door)) for name, door in DOORS[kind].items()}


def fuzz_target(trial: Trial) -> Callable[[bytes], None]:
    def give(data: bytes) -> None:
        trial(data)

    return give
