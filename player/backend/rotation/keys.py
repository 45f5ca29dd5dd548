"""Which KID and which key protect a track in a crypto period.

A key is a draw, so it can be made again from its number at any time; a ring only remembers the KIDs it gave out, since
a KID cannot be turned back into its number. It knows no content id and no client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from player.backend.common.keys import HeldKey, KeyKind
from player.backend.rotation.schedule import Schedule
from player.backend.spec import KeyPlan
from player.chance import Draw, Purpose
from player.clock import MILLISECOND
from player.errors import BackendError
from player.ids import ContentKey, KeyId

_NUMBERS_PER_PERIOD: Final = 16  # number 0 is the root key; a tier each for the rest
_ROOT: Final = ("root", 0)


def key_tiers(kinds: Mapping[str, str], plan: KeyPlan) -> dict[str, str]:
    """The tier of each track (tracks of one tier share a key), from the kinds ("video", "audio") of tracks by name."""
    return {track: _tier(track, kind, plan) for track, kind in kinds.items()}


def _tier(track: str, kind: str, plan: KeyPlan) -> str:
    match plan:
        case KeyPlan.SINGLE:
            return "all"
        case KeyPlan.TRACK:
            return kind
        case KeyPlan.RESOLUTION:
            return track if kind == "video" else kind


class KeyRing:
    """The keys of one presentation. `series` keeps two presentations of one run apart."""

    def __init__(self, draw: Draw, tiers: Iterable[str], schedule: Schedule, *, epoch_us: int, series: int) -> None:
        self._draw = draw
        self._schedule = schedule
        self._media_epoch_us = epoch_us - schedule.lead
        self._series = series
        self._numbers = {tier: number for number, tier in enumerate(dict.fromkeys(tiers), start=1)}
        self._keys: dict[tuple[str, int], HeldKey] = {}
        self._by_kid: dict[KeyId, HeldKey] = {}
        self._periods: dict[str, int] = {}
        if len(self._numbers) >= _NUMBERS_PER_PERIOD:
            raise BackendError(
                "too-many-keys", f"{len(self._numbers)} keys at a time, at most {_NUMBERS_PER_PERIOD - 1}"
            )

    def content(self, tier: str, period: int) -> HeldKey:
        """The content key of a tier in a crypto period."""
        return self._keys.get((tier, period)) or self._make(tier, period, self._numbers[tier], KeyKind.CONTENT)

    def period(self, period: int) -> tuple[HeldKey, ...]:
        """The content keys of a crypto period."""
        return tuple(self.content(tier, period) for tier in self._numbers)

    def root(self) -> HeldKey:
        """The root key under which all content keys of the presentation can be wrapped."""
        return self._keys.get(_ROOT) or self._make(*_ROOT, 0, KeyKind.ROOT)

    def find(self, kid: KeyId) -> HeldKey | None:
        """The key of a KID that has been given out before."""
        return self._by_kid.get(kid)

    def group(self, group: str) -> tuple[HeldKey, ...]:
        """The content keys packaged together under this id."""
        return self.period(self._periods[group]) if group in self._periods else ()

    def following(self, key: HeldKey, count: int) -> tuple[HeldKey, ...]:
        """Keys of the same tier in the crypto periods after this key's."""
        if key.kind is KeyKind.ROOT or self._schedule.first_start is None:
            return ()
        return tuple(self.content(key.tier, key.period + step) for step in range(1, count + 1))

    def all(self) -> tuple[HeldKey, ...]:
        """Every key made so far."""
        return tuple(self._by_kid.values())

    def _make(self, tier: str, period: int, number: int, kind: KeyKind) -> HeldKey:
        counter = (period * 2 + self._series) * _NUMBERS_PER_PERIOD + number
        made = HeldKey(
            kid=KeyId.cenc(self._draw.value(Purpose.KID, counter, 16)),
            key=ContentKey(self._draw.value(Purpose.KEY, counter, 16)),
            group=self._group(period) if kind is KeyKind.CONTENT else "",
            tier=tier,
            period=period,
            kind=kind,
            from_ms=(self._media_epoch_us + self._schedule.start(period)) // MILLISECOND if period else None,
        )
        self._keys[(tier, period)] = self._by_kid[made.kid] = made
        return made

    def _group(self, period: int) -> str:
        """An id that says nothing of the content: drawn like the keys, from a number that no key has."""
        counter = (period * 2 + self._series) * _NUMBERS_PER_PERIOD
        group = "g-" + self._draw.value(Purpose.SERVICE, counter, 8).hex()
        self._periods[group] = period
        return group


class KeyRings:
    """Several rings as the one source of a license server."""

    def __init__(self, rings: Sequence[KeyRing]) -> None:
        self._rings = tuple(rings)

    def find(self, kid: KeyId) -> HeldKey | None:
        return next((key for ring in self._rings if (key := ring.find(kid)) is not None), None)

    def group(self, group: str) -> tuple[HeldKey, ...]:
        return tuple(key for ring in self._rings for key in ring.group(group))

    def following(self, key: HeldKey, count: int) -> tuple[HeldKey, ...]:
        return next((ring.following(key, count) for ring in self._rings if ring.find(key.kid) is not None), ())

    def all(self) -> tuple[HeldKey, ...]:
        return tuple(key for ring in self._rings for key in ring.all())
