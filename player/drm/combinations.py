"""Which values of a profile cannot stand together, or cannot be at all: asked once, when a profile is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from player.drm.profile import Concurrency, Extent, LicenseScope, Network, Scope, Sessions

_RANGE: Final = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?")
_MAX_ATTEMPTS: Final = 1_000  # more would be no profile but a flood
_ONE_DAY_MS: Final = 86_400_000


def refusals(scope: Scope, sessions: Sessions, network: Network) -> Iterator[str]:
    """What is wrong, one clause each: the field as `part.name`, and why."""
    yield from _of_extent(scope)
    yield from _of_network(network)
    if sessions.max_sessions > _MAX_ATTEMPTS:
        yield f"sessions.max_sessions: at most {_MAX_ATTEMPTS}, negative for no limit"


def _of_extent(scope: Scope) -> Iterator[str]:
    """RxPlayer issue 863: one license at a time needs no stated extent, a stated one is a scope."""
    narrow = scope.license_scope is LicenseScope.INIT_DATA
    if scope.extent is not Extent.SIGNALLED and not narrow:
        yield f"scope.extent: {scope.extent} goes with license_scope init-data only, not {scope.license_scope}"
    serial = scope.concurrency is scope.concurrency_scoped is Concurrency.SERIAL
    if scope.extent is Extent.ONE_AT_A_TIME and not serial:
        yield "scope.extent: one_at_a_time needs concurrency and concurrency_scoped serial"
    if scope.expect_all_manifest_kids and scope.extent is Extent.NONE:
        yield "scope.expect_all_manifest_kids: needs extent one_at_a_time or signalled"


def _of_network(network: Network) -> Iterator[str]:
    if not 1 <= network.attempts <= _MAX_ATTEMPTS:
        yield f"network.attempts: expected 1 to {_MAX_ATTEMPTS}"
    for name in ("success_statuses", "final_statuses"):
        if not all(_RANGE.fullmatch(text) for text in getattr(network, name)):
            yield f'network.{name}: expected HTTP statuses such as "200" or "200-299"'
    for name in ("backoff_base_ms", "backoff_cap_ms", "timeout_ms", "connect_timeout_ms", "stall_timeout_ms"):
        if not 0 <= getattr(network, name) <= _ONE_DAY_MS:
            yield f"network.{name}: expected 0 to {_ONE_DAY_MS}"
    if not 0 <= network.jitter_amount <= 1:
        yield "network.jitter_amount: expected 0 to 1"
    if not 0 <= network.backoff_factor <= _MAX_ATTEMPTS:
        yield f"network.backoff_factor: expected 0 to {_MAX_ATTEMPTS}"
