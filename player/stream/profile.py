"""How one real player fills its buffer and chooses a quality, as data: the part `[stream]` of a profile."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StarvationRule(StrEnum):
    NONE = "none"
    LOW_BUFFER = "low_buffer"
    INSUFFICIENT_BUFFER = "insufficient_buffer"
    DELAY = "delay"


class BufferRule(StrEnum):
    NONE = "none"
    BOLA = "bola"


class AbandonRule(StrEnum):
    NONE = "none"
    REQUEST_LENGTH = "request_length"
    DURATION_RATIO = "duration_ratio"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Buffer goals and the constants of the choice of quality."""

    buffer_goal_s: float
    buffer_goal_max_s: float
    half_life_fast_s: float
    half_life_slow_s: float
    factor_up: float
    factor_stay: float
    first_estimate_video_bps: int  # 0: lowest quality
    first_estimate_audio_bps: int
    sample_min_bytes: int
    trusted_from_bytes: int
    switch_interval_s: float
    starvation_rule: StarvationRule
    starvation_below_s: float
    starvation_over_s: float
    starvation_factor: float
    buffer_rule: BufferRule
    buffer_rule_on_s: float
    buffer_rule_off_s: float
    abandon_rule: AbandonRule
    switch_history_samples: int
    switch_history_share: float
