"""The ticket of a reserved slot as text: its number under the server's MAC, so that nobody takes a stranger's slot."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

HEADER: Final = "x-license-ticket"

_FORM: Final = re.compile(r"([0-9]{1,18})\.([0-9a-f]{16})")


class Tickets:
    """Writes and reads tickets under one secret."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, number: int) -> str:
        return f"{number}.{self._mac(number)}"

    def read(self, text: str | None) -> int | None:
        """The number, or None for a ticket that this server has not written."""
        match = _FORM.fullmatch(text or "")
        if match is None or not hmac.compare_digest(match[2], self._mac(int(match[1]))):
            return None
        return int(match[1])

    def _mac(self, number: int) -> str:
        return hmac.new(self._secret, str(number).encode("ascii"), hashlib.sha256).hexdigest()[:16]
