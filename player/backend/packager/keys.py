"""Which key protects a track in a crypto period: the keys given by label, in the order of crypto periods, then draws.

Keys are asked for by label and crypto period only; who prints or keeps them is the caller's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from player.backend.packager.codecs import Codec
from player.chance import Draw, Purpose
from player.errors import UsageError
from player.ids import ContentKey, KeyId

ROOT: Final = "root"
"""The label of the key that wraps all others in a hierarchy."""
CLASSES: Final = {"SD": 768 * 576, "HD": 1920 * 1080, "UHD": 2**64}  # pixels at most, as Shaka Packager has them
LABELS: Final = ("all", "video", "audio", *CLASSES, ROOT)
_PERIODS_OF_A_LABEL: Final = 2**20  # counters of draws of one label stay apart from the next


class HeldPair(NamedTuple):
    kid: KeyId
    key: ContentKey


class KeyBook:
    """`given`: by label; none, or too few for the crypto periods, are made up by `draw`, None: they are not."""

    def __init__(self, given: Mapping[str, Sequence[HeldPair]], draw: Draw | None) -> None:
        self._given = given
        self._draw = draw
        self._used: dict[tuple[str, int], HeldPair] = {}

    @property
    def used(self) -> Mapping[tuple[str, int], HeldPair]:
        """The keys asked for so far, by label and crypto period."""
        return self._used

    def label(self, kind: str, codec: Codec) -> str:
        """The closest label there is a key for. Raises: UsageError where there is none."""
        candidates = labels_of(kind, codec)
        label = next((each for each in candidates if each in self._given), None)
        if label is None:
            raise UsageError(f"no key for {kind}: expected one with the label {' or '.join(candidates)}")
        return label

    def key(self, label: str, period: int = 0) -> HeldPair:
        """Raises: UsageError where fewer keys were given than there are crypto periods, and none can be drawn."""
        pair = self._used.get((label, period))
        if pair is None:
            pair = self._used[label, period] = self._find(label, period)
        return pair

    def _find(self, label: str, period: int) -> HeldPair:
        given = self._given.get(label, ())
        if period < len(given):
            return given[period]
        if self._draw is None:
            raise UsageError(f"{label}: {len(given)} keys for {period + 1} crypto periods; a seed would make the rest")
        counter = LABELS.index(label) * _PERIODS_OF_A_LABEL + period
        kid = KeyId.cenc(self._draw.value(Purpose.KID, counter, 16))
        return HeldPair(kid, ContentKey(self._draw.value(Purpose.KEY, counter, 16)))


def labels_of(kind: str, codec: Codec) -> tuple[str, ...]:
    """The labels that fit a track, the closest first."""
    if kind != "video":
        return kind, "all"
    pixels = codec.width * codec.height
    return next(name for name, most in CLASSES.items() if pixels <= most), kind, "all"


def by_label(pairs: Iterable[tuple[str, Sequence[HeldPair]]]) -> dict[str, tuple[HeldPair, ...]]:
    """Keys of one label in the order given."""
    found: dict[str, tuple[HeldPair, ...]] = {}
    for label, keys in pairs:
        found[label] = (*found.get(label, ()), *keys)
    return found
