"""Work in flight on one session: from `generate_request` to the statuses that its license brings."""

from __future__ import annotations

from player.drm.cause import Cause
from player.drm.init_data import InitData
from player.eme.cdm import DeviceCall, Handled, SessionCall
from player.engine.actions import Fetch, Headers


class Exchange:
    """Exists only while something is under way. `retry_at`, `held_until`, `verdict_at`, `licensed_at`: instants on the
    run clock, -1: none. At `verdict_at` the keys that have not come are judged.

    `locked`: it will never end, and what waits for it never goes on. `closing`: it was given up while the CDM was busy.

    `held` keeps an answer of the CDM until its modelled latency is over. An action names slot and attempt, never this
    object; an answer counts only while `request` is its action.
    """

    __slots__ = (
        "attempt",
        "cause",
        "closing",
        "headers",
        "held",
        "held_until",
        "init_data",
        "intended",
        "licensed",
        "licensed_at",
        "locked",
        "message",
        "origin",
        "request",
        "retry_at",
        "sequence",
        "slot",
        "verdict_at",
    )

    def __init__(self, slot: int, init_data: InitData, cause: Cause, intended: int) -> None:
        self.slot = slot
        self.init_data = init_data
        self.cause = cause  # of the attempt under way
        self.origin = cause  # of the first attempt
        self.intended = intended  # when the key logic wanted the request to leave
        self.message = b""  # what the CDM wants to be sent; empty: nothing yet
        self.headers: Headers = ()  # that the CDM wants it to be sent with
        self.licensed = False  # the CDM has taken a license
        self.licensed_at = -1
        self.locked = False
        self.closing = False
        self.verdict_at = -1
        self.sequence = 0
        self.attempt = 0
        self.request: Fetch | None = None
        self.retry_at = -1
        self.held: tuple[SessionCall | DeviceCall, Handled] | None = None
        self.held_until = -1
