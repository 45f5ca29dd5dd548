"""Writing a file while what comes next is being made: the kernel copies on one core, we decrypt on the other.

Small parts are written at once, since handing one to a thread would cost more than its bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import Thread

LARGE_BYTES: Final = 1 << 18  # a choice: parts from here on are worth a thread


class Writer:
    """Writes parts at their places. A part may change after the next call of `write`."""

    __slots__ = ("_error", "_file", "_thread")

    def __init__(self, file: int) -> None:
        self._file = file
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def write(self, at: int, part: bytes | memoryview) -> None:
        """Raises: OSError of the part before."""
        self.end()
        if len(part) < LARGE_BYTES:
            self._write_all(at, memoryview(part))
            return
        from threading import Thread  # files of small parts never need it

        self._thread = Thread(target=self._write_all, args=(at, memoryview(part)))
        self._thread.start()

    def end(self) -> None:
        """Raises: OSError of the last part."""
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
