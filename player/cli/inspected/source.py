"""The bytes to inspect: a file, a URL, or a `pssh` written out on the command line."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from player.errors import NetworkError, UsageError

MAX_BYTES: Final = 256 << 20  # as for a box, and for a segment off the network
_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_TYPE_AT: Final = 4  # where a box has its type
_TIMEOUT_US: Final = 60_000_000


class Source(NamedTuple):
    name: str
    data: bytes


def load(text: str) -> Source:
    """Raises: UsageError for what is no file and no pssh, or too large; NetworkError."""
    if text.partition("://")[0].lower() in ("http", "https"):
        return _fetched(text)
    written = written_pssh(text.encode("utf-8", "surrogateescape"))
    if written is not None and not _is_there(text):
        return Source("pssh", written)
    return read_file(text)


def read_file(text: str) -> Source:
    """Raises: UsageError."""
    try:
        with Path(text).open("rb") as file:
            told = os.fstat(file.fileno()).st_size  # nothing is read of what is too large; a pipe tells 0
            data = b"" if told > MAX_BYTES else file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{text[:80]}: {error.strerror}") from None
    except ValueError:
        raise UsageError("no name that a file can have") from None
    if max(told, len(data)) > MAX_BYTES:
        raise UsageError(f"{text}: more than {MAX_BYTES:,} bytes")
    return Source(text, data)


def written_pssh(text: bytes) -> bytes | None:
    """The box that a text in hex or base64 stands for; None where it is neither, or no `pssh`."""
    digits = b"".join(text.split())
    for decoded in (_from_hex(digits), _from_base64(digits)):
        if decoded[_TYPE_AT : _TYPE_AT + 4] == b"pssh":
            return decoded
    return None


def _from_hex(digits: bytes) -> bytes:
    digits = digits.removeprefix(b"0x")
    return binascii.unhexlify(digits) if _HEX.fullmatch(digits) else b""


def _from_base64(digits: bytes) -> bytes:
    """Either alphabet, padded or not."""
    if not _BASE64.fullmatch(digits):
        return b""
    bare = digits.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return b""


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or holding a NUL
        return False


def _fetched(url: str) -> Source:
    """By the rules of every fetch: http and https only, redirects checked, at most 256 MiB."""
    import asyncio

    from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
    from player.runtime.clock import SystemClock
    from player.runtime.http import HttpFetcher

    async def fetch() -> Fetched | FetchFailed:
        fetcher = HttpFetcher(SystemClock())
        try:
            return await fetcher.fetch(Fetch(kind=FetchKind.MEDIA, url=url, timeout_us=_TIMEOUT_US))
        finally:
            await fetcher.close()

    answer = asyncio.run(fetch())
    if isinstance(answer, FetchFailed):
        raise NetworkError(answer.code, url, answer.reason)
    if not 200 <= answer.status < 300:
        raise NetworkError("http-status", url, f"status {answer.status}", status=answer.status)
    return Source(answer.url, answer.body)
