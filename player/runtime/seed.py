"""Where the chance of a run begins: a seed that was given, or one from the operating system that is written nowhere."""

from __future__ import annotations

import secrets
from typing import Final

SEED_BITS: Final = 256


def run_seed(seed: int | None) -> int:
    return secrets.randbits(SEED_BITS) if seed is None else seed
