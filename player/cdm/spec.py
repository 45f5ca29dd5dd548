"""How the emulated CDM of every client of a run behaves: features, deviations of real devices, baked-in keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from player.cdm.device import Device
from player.cdm.quirks import names
from player.errors import UsageError
from player.ids import ContentKey, KeyId
from player.wire.hierarchy import Output

EMBEDDED_KEYS: Final = "embedded_keys"
PERSISTENT_USAGE_RECORD: Final = "persistent_usage_record"
FEATURES: Final = frozenset({EMBEDDED_KEYS, PERSISTENT_USAGE_RECORD})
MAX_ACCURACY_S: Final = 60.0  # persistent-usage-record draft: the key usage accuracy is at most a minute
MAX_KEYS_PER_SESSION: Final = 128  # choice: as Chromium; EME asks for a high minimum
CREATE_FAILS: Final = ("InvalidStateError", "NotSupportedError", "QuotaExceededError")  # EME 4.2 createMediaKeys, 2.9
ROOT_WINDOW_PERIODS: Final = 16  # whose embedded keys a merged root keeps; a choice: as many as children are kept


class OnMissingRoot(StrEnum):
    """What generateRequest does with embedded keys whose root key is not there."""

    REQUEST = "request"  # asks for the root on this session and keeps the wrapped keys
    PENDING = "pending"  # the keys are status-pending until some session has the root
    REJECT = "reject"  # NotSupportedError


class OutputRestricted(StrEnum):
    """What becomes of samples whose key is output-restricted."""

    BLOCK = "block"
    PASS = "pass"  # noqa: S105 — shown all the same


class ExtraKeys(StrEnum):
    """What becomes of a license with keys that its session has not asked for."""

    ACCEPT = "accept"
    REFUSE = "refuse"  # TypeError


class OnSessionLimit(StrEnum):
    """What happens to a session more than the device has room for."""

    REFUSE = "refuse"  # QuotaExceededError
    EVICT = "evict"  # the oldest child closes, else the session that was not updated for longest: resource-evicted


@dataclass(frozen=True, slots=True, kw_only=True)
class CdmSpec:
    """One device. Raises: UsageError for a name that nobody knows.

    `quirks`: names of `cdm.quirks.table`, `NAME[:AMOUNT][:FORM]`; a preset is kept as the deviations it stands for.
    `roots`: root keys baked into the device. `single_session`: embedded keys join the root's session (old devices),
    which keeps those of the newest `root_window_periods`. `max_sessions` None: no limit.
    `hdcp`: what the emulated display can do, "" nothing. `downscale_hdcp`: a display that can do this much shows at
    lower quality what it may not show in full, "": none does. `robustness_level` is told in requests.
    `clock`: without one the device tells no time, and nothing starts, expires or is renewed on it.
    `playback_window_s`: keys expire so long after they were first used, unless they end before; None: no such rule.
    `create_fail`: the DOM name of the error with which no CDM can be made, None: it starts.
    `create_after_loss`: with the CDM gone for good it is generateRequest that fails, not yet createSession.
    `ck_remove_empty`: after remove() the map of a Clear Key session is empty; else its keys are "released".
    `accuracy_s`: no time in a usage record is further from the truth, stored or told. `save_every_s`: how long after a
    key was used its record is stored at the latest.
    """

    features: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    on_missing_root: str = OnMissingRoot.REQUEST
    single_session: bool = False
    roots: Mapping[KeyId, ContentKey] = field(default_factory=lambda: MappingProxyType({}))
    hdcp: str = Output.HDCP_2_3
    max_keys: int = MAX_KEYS_PER_SESSION
    robustness_level: int = 1
    clock: bool = True
    downscale_hdcp: str = ""
    output_restricted: str = OutputRestricted.BLOCK
    playback_window_s: float | None = None
    extra_keys: str = ExtraKeys.ACCEPT
    max_sessions: int | None = None
    on_session_limit: str = OnSessionLimit.REFUSE
    root_window_periods: int = ROOT_WINDOW_PERIODS
    create_fail: str | None = None
    create_after_loss: bool = False
    ck_remove_empty: bool = False
    accuracy_s: float = 10.0
    save_every_s: float = 5.0

    def __post_init__(self) -> None:
        _known("feature", self.features, FEATURES)
        object.__setattr__(self, "quirks", names.expanded(self.quirks))
        _known("answer to a missing root key", (self.on_missing_root,), tuple(OnMissingRoot))
        _known("HDCP version", (self.hdcp, self.downscale_hdcp), ("", *Output))
        _known("use of a restricted output", (self.output_restricted,), tuple(OutputRestricted))
        _known("answer to keys nobody asked for", (self.extra_keys,), tuple(ExtraKeys))
        _known("error of a CDM that does not start", (self.create_fail,) if self.create_fail else (), CREATE_FAILS)
        _known("answer to a session too many", (self.on_session_limit,), tuple(OnSessionLimit))

        if not 0.001 <= self.accuracy_s <= MAX_ACCURACY_S or not self.save_every_s > 0:
            raise UsageError(f"usage records are exact to 0.001 to {MAX_ACCURACY_S:g} s, and saved after more than 0 s")

        counts = (self.max_keys, self.root_window_periods, 1 if self.max_sessions is None else self.max_sessions)
        if min(counts) < 1 or (self.playback_window_s is not None and not self.playback_window_s > 0):
            raise UsageError("keys, sessions and periods of a CDM are 1 or more, its playback window more than 0 s")

    @property
    def embedded_keys(self) -> bool:
        return EMBEDDED_KEYS in self.features

    @property
    def usage_records(self) -> bool:
        return PERSISTENT_USAGE_RECORD in self.features

    @property
    def accuracy_ms(self) -> int:
        return round(self.accuracy_s * 1000)

    @property
    def save_every_ms(self) -> int:
        return max(1, round(self.save_every_s * 1000))

    def device(self) -> Device:
        """The device before anything has happened to it."""
        restricted = names.is_on(self.quirks, "output_restricted")  # Q16: until another display is attached
        return Device(
            hdcp="" if restricted else self.hdcp,
            downscale_hdcp="" if restricted else self.downscale_hdcp,
            passes=self.output_restricted == OutputRestricted.PASS,
            roots=tuple(self.roots.items()),
        )


def _known(what: str, given: Iterable[str], names: Iterable[str]) -> None:
    for name in given:
        if name not in (known := sorted(names)):
            raise UsageError(f"the CDM has no {what} {name!r}; there are: {', '.join(known)}")
