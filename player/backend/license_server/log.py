"""What a license server tells of each request: who asked, for what, when, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from player.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseLogEntry:
    """Instants in µs on the run clock. The attribution is the sender's word, None where it sent none.

    `kids` is what was asked for, empty where the request could not be read. `status` 0: closed without an answer, by
    either side.
    """

    time_us: int
    client: int | None
    sequence: int | None
    cause: str | None
    attempt: int | None
    kids: tuple[KeyId, ...]
    status: int
    done_us: int


Listener = Callable[[LicenseLogEntry], None]
