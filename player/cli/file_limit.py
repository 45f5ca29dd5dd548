"""Room for open files, looked at before a storm begins."""

from __future__ import annotations

import resource
from typing import Final

from player.errors import UsageError

FILES_PER_CLIENT: Final = 5
"""Measured need: connections to the origin and the license server, their closing ones, and what a loop itself opens."""


def raise_file_limit(clients: int) -> None:
    """Raise the soft limit to the hard one. Raises: UsageError where that is too little for so many clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _less(soft, hard):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = FILES_PER_CLIENT * clients
    if _less(hard, needed):
        raise UsageError(
            f"{clients:,} clients need {needed:,} open files, and this machine allows {hard:,} (ulimit -Hn)"
        )


def _less(limit: int, other: int) -> bool:
    """macOS has a hard limit without end, which prints as a number of its own."""
    if limit == resource.RLIM_INFINITY:
        return False
    return other == resource.RLIM_INFINITY or limit < other
