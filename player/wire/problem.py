"""Problem records: the body of an answer that is no license (RFC 9457, `application/problem+json`).

`title` and `detail` may be shown to a viewer, so they hold no identifiers and no secrets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from player.ids import KeyId
from player.wire.members import key_ids, member, text, texts, whole
from player.wire.strict import JsonObject, read_object, write_object

CONTENT_TYPE: Final = "application/problem+json"
OURS: Final = "urn:keystorm:problem:"
DASHIF: Final = "https://dashif.org/drm-problems/"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`retry_after_ms` repeats Retry-After, which has whole seconds; `ticket` names a reserved slot."""

    type: str
    title: str
    status: int
    detail: str | None = None
    reason: str | None = None
    kids: tuple[KeyId, ...] = ()
    retry_after_ms: int | None = None
    ticket: str | None = None


def write(problem: Problem) -> bytes:
    """Members that are None or empty are left out."""
    members = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        "kids": texts(problem.kids) or None,
        "retry_after_ms": problem.retry_after_ms,
        "ticket": problem.ticket,
    }
    return write_object({name: value for name, value in members.items() if value is not None})


def read(data: bytes) -> Problem:
    """Unknown members are ignored. Raises: LicenseError."""
    document = read_object(data, "problem")
    return Problem(
        type=text(member(document, "type", "problem"), "problem type"),
        title=text(member(document, "title", "problem"), "problem title"),
        status=whole(member(document, "status", "problem"), "problem status"),
        detail=_optional(document, "detail", text),
        reason=_optional(document, "reason", text),
        kids=_optional(document, "kids", key_ids) or (),
        retry_after_ms=_optional(document, "retry_after_ms", whole),
        ticket=_optional(document, "ticket", text),
    )


def _optional(document: JsonObject, name: str, read_member: Callable[[object, str], T]) -> T | None:
    return read_member(document[name], f"problem {name}") if name in document else None
