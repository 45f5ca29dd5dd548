"""What a page may do, and what its user answers when asked (EME 3.2: permissions policy, consent)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from player.eme.access import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to the user: may this key system have that on this origin?"""

    origin: str
    key_system: str
    need: Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """`encrypted_media`: the policy-controlled feature of that name. `consent`: one answer to all, or by the prompt.

    Whoever answers with an exception has not consented.
    """

    encrypted_media: bool = True
    consent: bool | Callable[[Prompt], bool] = True

    def answer(self, prompt: Prompt) -> bool:
        return self.consent if isinstance(self.consent, bool) else bool(self.consent(prompt))


ALL_ALLOWED: Final = Permissions()
