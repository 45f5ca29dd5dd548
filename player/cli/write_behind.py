"""Writing a file while what comes next is being made: the kernel copies on one core, we decrypt on the other.

Small parts are gathered, since a call for each would cost more than its bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import Thread

LARGE_BYTES: Final = 1 << 18  # a choice: parts from here on are worth a thread and not worth a copy
GATHERED_BYTES: Final = 1 << 20  # small parts are written once there are so many bytes of them


class Writer:
    """Writes parts at their places. A part may change only after the second next call of `write`."""

    __slots__ = ("_at", "_error", "_file", "_gathered", "_thread")

    def __init__(self, file: int) -> None:
        self._file = file
        self._gathered = bytearray()
        self._at = 0  # where the gathered bytes belong
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def write(self, at: int, part: bytes | memoryview) -> None:
        """Raises: OSError, also of the part before."""
        if at != self._at + len(self._gathered):
            self._flush()
            self._at = at
        if len(part) < LARGE_BYTES:
            self._gathered += part
            if len(self._gathered) >= GATHERED_BYTES:
                self._flush()
            return
        self._flush()
        self._begin(part)

    def end(self) -> None:
        """Raises: OSError."""
        self._flush()
        self._wait()

    def _flush(self) -> None:
        if self._gathered:
            self._wait()
            self._write_all(self._at, memoryview(self._gathered))
            self._at += len(self._gathered)
            self._gathered = bytearray()
            self._wait()

    def _begin(self, part: bytes | memoryview) -> None:
        from threading import Thread  # files of small parts never need it

        self._wait()
        self._thread = Thread(target=self._write_all, args=(self._at, memoryview(part)))
        self._thread.start()
        self._at += len(part)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write_all(self, at: int, part: memoryview) -> None:
        try:
            while part:
                size = os.pwrite(self._file, part, at)
                at, part = at + size, part[size:]
        except OSError as error:
            self._error = error
