"""Deviations in which key decrypts what."""

from __future__ import annotations

from typing import Final

from player.cdm.quirks.layer import OPENS, Chosen, Tracking
from player.chance import Draw
from player.eme.cdm import Call, Cdm, CdmResult, GenerateRequest, Handled, SessionChange, Update
from player.eme.init_data import key_ids
from player.eme.status import KeyStatus
from player.ids import KeyId

_SERVES: Final = (KeyStatus.USABLE, KeyStatus.OUTPUT_DOWNSCALED, KeyStatus.OUTPUT_RESTRICTED)


class ChannelPerKey(Tracking):
    """Q26: an open session must have been asked for a key by its id before its samples are decrypted."""

    __slots__ = ("_channels",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._channels: dict[int, tuple[KeyId, ...]] = {}

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if isinstance(call, GenerateRequest) and handled.error is None:
            self._channels[call.slot] = key_ids(call.init_data_type, call.init_data)
        return handled

    def stops(self, kid: KeyId) -> bool:
        return not any(kid in named for named in self._channels.values())

    def forget(self, slot: int) -> None:
        self._channels.pop(slot, None)


class LatestSessionWins(Tracking):
    """Q38: of several sessions with a key the one updated last decides, even where it cannot decrypt."""

    __slots__ = ("_maps",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._maps: dict[int, dict[KeyId, KeyStatus]] = {}  # by slot, the session updated last at the end

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self.cdm.handle(call, now, draw)
        if isinstance(call, (*OPENS, Update)) and isinstance(result, Handled) and result.error is None:
            self._maps[call.slot] = self._maps.pop(call.slot, {})
        return result

    def shown(self, change: SessionChange) -> SessionChange:
        if change.statuses is not None:
            self._maps[change.slot] = dict(change.statuses)
        return change

    def stops(self, kid: KeyId) -> bool:
        found = next((held[kid] for held in reversed(self._maps.values()) if kid in held), None)
        return found is not None and found not in _SERVES

    def forget(self, slot: int) -> None:
        self._maps.pop(slot, None)
