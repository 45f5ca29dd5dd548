"""Stored sessions of one origin on the disk: a folder with a secret, one file of sealed lines, and locks.

Every write replaces the file as a whole: after a crash there is the old one or the new one. The bytes lie as the CDM
gave them, keys in the clear, so folders are 0700 and files 0600. Knows no session and no key system.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from player.crypto.kdf import hkdf
from player.eme.errors import QuotaExceededError
from player.errors import LicenseError
from player.runtime import stored_sessions
from player.runtime.locks import lock, unlock
from player.wire import sealed_lines
from player.wire.sealed_lines import Sealed

SECRET_BYTES: Final = 32
_SECRET_FILE: Final = "secret"  # noqa: S105 - the name of a file
_SESSIONS: Final = "sessions.jsonl"
_LOCK: Final = "lock"


class _Claim(NamedTuple):
    """A session that a page of ours has open. `secret`: that of the origin when it was claimed."""

    descriptor: int
    path: Path
    secret: bytes


class FileStore:
    """Fulfils `eme.store.Store`; one for each page. `bound_to`: the profile's secret, without which nothing is read."""

    __slots__ = ("_bound_to", "_claims", "_directory", "_origin", "_wall_ms")

    def __init__(self, directory: Path, origin: str, bound_to: Callable[[], bytes], wall_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._origin = origin
        self._bound_to = bound_to
        self._wall_ms = wall_ms
        self._claims: dict[str, _Claim] = {}

    def read(self, session_id: str) -> bytes | None:
        if not (self._directory / _SESSIONS).exists():
            return None
        try:
            with self._locked() as secret:
                return stored_sessions.found(self._sealed(self._key(secret)), session_id, self._wall_ms())
        except OSError as error:
            self._refused(error)
            return None

    def write(self, records: Mapping[str, bytes | None]) -> None:
        try:
            with self._locked() as secret:
                key = self._key(secret)
                kept = {it: data for it, data in records.items() if self._is_current(it, secret)}
                after = stored_sessions.written(key, self._sealed(key), kept, self._wall_ms())
                replace_file(self._directory / _SESSIONS, sealed_lines.write(key, after))
        except OSError as error:
            raise QuotaExceededError(f"the session cannot be stored: {error.strerror}") from error

    def knows(self, session_id: str) -> bool:
        if session_id in self._claims:
            return True
        if not (self._directory / _SESSIONS).exists():
            return False
        try:
            with self._locked() as secret:
                key = self._key(secret)
                return stored_sessions.is_known(key, self._sealed(key), session_id)
        except OSError as error:
            self._refused(error)
            return False

    def claim(self, session_id: str) -> bool:
        """Held until released, or until this process ends in any way."""
        try:
            with self._locked() as secret:
                return self._claimed(session_id, secret)
        except OSError as error:
            raise QuotaExceededError(f"the session cannot be stored: {error.strerror}") from error

    def release(self, session_id: str) -> None:
        claim = self._claims.pop(session_id, None)
        if claim is not None:
            unlock(claim.descriptor, claim.path)

    def secret(self) -> bytes:
        """What identifiers of this origin in this profile are drawn from; another one after it was cleared."""
        with self._locked() as secret:
            return self._key(secret)

    def clear(self) -> None:
        """Everything of the origin, its secret too, in one step: the folder is moved away, then deleted."""
        if not self._directory.exists():
            return
        with self._locked():
            gone = self._directory.with_name(f"cleared-{secrets.token_hex(8)}")
            self._directory.rename(gone)
            sync_folder(gone.parent)
        for left in gone.parent.glob("cleared-*"):  # others are of processes that were killed here
            shutil.rmtree(left, ignore_errors=True)

    def _claimed(self, session_id: str, secret: bytes) -> bool:
        path = self._directory / f"{hashlib.sha256(session_id.encode()).hexdigest()[:32]}.open"
        descriptor = lock(path, wait=False)
        if descriptor is None:
            return False
        self._sweep(path)
        self.release(session_id)  # one of the time before the origin was cleared
        self._claims[session_id] = _Claim(descriptor, path, secret)
        return True

    def _sweep(self, claimed: Path) -> None:
        """Take away the marks that killed processes have left."""
        for path in self._directory.glob("*.open"):
            left = None if path == claimed else lock(path, wait=False)
            if left is not None:
                unlock(left, path)

    @contextmanager
    def _locked(self) -> Iterator[bytes]:
        """The origin's secret, with nobody else writing; folder and secret are made where there are none."""
        descriptor = self._lock()
        try:
            yield secret_in(self._directory / _SECRET_FILE)
        finally:
            unlock(descriptor)

    def _lock(self) -> int:
        while True:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = lock(self._directory / _LOCK, wait=True)
            except FileNotFoundError:  # the origin was cleared between two lines
                continue
            if descriptor is not None:
                return descriptor

    def _key(self, secret: bytes) -> bytes:
        """Of one profile, one origin and one time between two clearings."""
        return hkdf(
            self._bound_to(), salt=secret, info=b"keystorm stored sessions\x1f" + self._origin.encode(), size=32
        )

    def _sealed(self, key: bytes) -> Sealed:
        """What is stored; nothing where it cannot be trusted."""
        path = self._directory / _SESSIONS
        try:
            if path.stat().st_size > stored_sessions.MAX_FILE_BYTES:
                raise LicenseError("too-large", f"stored sessions: more than {stored_sessions.MAX_FILE_BYTES} bytes")
            return sealed_lines.read(key, path.read_bytes())
        except FileNotFoundError:
            return Sealed()
        except LicenseError as error:
            self._refused(error)
            return Sealed()

    def _is_current(self, session_id: str, secret: bytes) -> bool:
        claim = self._claims.get(session_id)
        return claim is None or claim.secret == secret

    def _refused(self, error: LicenseError | OSError) -> None:
        code = error.code if isinstance(error, LicenseError) else "unreadable"
        structlog.get_logger().warning("stored sessions refused", origin=self._origin, code=code, reason=str(error))


def secret_in(path: Path) -> bytes:
    """The secret in this file; a new one where there is none that can be used."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) != SECRET_BYTES:
        found = secrets.token_bytes(SECRET_BYTES)
        replace_file(path, found)
    return found


def replace_file(path: Path, data: bytes) -> None:
    """The whole file or the old one, whatever happens; on the disk when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
