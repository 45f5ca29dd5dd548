"""Whose license request this is, and why: the header `Keystorm-Request: CLIENT/SEQUENCE/CAUSE/ATTEMPT`.

Sent to our own servers only; foreign ones see it when somebody asks for that. The cause is plain text here: its list is
the player's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from player.errors import LicenseError

HEADER: Final = "keystorm-request"  # as a header's name is compared: in lower case

_FORM: Final = re.compile(r"([0-9]{1,12})/([0-9]{1,12})/([a-z][a-z-]{0,31})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """`sequence` counts a client's license requests, `attempt` the tries of one of them; both from the sender."""

    client: int
    sequence: int
    cause: str
    attempt: int


def write(attribution: Attribution) -> str:
    """The header's value."""
    it = attribution
    return f"{it.client}/{it.sequence}/{it.cause}/{it.attempt}"


def read(value: str) -> Attribution:
    """Raises: LicenseError."""
    match = _FORM.fullmatch(value)
    if match is None:
        raise LicenseError("bad-attribution", "Keystorm-Request: not CLIENT/SEQUENCE/CAUSE/ATTEMPT")
    client, sequence, cause, attempt = match.groups()
    return Attribution(client=int(client), sequence=int(sequence), cause=cause, attempt=int(attempt))
