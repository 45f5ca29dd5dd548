"""WebIDL's BufferSource: what may be passed where EME wants bytes."""

from __future__ import annotations

from player.eme.errors import EmeTypeError


def copied(source: object) -> bytes:
    """The bytes of a `bytes`, `bytearray` or `memoryview` as they are now; later changes have no effect.

    Raises: EmeTypeError for anything else. A conversion of WebIDL: it comes before the first step of a method.
    """
    if isinstance(source, memoryview):
        return _viewed(source)
    if isinstance(source, (bytes, bytearray)):
        return bytes(source)
    raise EmeTypeError(f"expected bytes, bytearray or memoryview, not {type(source).__name__}")


def _viewed(source: memoryview) -> bytes:
    try:
        return source.tobytes()
    except ValueError:  # a released view, as WebIDL has detached buffers
        raise EmeTypeError("the memoryview is released") from None
