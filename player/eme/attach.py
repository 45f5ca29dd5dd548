"""setMediaKeys (EME 7.2): what is decided in the call, and the one task in which the attribute changes.

Pure. It knows MediaKeys by identity only; who else uses them, and whether they can be associated, the caller says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from player.eme.errors import InvalidStateError, NotSupportedError, QuotaExceededError
from player.errors import EmeError

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRules:
    """What a user agent allows. The defaults are Chromium's; Clear Key may allow sharing (EME 9.1.1)."""

    shared: bool = False  # one CDM instance may serve several elements
    replaceable: bool = True  # MediaKeys can be taken off an element at all
    replaceable_with_source: bool = False  # and also while it has a source


DEFAULT_RULES: Final = AttachRules()


@dataclass(slots=True)
class Attachment(Generic[K]):
    """`keys`: the element's `mediaKeys`. `attaching`: EME's flag "attaching media keys"."""

    keys: K | None = None
    attaching: bool = False


def begin(attachment: Attachment[K], keys: K | None) -> EmeError | bool:
    """Steps 1 to 3, in the call: an error, False where the promise resolves at once, True where a task is to follow."""
    if attachment.attaching:
        return InvalidStateError("other MediaKeys are being attached")
    if attachment.keys is keys:
        return False
    attachment.attaching = True
    return True


def finish(
    attachment: Attachment[K],
    keys: K | None,
    rules: AttachRules,
    *,
    in_use: bool,
    has_source: bool,
    failure: EmeError | None,
    shareable: bool = True,
) -> EmeError | None:
    """Step 5, in the task: the promise's error, or None and the attribute is set. The flag is cleared on every path.

    `in_use`: another element uses these MediaKeys. `failure`: why they cannot be associated with any element.
    `shareable`: whether their key system can serve several elements, where the user agent lets it.
    """
    attachment.attaching = False
    if keys is not None and in_use and not (rules.shared and shareable):
        return QuotaExceededError("these MediaKeys serve another element")
    if attachment.keys is not None:
        if not rules.replaceable:
            return NotSupportedError("MediaKeys stay with the element they were attached to")
        if has_source and not rules.replaceable_with_source:
            return InvalidStateError("MediaKeys cannot be taken off an element that has a source")
    if keys is not None and failure is not None:
        attachment.keys = None
        return failure
    attachment.keys = keys
    return None
