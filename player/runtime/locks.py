"""Locks that hold between the pages of a process and between processes, and that a killed process lets go of."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock(path: Path, *, wait: bool) -> int | None:
    """The descriptor that holds the lock of this file; None where somebody else has it and we do not wait.

    Raises: FileNotFoundError where its folder is gone.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        if is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # it was taken away while we waited: whoever comes next would lock another file


def unlock(descriptor: int, path: Path | None = None) -> None:
    """Let go; with `path` the file goes too, unless another one stands there by now."""
    if path is not None and is_at(descriptor, path):
        path.unlink(missing_ok=True)
    os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
