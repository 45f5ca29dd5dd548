"""Bytes that many clients are served alike are parsed once: the result is immutable and shared.

The key is (kind, URL, byte range, validator or digest of the first 4 kB, length, what explains the segment), so that a
client that was served other bytes gets a result of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import msgspec

from player.clock import SECOND
from player.engine.actions import Fetch, Fetched, FetchKind, Parsed
from player.engine.manifest import Manifest
from player.engine.parsed import UNPARSED, parse
from player.errors import KeystormError

DIGEST_OF_BYTES: Final = 4_096
KEPT_US: Final = 60 * SECOND  # without a time-shift window: nobody is further behind another than this

DOCUMENTS: Final = frozenset({FetchKind.MPD, FetchKind.PATCH})

Key = tuple[object, ...]
Parse = Callable[[Fetch, bytes, str], Parsed | None]


@dataclass(slots=True)
class _Entry:
    parsed: Parsed | None
    context: object  # held, because the key names it by identity
    used: int  # µs on the run clock


class ParseCache:
    """One a run and process. Entries that nobody used for a time-shift window are dropped, MPDs after a minute."""

    __slots__ = ("_documents", "_entries", "_kept_us", "_parse", "hits", "misses")

    def __init__(self, parse: Parse = parse) -> None:
        self._parse = parse
        self._documents: dict[Key, _Entry] = {}  # versions of the MPD, each used only until the next one comes
        self._entries: dict[Key, _Entry] = {}  # all else; both in order of last use
        self._kept_us = KEPT_US
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries) + len(self._documents)

    def with_parsed(self, fetched: Fetched, now: int) -> Fetched:
        """`fetched` with `parsed` filled in for 2xx answers of the kinds that are parsed; an error is a value too."""
        action = fetched.action
        if action.kind in UNPARSED or not 200 <= fetched.status < 300:
            return fetched
        try:
            parsed: Parsed | KeystormError | None = self._look_up(fetched, now)
        except KeystormError as error:
            parsed = error.with_traceback(None)
        return msgspec.structs.replace(fetched, parsed=parsed)

    def _look_up(self, fetched: Fetched, now: int) -> Parsed | None:
        key, entries = _key(fetched), self._documents if fetched.action.kind in DOCUMENTS else self._entries
        entry = entries.pop(key, None)
        if entry is None:
            self.misses += 1
            entry = _Entry(self._parse(fetched.action, fetched.body, fetched.url), _context(fetched.action), now)
            self._keep_for(entry.parsed)
        else:
            self.hits += 1
            entry.used = now
        entries[key] = entry
        _drop_unused(self._documents, now - KEPT_US)
        _drop_unused(self._entries, now - self._kept_us)
        return entry.parsed

    def _keep_for(self, parsed: Parsed | None) -> None:
        window_us = parsed.presentation.time_shift_us if isinstance(parsed, Manifest) else None
        self._kept_us = max(self._kept_us, window_us or 0)


def _drop_unused(entries: dict[Key, _Entry], since: int) -> None:
    for key, _ in list(takewhile(lambda entry: entry[1].used < since, entries.items())):
        del entries[key]


def _key(fetched: Fetched) -> Key:
    action = fetched.action
    etag = next((value for name, value in fetched.headers if name == "etag"), None)
    validator = etag or hashlib.sha256(fetched.body[:DIGEST_OF_BYTES]).digest()
    context = _context(action)
    place = (fetched.url, action.byte_range)
    return (action.kind, *place, validator, len(fetched.body), None if context is None else id(context))


def _context(action: Fetch) -> object | None:
    """What the body means nothing without: an init segment, what was read of an index before, the MPD patched."""
    return next((given for given in (action.context, action.known, action.base) if given is not None), None)
