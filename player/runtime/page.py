"""EME without a player: a page that asks for key systems, makes sessions and passes messages and licenses by hand.

The checks of a method are made in the call; the CDM works beside the page; what it answers comes back as tasks of the
page's queue, and nothing that the contract orders bypasses that queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from player.cdm.make import KEY_SYSTEMS, make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.eme.access import Access, Capability, Configuration, request_access
from player.eme.errors import EmeTypeError
from player.errors import EmeError
from player.ids import Pool
from player.runtime.clock import running_clock
from player.runtime.media_keys import MediaKeys
from player.runtime.seed import run_seed
from player.runtime.task_queue import SPARE_TURNS, TaskQueue


class Page:
    """One emulated document, in a running loop. `seed` None: chance comes from the operating system."""

    def __init__(self, *, seed: int | None = None, cdm: CdmSpec | None = None, spare_turns: int = SPARE_TURNS) -> None:
        self._seed = run_seed(seed)
        self._cdm_spec = CdmSpec() if cdm is None else cdm
        self._clock = running_clock()
        self._pool = Pool()
        self._queue = TaskQueue(spare_turns)
        self._media_keys_made = 0

    def request_media_key_system_access(
        self, key_system: str, configurations: Sequence[Configuration | Mapping[str, Any]]
    ) -> asyncio.Future[MediaKeySystemAccess]:
        """EME 3.2. Fails with EmeTypeError (decided in the call) or NotSupportedError."""
        promise: asyncio.Future[MediaKeySystemAccess] = asyncio.get_running_loop().create_future()
        answer = self._access(key_system, configurations)
        if isinstance(answer, EmeTypeError):
            promise.set_exception(answer)
        else:
            self._queue.put(lambda: self._settle(promise, answer))
        return promise

    def create_media_keys(self, access: Access) -> asyncio.Future[MediaKeys]:
        """EME 4.2: a CDM of its own, with chance of its own."""
        client = f"{self._media_keys_made}" if self._media_keys_made == 0 else f"0.{self._media_keys_made}"
        self._media_keys_made += 1
        promise: asyncio.Future[MediaKeys] = asyncio.get_running_loop().create_future()
        keys = MediaKeys(
            access,
            make(access.key_system, self._cdm_spec, self._pool, self._clock.epoch_us),
            draw=Draw(self._seed, client),
            pool=self._pool,
            clock=self._clock,
            queue=self._queue,
        )
        self._queue.put(lambda: None if promise.done() else promise.set_result(keys))
        return promise

    def _access(self, key_system: object, configurations: object) -> Access | EmeError:
        if not isinstance(key_system, str) or not isinstance(configurations, Sequence):
            return EmeTypeError("the key system is a str, and the configurations are a sequence")
        try:
            read = [_configuration(it) for it in configurations]
        except EmeTypeError as error:
            return error
        return request_access(key_system, read, KEY_SYSTEMS)

    def _settle(self, promise: asyncio.Future[MediaKeySystemAccess], answer: Access | EmeError) -> None:
        if promise.done():
            return
        if isinstance(answer, EmeError):
            promise.set_exception(answer)
        else:
            promise.set_result(MediaKeySystemAccess(self, answer))


class MediaKeySystemAccess:
    """MediaKeySystemAccess (EME 4): what was granted."""

    def __init__(self, page: Page, access: Access) -> None:
        self._page = page
        self._access = access

    @property
    def key_system(self) -> str:
        """Exactly as it was asked for."""
        return self._access.key_system

    def get_configuration(self) -> Configuration:
        """A new, equal object at each call."""
        return replace(self._access.configuration)

    def create_media_keys(self) -> asyncio.Future[MediaKeys]:
        return self._page.create_media_keys(self._access)


def _configuration(given: object) -> Configuration:
    """Unknown members are ignored (WebIDL). Raises: EmeTypeError."""
    if isinstance(given, Configuration):
        return given
    if not isinstance(given, Mapping):
        raise EmeTypeError("a configuration is a Configuration or a mapping")
    types = given.get("session_types")
    return Configuration(
        label=str(given.get("label", "")),
        init_data_types=_strings(given.get("init_data_types", ())),
        audio_capabilities=_capabilities(given.get("audio_capabilities", ())),
        video_capabilities=_capabilities(given.get("video_capabilities", ())),
        session_types=None if types is None else _strings(types),
    )


def _capabilities(given: object) -> tuple[Capability, ...]:
    return tuple(_capability(it) for it in _items(given))


def _capability(given: object) -> Capability:
    if isinstance(given, Capability):
        return given
    if not isinstance(given, Mapping):
        raise EmeTypeError("a capability is a Capability or a mapping")
    scheme = given.get("encryption_scheme")
    return Capability(
        content_type=str(given.get("content_type", "")),
        robustness=str(given.get("robustness", "")),
        encryption_scheme=None if scheme is None else str(scheme),
    )


def _strings(given: object) -> tuple[str, ...]:
    return tuple(str(it) for it in _items(given))


def _items(given: object) -> Sequence[object]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise EmeTypeError("a sequence was expected")
    return given
