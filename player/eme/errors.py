"""The exceptions of EME as Python errors: the four DOM names in use, and TypeError.

EmeError
├── EmeTypeError          TypeError: an argument or a response that cannot be read (also a Python TypeError)
├── NotSupportedError     key system, init data type or session type that this CDM does not have
├── InvalidStateError     the session is not in a state for this call
├── QuotaExceededError    no room for another session or key
└── SecurityError         the page may not use EME
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from player.errors import EmeError


class EmeTypeError(EmeError, TypeError):
    """WebIDL's TypeError."""

    def __init__(self, message: str) -> None:
        super().__init__("TypeError", message)


class NotSupportedError(EmeError):
    def __init__(self, message: str) -> None:
        super().__init__("NotSupportedError", message)


class InvalidStateError(EmeError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidStateError", message)


class QuotaExceededError(EmeError):
    def __init__(self, message: str) -> None:
        super().__init__("QuotaExceededError", message)


class SecurityError(EmeError):
    def __init__(self, message: str) -> None:
        super().__init__("SecurityError", message)


Named = (
    type[EmeTypeError]
    | type[NotSupportedError]
    | type[InvalidStateError]
    | type[QuotaExceededError]
    | type[SecurityError]
)

ERROR_NAMES: Final[Mapping[str, Named]] = MappingProxyType(
    {
        "TypeError": EmeTypeError,
        "NotSupportedError": NotSupportedError,
        "InvalidStateError": InvalidStateError,
        "QuotaExceededError": QuotaExceededError,
        "SecurityError": SecurityError,
    }
)


def named(name: str, message: str) -> EmeError:
    """The error of a DOM name, as a CDM gives it in `Handled.error`."""
    return ERROR_NAMES[name](message) if name in ERROR_NAMES else EmeError(name, message)
