"""What a store keeps of its sessions, and for how long: one rule for files and for the memory of a private profile."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from player.wire.sealed_lines import Sealed, StoredLine

MAX_SESSIONS: Final = 1000  # of one origin; the oldest go first
MAX_SPENT: Final = 4096  # marks of ids given once
MAX_AGE_MS: Final = 400 * 24 * 3600 * 1000  # as long as browsers keep a cookie (RFC 6265bis, 5.5)
MAX_FILE_BYTES: Final = 16 << 20


def written(key: bytes, sealed: Sealed, records: Mapping[str, bytes | None], now_ms: int) -> Sealed:
    """With these records, the newest last; what is cleared leaves a mark of its id that tells nothing else."""
    others = [line for line in sealed.lines if line.session_id not in records and is_young(line, now_ms)]
    fresh = [StoredLine(session_id=it, data=data, saved_ms=now_ms) for it, data in records.items() if data is not None]
    cleared = [mark(key, line.session_id) for line in sealed.lines if records.get(line.session_id, b"") is None]
    return Sealed(lines=_fitting([*others, *fresh]), spent=(*sealed.spent, *cleared)[-MAX_SPENT:])


def found(sealed: Sealed, session_id: str, now_ms: int) -> bytes | None:
    for line in sealed.lines:
        if line.session_id == session_id and is_young(line, now_ms):
            return line.data
    return None


def is_known(key: bytes, sealed: Sealed, session_id: str) -> bool:
    return mark(key, session_id) in sealed.spent or any(line.session_id == session_id for line in sealed.lines)


def is_young(line: StoredLine, now_ms: int) -> bool:
    return now_ms - line.saved_ms <= MAX_AGE_MS


def mark(key: bytes, session_id: str) -> str:
    """A cleared id under the origin's key: the id itself is gone."""
    return hmac.new(key, session_id.encode(), hashlib.sha256).hexdigest()[:16]


def _fitting(lines: list[StoredLine]) -> tuple[StoredLine, ...]:
    """As many of the newest as may be kept."""
    kept: list[StoredLine] = []
    room = MAX_FILE_BYTES * 3 // 4 - MAX_SPENT * 32  # base64 takes a third more
    for line in reversed(lines[-MAX_SESSIONS:]):
        room -= len(line.data) + 512
        if room < 0:
            break
        kept.append(line)
    return tuple(reversed(kept))
