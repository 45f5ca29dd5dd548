"""Names of keys and systems, and the pool in which a run shares its immutable values.

Raises ValueError only: readers that know the place of the bytes add it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Self, TypeVar, cast

MAX_KEY_ID_BYTES: Final = 512  # EME: key ids are 1 to 512 bytes (Clear Key in Chromium has the same limit)
POOL_ENTRIES: Final = 1 << 16  # far beyond what the clients of one crypto period need: they share a few dozen tables
CENC_KEY_ID_BYTES: Final = 16  # ISO/IEC 23001-7: a KID is a UUID

T = TypeVar("T", bound=Hashable)


def _grouped(raw: bytes) -> str:
    """16 bytes as text in the form of a UUID; the standard library's class takes a while to load."""
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _hex16(text: str) -> bytes:
    digits = text.strip().replace("-", "")
    if len(digits) != 32 or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise ValueError("expected 32 hex digits, with or without hyphens")
    return bytes.fromhex(digits)


class KeyId(bytes):
    """A key id of 1 to 512 bytes; 16 wherever Common Encryption is meant (`KeyId.cenc`).

    Prints as hex, 16-byte ones as 8-4-4-4-12. Equal to `bytes` of the same content, so it serves as a dictionary key.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if not 1 <= len(raw) <= MAX_KEY_ID_BYTES:
            raise ValueError(f"a key id has 1 to {MAX_KEY_ID_BYTES} bytes, this one {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def cenc(cls, raw: bytes) -> KeyId:
        """A Common Encryption KID: exactly 16 bytes."""
        if len(raw) != CENC_KEY_ID_BYTES:
            raise ValueError(f"a KID has {CENC_KEY_ID_BYTES} bytes, this one {len(raw)}")
        return cls(raw)

    @classmethod
    def parse(cls, text: str) -> KeyId:
        """A KID from 32 hex digits in reading order, with or without the hyphens of a UUID, in either case."""
        return cls.cenc(_hex16(text))

    @property
    def is_zero(self) -> bool:
        """The all-zero KID means "no default key" (rotating content) and is never asked for."""
        return not any(self)

    @property
    def as_guid(self) -> KeyId:
        """In the byte order of a Windows GUID, whose first three fields are little-endian; turned twice it is itself.

        Only a KID of Common Encryption has such an order.
        """
        if len(self) != CENC_KEY_ID_BYTES:
            return self
        return KeyId(self[3::-1] + self[5:3:-1] + self[7:5:-1] + self[8:])

    def __str__(self) -> str:
        return _grouped(self) if len(self) == CENC_KEY_ID_BYTES else self.hex()

    def __repr__(self) -> str:
        return f"KeyId({self})"


ZERO_KID: Final = KeyId.cenc(bytes(CENC_KEY_ID_BYTES))


class SystemId(bytes):
    """The 16 bytes that name a protection system in a `pssh` box or a ContentProtection element."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != 16:
            raise ValueError(f"a SystemID has 16 bytes, this one {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> SystemId:
        return cls(_hex16(text))

    def __str__(self) -> str:
        return _grouped(self)

    def __repr__(self) -> str:
        return f"SystemId({self})"


COMMON_SYSTEM: Final = SystemId.parse("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")  # "cenc" init data, W3C
CLEARKEY_DASH_SYSTEM: Final = SystemId.parse("e2719d58-a985-b3c9-781a-b030af78d30e")  # DASH-IF Clear Key descriptor
HIERARCHY_SYSTEM: Final = SystemId.parse("631c5ac0-67e4-5e7f-aeb0-2b96eee28223")  # UUID 5, DNS, keystorm.example

CLEARKEY: Final = "org.w3.clearkey"
HIERARCHY: Final = "org.keystorm.hierarchy"


class ContentKey:
    """A 16-byte content or root key. It never shows itself: not in repr, str, a trace or an error."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 16:
            raise ValueError(f"a key has 16 bytes, this one {len(raw)}")
        self._raw = bytes(raw)

    @classmethod
    def parse(cls, text: str) -> ContentKey:
        try:
            return cls(_hex16(text))
        except ValueError:
            raise ValueError("a key has 32 hex digits") from None

    def reveal(self) -> bytes:
        """The bytes. Whoever calls this is a CDM, a packager or a license server."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentKey) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return "ContentKey(hidden)"


class Pool:
    """What the machines of one run share: interned values and remembered transitions.

    The driver makes one a run and process. Never process-global: two runs in one process do not see each other.
    Keys rotate for ever, so what nobody has used lately must go: beyond `limit` entries all are dropped, and made
    again when needed. Nothing but sharing and speed is lost.
    """

    __slots__ = ("_limit", "_memo", "_values")

    def __init__(self, limit: int = POOL_ENTRIES) -> None:
        self._limit = limit
        self._values: dict[Hashable, Hashable] = {}
        self._memo: dict[tuple[Hashable, ...], Any] = {}

    def intern(self, value: T) -> T:
        """The first value given that equals this one (types that compare equal must not be mixed)."""
        if len(self._values) >= self._limit:
            self._values.clear()
        return cast(T, self._values.setdefault(value, value))

    def remember(self, step: Callable[..., Any], *args: Hashable) -> Any:
        """`step(*args)`, computed once: `step` must be a pure module-level function of hashable values."""
        key = (step, *args)
        try:
            return self._memo[key]
        except KeyError:
            return self._kept(key, step(*args))

    def lead(self, step: Callable[..., Any], *args: Hashable) -> Any:
        """As `remember`, of a step from one value to another: what it gives is interned, once, when it is computed."""
        key = (step, *args)
        try:
            return self._memo[key]
        except KeyError:
            return self._kept(key, self.intern(step(*args)))

    def count(self, kind: type) -> int:
        """Distinct interned values of a type; a storm reports it."""
        return sum(1 for value in self._values if isinstance(value, kind))

    def _kept(self, key: tuple[Hashable, ...], result: T) -> T:
        if len(self._memo) >= self._limit:
            self._memo.clear()
        self._memo[key] = result
        return result
