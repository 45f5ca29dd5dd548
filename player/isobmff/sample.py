"""Samples and how each is protected: what the parser finds, the CDM decrypts and the sinks are given.

The records live here so that `eme` and `cenc` need not know each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from player.ids import KeyId


class Scheme(StrEnum):
    """Protection schemes (ISO/IEC 23001-7, 4.2)."""

    CENC = "cenc"
    CENS = "cens"
    CBC1 = "cbc1"
    CBCS = "cbcs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What `tenc` or a `seig` entry says of a sample (ISO/IEC 23001-7, 6 and 8.2).

    `iv_size` 0 means `constant_iv` (8 or 16 bytes) for every sample. `crypt`:`skip` is the pattern in blocks of
    16 bytes, 0:0 where there is none. The all-zero `kid` of `tenc` means "no default key".
    """

    scheme: Scheme
    kid: KeyId
    iv_size: int
    constant_iv: bytes = b""
    crypt: int = 0
    skip: int = 0


class Sample(NamedTuple):
    """One sample. `protection` None: clear. `ranges` holds (clear bytes, protected bytes) pairs whose sum is `size`;
    empty: the whole sample is protected."""

    offset: int  # from the start of the fragment's data
    size: int  # bytes
    duration: int  # ticks of the track's timescale
    protection: Protection | None
    iv: bytes  # 8 or 16 bytes; b"" where the constant IV applies
    ranges: tuple[tuple[int, int], ...]
