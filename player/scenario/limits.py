"""What each value of a scenario may be, by its path. The command line asks the same table about its options.

A name that is known but not built yet is refused as such, so that nobody looks for a misspelling.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from player.backend.common.faults import MODES
from player.cdm.quirks.names import expanded
from player.cdm.quirks.table import PRESETS, QUIRKS
from player.cdm.spec import FEATURES, MAX_ACCURACY_S, ExtraKeys, OnMissingRoot, OnSessionLimit, OutputRestricted
from player.drm.profile import LicenseScope
from player.errors import UsageError
from player.runtime.profiles import profile_names
from player.scenario.schema import FORMAT
from player.storm.strategy import STRATEGIES
from player.wire.hierarchy import Output

Limit = Callable[[Any], str | None]
"""Why a value cannot be; None: it can."""

_DAY_S: Final = 86_400
_YEAR_S: Final = 365 * _DAY_S
_MAX_SEED: Final = 2**63 - 1  # TOML's largest integer
_MAX_LINE: Final = 200
_MAX_NAME: Final = 60  # characters of a name that is looked for among those there are

NOT_BUILT: Final[Mapping[str, tuple[str, ...]]] = {
    "$.clients.join.model": ("burst", "replay"),
    "$.storm.driver": ("lean", "model", "virtual"),
    "$.storm.media": ("none",),
    "$.storm.strategies[].name": (
        "batched", "batched-rolling", "hashed-slot", "hybrid", "on-demand-mpd", "on-demand-playhead", "reserved-slot",
        "retry-after", "retry-after-jitter", "slot-shards", "validity-overlap",
    ),
}  # fmt: skip
"""Names of things to come, by path."""


def unknown(name: str, known: Collection[str], planned: Iterable[str] = ()) -> str:
    """One clause for a name that is none of those there are."""
    name = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
    there_are = f"there {'is' if len(known) == 1 else 'are'}: {', '.join(known)}"
    if name in planned:
        return f"{name!r} is not built yet; {there_are}"
    meant = "".join(f" (did you mean '{close}'?)" for close in get_close_matches(name, known, n=1))
    return f"no {name!r}{meant}; {there_are}"


def refusal(path: str, value: object) -> str | None:
    """Why this value cannot stand at this path; None: it can, as far as it alone tells."""
    limit = LIMITS.get(path)
    return None if limit is None else limit(value)


def _number(low: float, high: float) -> Limit:
    return lambda value: None if low <= value <= high else f"expected {low:,} to {high:,}, not {value:,}"


def _positive(high: float) -> Limit:
    return lambda value: None if 0 < value <= high else f"expected more than 0 and at most {high:,}, not {value:,}"


def _named(known: Callable[[], Iterable[str]], path: str = "") -> Limit:
    def limit(name: str) -> str | None:
        names = sorted(known())
        return None if name in names else unknown(name, names, NOT_BUILT.get(path, ()))

    return limit


def _quirk(name: str) -> str | None:
    root = name.split(":", maxsplit=1)[0]
    if root not in QUIRKS and root not in PRESETS:
        return unknown(name, sorted((*QUIRKS, *PRESETS)))
    try:
        expanded((name,))
    except UsageError as error:
        return error.message
    return None


def _profile(name: str) -> str | None:
    return None if name.endswith(".toml") else _named(profile_names, "$.player.profile")(name)


def _format(number: int) -> str | None:
    if number > FORMAT:
        return f"format {number} is newer than {FORMAT}, the newest that this version reads"
    return None if number == FORMAT else f"expected {FORMAT}, not {number}"


def _line(text: str) -> str | None:
    fits = 0 < len(text) <= _MAX_LINE and text.isprintable()
    return None if fits else f"expected one line of 1 to {_MAX_LINE} printable characters"


def _workers(count: int) -> str | None:
    return None if count == 1 else "more than one worker is not built yet" if count > 1 else "expected 1"


LIMITS: Final[Mapping[str, Limit]] = {
    "$.scenario.format": _format,
    "$.scenario.title": _line,
    "$.content.segment_s": _number(2, 3_600),
    "$.content.crypto_period_s": _positive(_YEAR_S),
    "$.content.first_boundary_s": _positive(_YEAR_S),
    "$.content.announce_s": _number(0, _YEAR_S),
    "$.content.close_s": _number(0, _YEAR_S),
    "$.content.mpd_refresh_s": _number(0, _DAY_S),
    "$.content.time_shift_s": _positive(_DAY_S),
    "$.content.duration_s": _positive(_DAY_S),
    "$.backend.license.validity_s": _positive(_YEAR_S),
    "$.backend.license.renew_s": _positive(_YEAR_S),
    "$.backend.license.admission.capacity": _positive(10_000_000),
    "$.backend.license.admission.workers": _number(1, 10_000),
    "$.backend.license.admission.queue_max_s": _number(0, _DAY_S),
    "$.backend.license.admission.deadline_s": _positive(_DAY_S),
    "$.backend.license.admission.retry_after_s": _number(0, _DAY_S),
    "$.backend.license.admission.retry_jitter_s": _number(0, _DAY_S),
    "$.backend.license.faults[].from_s": _number(-_DAY_S, _YEAR_S),
    "$.backend.license.faults[].to_s": _number(-_DAY_S, _YEAR_S),
    "$.backend.license.faults[].mode": _named(lambda: MODES),
    "$.backend.license.faults[].rate": _positive(1),
    "$.backend.license.faults[].delay_s": _number(0, _DAY_S),
    "$.player.profile": _profile,
    "$.player.license_scope": _named(lambda: LicenseScope),
    "$.cdm.features[]": _named(lambda: FEATURES),
    "$.cdm.quirks[]": _quirk,
    "$.cdm.on_missing_root": _named(lambda: OnMissingRoot),
    "$.cdm.hdcp": _named(lambda: ("", *Output)),
    "$.cdm.downscale_hdcp": _named(lambda: ("", *Output)),
    "$.cdm.output_restricted": _named(lambda: OutputRestricted),
    "$.cdm.extra_keys": _named(lambda: ExtraKeys),
    "$.cdm.on_session_limit": _named(lambda: OnSessionLimit),
    "$.cdm.max_sessions": _number(1, 10_000),
    "$.cdm.root_window_periods": _number(1, 10_000),
    "$.cdm.robustness_level": _number(0, 1_000),
    "$.cdm.playback_window_s": _positive(_YEAR_S),
    "$.cdm.max_keys": _number(1, 10_000),
    "$.cdm.accuracy_s": _number(0.001, MAX_ACCURACY_S),
    "$.cdm.save_every_s": _positive(_DAY_S),
    "$.clients.count": _number(1, 1_000_000),
    "$.clients.join.from_s": _number(0, _DAY_S),
    "$.clients.join.to_s": _number(0, _DAY_S),
    "$.clients.live_delay_s.from_s": _number(0, _DAY_S),
    "$.clients.live_delay_s.to_s": _number(0, _DAY_S),
    "$.network.latency_ms.from_ms": _number(0, 60_000),
    "$.network.latency_ms.to_ms": _number(0, 60_000),
    "$.network.bandwidth_mbps": _number(0.001, 1_000_000),
    "$.network.changes[].at_s": _number(0, 7 * _DAY_S),
    "$.network.changes[].latency_ms.from_ms": _number(0, 60_000),
    "$.network.changes[].latency_ms.to_ms": _number(0, 60_000),
    "$.network.changes[].bandwidth_mbps": _number(0, 1_000_000),
    "$.storm.seed": _number(0, _MAX_SEED),
    "$.storm.end_s": _positive(7 * _DAY_S),
    "$.storm.workers": _workers,
    "$.storm.strategies[].name": _named(lambda: STRATEGIES, "$.storm.strategies[].name"),
    "$.storm.strategies[].window_s": _number(0, _YEAR_S),
    "$.storm.strategies[].margin_s": _number(0, _YEAR_S),
}
"""By path, `[]` for any place in a list."""
