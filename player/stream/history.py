"""What the last choices were, and the cap they set: a rung that was left downwards too often is not tried again.

Source: dash.js, SwitchHistoryRule.
"""

from __future__ import annotations

from player.stream.profile import Stream

History = tuple[tuple[int, bool], ...]
"""(rung chosen from, whether the step went down), the oldest first."""


def noted(history: History, old: int, new: int, rules: Stream) -> History:
    """With one more choice; nothing is kept where the profile has no such rule."""
    if rules.switch_history_samples == 0:
        return history
    return (*history, (old, new < old))[-rules.switch_history_samples :]


def cap(history: History, top: int, rules: Stream) -> int:
    """The highest rung that the history allows: below the first rung up to which drops are too large a share."""
    if not rules.switch_history_samples or len(history) < rules.switch_history_samples:
        return top
    drops = stays = 0
    for rung in range(top + 1):
        own = [dropped for old, dropped in history if old == rung]
        drops, stays = drops + sum(own), stays + len(own) - sum(own)
        if drops + stays >= rules.switch_history_samples and drops > rules.switch_history_share * stays:
            return rung - 1 if rung > 0 and any(own) else rung
    return top
