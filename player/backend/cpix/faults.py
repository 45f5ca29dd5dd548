"""What is wrong with a document, where the reader goes on to look for more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from player.errors import CpixError

MAX_FAULTS: Final = 100  # of one document; who has made so many has made one


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`code` is `schema`, or names the rule that is broken; `path` as of the error CpixError."""

    code: str
    path: str
    reason: str

    @classmethod
    def at(cls, path: str, code: str, reason: str) -> Fault:
        return cls(code=code, path=path, reason=reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} ({self.code})"


def gathered(*sources: Iterable[Fault]) -> tuple[Fault, ...]:
    """The first faults of each source, at most MAX_FAULTS together."""
    return tuple(islice((fault for source in sources for fault in source), MAX_FAULTS))


def refuse(faults: Iterable[Fault]) -> None:
    """Raises: CpixError for the first of them, if there is one."""
    for fault in faults:
        raise CpixError(fault.code, fault.path, fault.reason)
