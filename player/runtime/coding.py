"""Content codings (RFC 9110, 8.4), taken off piece by piece: who counts the pieces can stop a bomb in the middle.

A few bytes may unpack to gigabytes. No piece is larger than twice `PIECE_BYTES`, whatever came in.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import brotli

from player.engine.actions import Headers
from player.runtime.fetch import ACCEPTED_CODINGS, BROKEN, ExchangeError

PIECE_BYTES: Final = 64 << 10  # brotli stops at the end of the block in which it gets so far

_GZIP: Final = 31  # zlib's word for a gzip wrapper
_ZLIB: Final = 15
_RAW: Final = -15
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MOST_MEMBERS: Final = 100  # of one gzip body; nobody sends more than one, and each has to be looked at


class Decoder(Protocol):
    """One body on its way in."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to. Raises: ExchangeError."""
        ...

    def finish(self) -> None:
        """The body has ended. Raises: ExchangeError where something is missing."""
        ...


def decoder_of(headers: Headers) -> Decoder:
    """For the coding that the headers name. Raises: ExchangeError for one that was not offered."""
    value = next((value for name, value in headers if name == "content-encoding"), "")
    make = _CODINGS.get(value.strip().lower())
    if make is None:
        raise ExchangeError(BROKEN, f"a content coding other than {ACCEPTED_CODINGS}")
    return make()


class _Identity:
    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data

    def finish(self) -> None:
        """Its length is the sender's to say."""


class _Zlib:
    """gzip, and deflate with its wrapper or, as some servers send it, without."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._members = 0
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None and data:
            self._stream = self._next_member(data)
        try:
            yield from self._unpacked(data)
        except zlib.error:
            raise ExchangeError(BROKEN, "the compressed body cannot be read") from None

    def finish(self) -> None:
        if self._stream is not None and not self._stream.eof:
            raise _cut()

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        while self._stream is not None and (data or not self._stream.eof):
            if self._stream.eof:
                if not data.startswith(_GZIP_MAGIC):
                    return  # padding behind the end, as browsers read it
                self._stream = self._next_member(data)
            piece = self._stream.decompress(data, PIECE_BYTES)
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not data and len(piece) < PIECE_BYTES:
                return

    def _next_member(self, data: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise ExchangeError(BROKEN, f"more than {_MOST_MEMBERS} gzip members")
        if self._gzip:
            return zlib.decompressobj(_GZIP)
        return zlib.decompressobj(_ZLIB if data[0] & 0x0F == zlib.DEFLATED else _RAW)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        try:
            while not self._stream.is_finished():
                piece = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
                if not piece:
                    return
                yield piece
                data = b""
        except brotli.error:
            raise ExchangeError(BROKEN, "the compressed body cannot be read") from None

    def finish(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise _cut()


def _cut() -> ExchangeError:
    return ExchangeError(BROKEN, "the compressed body was cut short")


def _gzip() -> Decoder:
    return _Zlib(gzip=True)


def _deflate() -> Decoder:
    return _Zlib(gzip=False)


_CODINGS: Final[dict[str, Callable[[], Decoder]]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _Brotli,
}
