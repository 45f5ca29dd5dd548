"""From the verdicts of keys to the verdict of a Representation that has several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from player.drm.keys import Verdict
from player.drm.profile import RepresentationRule

ALLOW, BLOCK, UNDECIDED = Verdict.ALLOW, Verdict.BLOCK, Verdict.UNDECIDED


def of_representation(rule: RepresentationRule, verdicts: Sequence[Verdict | None]) -> Verdict:
    """`verdicts`: of its keys in their order, None for one of which nothing is known. No key: allowed."""
    if not verdicts:
        return ALLOW
    return _RULES[rule](verdicts)


def _first_listed(verdicts: Sequence[Verdict | None]) -> Verdict:
    """The first key that any update has mentioned decides, whatever the others are (RxPlayer)."""
    return next((verdict for verdict in verdicts if verdict is not None), UNDECIDED)


def _all(verdicts: Sequence[Verdict | None]) -> Verdict:
    if BLOCK in verdicts:
        return BLOCK
    return ALLOW if all(verdict is ALLOW for verdict in verdicts) else UNDECIDED


def _any(verdicts: Sequence[Verdict | None]) -> Verdict:
    """One usable key is enough (dash.js); before all are judged nothing is blocked."""
    if ALLOW in verdicts:
        return ALLOW
    return BLOCK if all(verdict is BLOCK for verdict in verdicts) else UNDECIDED


_RULES: Final[dict[RepresentationRule, Callable[[Sequence[Verdict | None]], Verdict]]] = {
    RepresentationRule.FIRST_LISTED_KID: _first_listed,
    RepresentationRule.ALL_KIDS: _all,
    RepresentationRule.ANY_KID: _any,
    RepresentationRule.SEGMENT_KID: _all,  # for the choice of a quality; the segment in hand has one key
}
