"""License scope: which keys one license is taken to cover (RxPlayer issue 863, Multiple keys per license).

Scope is judged here alone and never enlarges a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from player.drm.init_data import InitData
from player.drm.profile import LicenseScope
from player.ids import KeyId


class Listed(NamedTuple):
    """One key that the manifest lists, and where."""

    period: str
    adaptation_set: str
    representation: str
    kid: KeyId


Layout = tuple[Listed, ...]
"""Every default_KID of a manifest, in its order; shared by all clients of that version."""


def covered(scope: LicenseScope, init_data: InitData, layout: Layout) -> tuple[KeyId, ...]:
    """The keys that a license for this init data is taken to cover: its own, and those of its scope unit.

    Keys that the manifest does not list (in-band rotation, announced ahead) belong to no unit of `representation`,
    `adaptation` or `period`.
    """
    own = init_data.kids
    if scope is not LicenseScope.MEDIA and not any(row.kid in own for row in layout):
        return own
    return tuple(dict.fromkeys((*own, *_UNITS[scope](init_data, layout))))


def _init_data(_init_data: InitData, _layout: Layout) -> list[KeyId]:
    return []


def _representation(init_data: InitData, layout: Layout) -> list[KeyId]:
    unit = init_data.unit
    return [row.kid for row in layout if unit is not None and row[:3] == unit]


def _adaptation(init_data: InitData, layout: Layout) -> list[KeyId]:
    unit = init_data.unit
    return [row.kid for row in layout if unit is not None and row[:2] == unit[:2]]


def _period(init_data: InitData, layout: Layout) -> list[KeyId]:
    """The Period's keys, and those of every other Period that shares one with what is covered, in manifest order."""
    home = init_data.unit.period if init_data.unit is not None else None
    kids = dict.fromkeys([*init_data.kids, *(row.kid for row in layout if row.period == home)])
    by_period: dict[str, list[KeyId]] = {}
    for row in layout:
        by_period.setdefault(row.period, []).append(row.kid)
    for listed in by_period.values():
        if any(kid in kids for kid in listed):
            kids.update(dict.fromkeys(listed))
    return list(kids)


def _media(_init_data: InitData, layout: Layout) -> list[KeyId]:
    return [row.kid for row in layout]


_UNITS: Final[dict[LicenseScope, Callable[[InitData, Layout], list[KeyId]]]] = {
    LicenseScope.INIT_DATA: _init_data,
    LicenseScope.REPRESENTATION: _representation,
    LicenseScope.ADAPTATION: _adaptation,
    LicenseScope.PERIOD: _period,
    LicenseScope.MEDIA: _media,
}
