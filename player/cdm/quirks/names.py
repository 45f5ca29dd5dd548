"""The names under which deviations are switched on: `NAME[:AMOUNT][:FORM]`, or the name of a preset."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from player.cdm.quirks.layer import Chosen
from player.cdm.quirks.table import PRESETS, QUIRKS
from player.eme.cdm import Cdm
from player.errors import UsageError

MAX_AMOUNT: Final = 1_000_000
_AMOUNT: Final = re.compile(r"[1-9][0-9]{0,6}")
_MAX_NAME: Final = 60  # characters of a name that are repeated in an error


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """With the deviations of a preset in its place, each once. Raises: UsageError for a name that nobody knows."""
    each = [it for name in names for it in PRESETS.get(name, (name,))]
    for name in each:
        chosen(name)
    return tuple(dict.fromkeys(each))


def chosen(name: str) -> Chosen:
    """Raises: UsageError, naming what there is."""
    root, *parts = name.split(":")
    quirk = QUIRKS.get(root)
    if quirk is None:
        there_are = ", ".join(sorted((*QUIRKS, *PRESETS)))
        raise UsageError(f"the CDM has no quirk {name[:_MAX_NAME]!r}; there are: {there_are}")
    amount = quirk.amount
    if quirk.amount and parts and _AMOUNT.fullmatch(parts[0]) and int(parts[0]) <= MAX_AMOUNT:
        amount = int(parts.pop(0))
    if len(parts) > 1 or (parts and parts[0] not in quirk.forms):
        raise UsageError(f"no quirk {name[:_MAX_NAME]!r}; there are: {', '.join(_forms(root))}")
    return Chosen(root, parts[0] if parts else "", amount)


def is_on(names: Iterable[str], root: str, *forms: str) -> bool:
    """Whether one of these forms of a deviation is switched on; without forms: any of it."""
    found = [it for it in map(chosen, names) if it.name == root]
    return any(not forms or it.form in forms for it in found)


def amount(names: Iterable[str], root: str) -> int | None:
    """The number that a deviation was given; None: it is not switched on."""
    return next((it.amount for it in map(chosen, names) if it.name == root), None)


def around(cdm: Cdm, names: Iterable[str]) -> Cdm:
    """The CDM with its deviations around it, the first one innermost."""
    for it in map(chosen, names):
        layer = QUIRKS[it.name].layer
        cdm = cdm if layer is None else layer(cdm, it)
    return cdm


def _forms(root: str) -> list[str]:
    number = f"{root}:{QUIRKS[root].amount}" if QUIRKS[root].amount else ""
    return [root, *([number] if number else []), *(f"{root}:{form}" for form in QUIRKS[root].forms)]
