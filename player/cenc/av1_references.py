"""What an AV1 frame leaves for the headers of frames to come, and what follows from the order of frames.

AV1, 7.8 (set frame refs), 7.20 (reference frame update) and 5.9.22 (skip mode).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

REFERENCES: Final = 8  # NUM_REF_FRAMES
REFERENCES_OF_A_FRAME: Final = 7  # REFS_PER_FRAME
_LAST, _LAST2, _LAST3, _GOLDEN, _BACKWARD, _ALTERNATE2, _ALTERNATE = range(REFERENCES_OF_A_FRAME)

Quantizers = tuple[int | None, ...]
"""SEG_LVL_ALT_Q of each segment, None where it is not active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    key_frame: bool
    size: tuple[int, int]  # UpscaledWidth, FrameHeight
    order_hint: int
    quantizers: Quantizers


Slots = tuple[Reference | None, ...]
"""ref_frame: None where none has come."""


def reference(slots: Slots, index: int) -> Reference:
    """Raises: ValueError where none has come."""
    found = slots[index]
    if found is None:
        raise ValueError(f"a frame that refers to frame {index}, which has not come")
    return found


def relative_distance(a: int, b: int, order_hint_bits: int) -> int:
    """get_relative_dist (5.9.3)."""
    half = 1 << order_hint_bits - 1
    difference = a - b
    return (difference & half - 1) - (difference & half)


def set_references(slots: Slots, last: int, golden: int, order_hint: int, order_hint_bits: int) -> tuple[int, ...]:
    """ref_frame_idx of a frame that names two of its references (7.8)."""
    hints = [relative_distance(reference(slots, i).order_hint, order_hint, order_hint_bits) for i in range(REFERENCES)]
    used = {last, golden}
    chosen: dict[int, int] = {_LAST: last, _GOLDEN: golden}

    def choose(name: int, best: Callable[[Sequence[int]], int | None]) -> None:
        found = best([i for i in range(REFERENCES) if i not in used])
        if name not in chosen and found is not None:
            chosen[name] = found
            used.add(found)

    def latest(among: Sequence[int]) -> int | None:
        return max(reversed(among), key=hints.__getitem__, default=None)  # of equal ones the last

    def earliest(among: Sequence[int]) -> int | None:
        return min(among, key=hints.__getitem__, default=None)  # of equal ones the first

    choose(_ALTERNATE, lambda free: latest([i for i in free if hints[i] >= 0]))
    choose(_BACKWARD, lambda free: earliest([i for i in free if hints[i] >= 0]))
    choose(_ALTERNATE2, lambda free: earliest([i for i in free if hints[i] >= 0]))
    for name in (_LAST2, _LAST3, _BACKWARD, _ALTERNATE2, _ALTERNATE):
        choose(name, lambda free: latest([i for i in free if hints[i] < 0]))
    rest = min(range(REFERENCES), key=hints.__getitem__)
    return tuple(chosen.get(name, rest) for name in range(REFERENCES_OF_A_FRAME))


def skip_mode_allowed(hints: Sequence[int], order_hint: int, order_hint_bits: int) -> bool:
    """Whether there is a reference on either side, or a second one before (5.9.22). `hints`: of the references."""
    distances = [relative_distance(each, order_hint, order_hint_bits) for each in hints]
    before = [(distance, hint) for distance, hint in zip(distances, hints, strict=True) if distance < 0]
    if not before:
        return False
    if any(distance > 0 for distance in distances):
        return True
    _, nearest = max(before)
    return any(relative_distance(hint, nearest, order_hint_bits) < 0 for hint in hints)
