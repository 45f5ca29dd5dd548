"""What a user may choose when content is packaged: frozen, plain data, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from player.backend.spec import Rotation
from player.errors import UsageError
from player.isobmff.sample import Scheme

IV_SIZES: Final[Mapping[Scheme, tuple[int, ...]]] = {  # bytes; the first is the default (23001-7, 10)
    Scheme.CENC: (8, 16),
    Scheme.CENS: (8, 16),
    Scheme.CBC1: (16,),
    Scheme.CBCS: (16,),  # the constant one
}
PATTERNED: Final = (Scheme.CENS, Scheme.CBCS)
_MAX_BLOCKS: Final = 15  # four bits each (23001-7, 8.2)


class SegmentForm(StrEnum):
    """How the MPD names segments (23009-1, 5.3.9)."""

    TEMPLATE = "template"  # SegmentTemplate with $Number$
    TIME = "time"  # SegmentTemplate with $Time$ and SegmentTimeline
    BASE = "base"  # one file a Representation, with a sidx


class PsshKind(StrEnum):
    COMMON = "common"  # version 1 with KIDs (W3C, "cenc" Initialization Data Format)
    CLEARKEY = "clearkey"  # the same under DASH-IF's id of Clear Key
    LAB = "lab"  # of org.keystorm.hierarchy


class PsshPlace(StrEnum):
    MOOV = "moov"
    MOOF = "moof"
    MPD = "mpd"


PLACES: Final[Mapping[Rotation, frozenset[PsshPlace]]] = {  # DASH-IF IOP v5 part 6, 9.1 to 9.4
    Rotation.NONE: frozenset({PsshPlace.MOOV, PsshPlace.MPD}),
    Rotation.NEW_PERIOD: frozenset({PsshPlace.MOOV, PsshPlace.MPD}),
    Rotation.IN_BAND: frozenset({PsshPlace.MOOF}),
    Rotation.HIERARCHY: frozenset(PsshPlace),
}
"""Where `pssh` boxes go unless said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds. `iv_size` 0, `kinds` and `places` None: the usual ones.

    Raises: UsageError for what does not go together.
    """

    scheme: Scheme = Scheme.CENC
    pattern: tuple[int, int] = (1, 9)  # blocks of video encrypted and skipped, in cens and cbcs
    iv_size: int = 0
    form: SegmentForm = SegmentForm.TEMPLATE
    segment: Fraction = Fraction(2)
    clear_lead: Fraction = Fraction(0)
    rotation: Rotation = Rotation.NONE
    crypto_period: Fraction | None = None
    period_at: tuple[Fraction, ...] = ()
    kinds: tuple[PsshKind, ...] | None = None
    places: frozenset[PsshPlace] | None = None
    license_url: str = ""

    def __post_init__(self) -> None:
        for holds, message in self._demands():
            if not holds:
                raise UsageError(message)

    @property
    def iv_bytes(self) -> int:
        return self.iv_size or IV_SIZES[self.scheme][0]

    @property
    def pssh_in(self) -> frozenset[PsshPlace]:
        return PLACES[self.rotation] if self.places is None else self.places

    @property
    def pssh_kinds(self) -> tuple[PsshKind, ...]:
        usual = PsshKind.LAB if self.rotation is Rotation.HIERARCHY else PsshKind.COMMON
        return (usual,) if self.kinds is None else self.kinds

    @property
    def in_band(self) -> bool:
        """Keys are named in sample groups, since `tenc` cannot name them all."""
        return self.rotation in (Rotation.IN_BAND, Rotation.HIERARCHY)

    def pattern_of(self, kind: str) -> tuple[int, int]:
        """Audio has every whole block of a sample encrypted: 0:0."""
        return self.pattern if self.scheme in PATTERNED and kind == "video" else (0, 0)

    def crypto_period_at(self, instant: Fraction) -> int:
        return 0 if self.crypto_period is None else int(instant / self.crypto_period)

    def _demands(self) -> tuple[tuple[bool, str], ...]:
        crypt, skip = self.pattern
        sizes = " or ".join(map(str, IV_SIZES[self.scheme]))
        rotating = self.rotation is not Rotation.NONE
        places = self.pssh_in
        return (
            (
                max(crypt, skip) <= _MAX_BLOCKS and not (skip and not crypt),
                f"a pattern of {crypt}:{skip}: at most 15:15, and something must be encrypted",
            ),
            (self.iv_bytes in IV_SIZES[self.scheme], f"{self.scheme} has IVs of {sizes} bytes, not {self.iv_size}"),
            (rotating == (self.crypto_period is not None), "a rotation and a crypto period go together"),
            (
                self.rotation is not Rotation.IN_BAND or places <= {PsshPlace.MOOF},
                "keys that rotate in-band are named in the moof, not in moov or MPD",
            ),
            (
                self.rotation is not Rotation.HIERARCHY or PsshPlace.MOOF in places,
                "the keys of a hierarchy travel in the moof: it must be among the places of pssh boxes",
            ),
            (
                self.rotation is not Rotation.HIERARCHY or self.pssh_kinds == (PsshKind.LAB,),
                "the keys of a hierarchy travel in pssh boxes of the lab key system and no other",
            ),
        )
