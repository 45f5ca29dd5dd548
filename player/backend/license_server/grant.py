"""Which keys a request is answered with: the rule of the grant, what is withheld, and what has ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from player.backend.common.keys import HeldKey, KeySource
from player.backend.spec import LicenseSpec
from player.errors import BackendError
from player.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What every encoder receives. `until_ms` is the end of all its keys together, None: no end.

    `renew_at_ms`: when the license is to be renewed, None: never.
    """

    keys: tuple[HeldKey, ...]
    until_ms: int | None
    renew_at_ms: int | None = None


Candidates = Callable[[HeldKey], Iterable[HeldKey]]
"""From a key that was asked for to the keys that come with it, itself included."""


class Granter:
    """Grants by a `LicenseSpec`. Keys nobody holds, withheld keys and keys past their end are silently left out."""

    def __init__(self, spec: LicenseSpec, keys: KeySource) -> None:
        self._keys = keys
        self._candidates = _candidates(spec.grant, keys)
        self._withheld = frozenset(spec.withhold)
        self._validity_ms = None if spec.validity_s is None else round(spec.validity_s * 1000)
        self._renew_ms = None if spec.renew_s is None else round(spec.renew_s * 1000)

    def grant(self, kids: Iterable[KeyId], now_ms: int) -> Grant:
        """The asked keys first, each followed by what comes with it; no key twice."""
        keys = {key.kid: key for key in self._all(kids) if self._given(key, now_ms)}
        ends = [key.until_ms for key in keys.values() if key.until_ms is not None]
        if self._validity_ms is not None:
            ends.append(now_ms + self._validity_ms)
        renew_at_ms = None if self._renew_ms is None else now_ms + self._renew_ms
        return Grant(keys=tuple(keys.values()), until_ms=min(ends, default=None), renew_at_ms=renew_at_ms)

    def _all(self, kids: Iterable[KeyId]) -> Iterator[HeldKey]:
        for kid in kids:
            asked = self._keys.find(kid)
            if asked is not None:
                yield from self._candidates(asked)

    def _given(self, key: HeldKey, now_ms: int) -> bool:
        return key.kid not in self._withheld and (key.until_ms is None or key.until_ms > now_ms)


_NEXT: Final = re.compile(r"next:([1-9][0-9]{0,3})")


def _candidates(rule: str, keys: KeySource) -> Candidates:
    """Raises: BackendError for a rule that means nothing."""
    match = _NEXT.fullmatch(rule)
    if match is not None:
        others = int(match[1]) - 1
        return lambda asked: (asked, *keys.following(asked, others))
    rules: dict[str, Candidates] = {
        "requested": lambda asked: (asked,),
        "group": lambda asked: (asked, *keys.group(asked.group)),
        "all": lambda asked: (asked, *keys.all()),
    }
    if rule not in rules:
        raise BackendError("bad-grant", f"grant {rule!r}: neither {', '.join(rules)} nor next:K")
    return rules[rule]
