"""Faults on a schedule: what goes wrong with an answer between two instants of the run clock.

Not built, because a reply that is a plain value cannot say it or because it needs a memory of each client: `truncated`,
`redirect`, `401-once`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from player.backend.common.replies import closed, problem_reply
from player.backend.spec import Fault
from player.chance import Draw, Purpose
from player.clock import us
from player.errors import BackendError
from player.wire.http import Reply, Request
from player.wire.problem import Problem

_ERROR: Final = Problem(type="about:blank", title="Internal Server Error", status=500)

INSTEAD: Final[dict[str, Callable[[Request], Reply]]] = {
    "down": closed,  # the nearest thing to a refused connection that an open port can do
    "error": lambda request: problem_reply(request, _ERROR),
}
"""Modes that answer at once, before the service has done anything."""

SPOILED: Final[dict[str, Callable[[Reply], Reply]]] = {
    "empty": lambda reply: reply._replace(body=b""),
    "wrong-type": lambda reply: reply._replace(headers=tuple(map(_as_html, reply.headers))),
}
"""Modes that let the service do its work and spoil a good answer."""

SLOW: Final = "slow"
"""The finished answer is held back by `delay_s`."""

MODES: Final = (*INSTEAD, *SPOILED, SLOW)


class Faults:
    """Which fault hits a request. Where several overlap, the first of the list that the draw lets through."""

    def __init__(self, faults: Sequence[Fault], draw: Draw) -> None:
        for fault in faults:
            if fault.mode not in MODES:
                raise BackendError("unknown-fault", f"fault mode {fault.mode!r}: none of {', '.join(MODES)}")
        self._faults = tuple((us(fault.from_s), us(fault.to_s), fault) for fault in faults)
        self._draw = draw
        self._draws = 0

    def hit(self, now: int) -> Fault | None:
        """Asked once a request: a fault of `rate` < 1 draws."""
        return next((fault for start, end, fault in self._faults if start <= now < end and self._strikes(fault)), None)

    def _strikes(self, fault: Fault) -> bool:
        self._draws += 1
        return self._draw(Purpose.FAULT, self._draws - 1) < fault.rate


def _as_html(header: tuple[str, str]) -> tuple[str, str]:
    return (header[0], "text/html") if header[0] == "content-type" else header
