"""EME without a player: a page that asks for key systems, makes sessions and passes messages and licenses by hand.

The checks of a method are made in the call; the CDM works beside the page; what it answers comes back as tasks of the
page's queue, and nothing that the contract orders bypasses that queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from player.cdm.make import key_systems, make
from player.cdm.own import OwnCdm
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.eme.access import Access, Configuration, Need, arguments_refused, request_access
from player.eme.attach import DEFAULT_RULES, AttachRules
from player.eme.element_quirks import element_quirks
from player.eme.errors import EmeTypeError, SecurityError
from player.eme.surface_quirks import surface_quirks
from player.errors import EmeError
from player.ids import Pool
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.clock import running_clock
from player.runtime.configurations import configurations as converted
from player.runtime.media_element import MediaElement
from player.runtime.media_keys import MediaKeys
from player.runtime.page_sessions import PageSessions
from player.runtime.permissions import ALL_ALLOWED, Permissions, Prompt
from player.runtime.seed import run_seed
from player.runtime.sinks import Sink
from player.runtime.task_queue import SPARE_TURNS, TaskQueue

T = TypeVar("T")

Asked = Sequence[Configuration | Mapping[str, Any]]
RequestAccess = Callable[[str, Asked], "asyncio.Future[MediaKeySystemAccess]"]


class Page:
    """One emulated document, in a running loop. `seed` None: chance comes from the operating system.

    `secure`: whether it is a secure context. `profile` None: a private one of its own, in memory.
    """

    def __init__(
        self,
        *,
        origin: str = "https://player.example",
        secure: bool = True,
        permissions: Permissions = ALL_ALLOWED,
        profile: BrowsingProfile | None = None,
        seed: int | None = None,
        cdm: CdmSpec | OwnCdm | None = None,
        spare_turns: int = SPARE_TURNS,
    ) -> None:
        self.origin = origin
        self.profile = BrowsingProfile() if profile is None else profile
        self.prompts: list[Prompt] = []  # every question that its user was asked, in order
        self._secure = secure
        self._permissions = permissions
        self._seed = run_seed(seed)
        self._cdm_spec = CdmSpec() if cdm is None else cdm
        self._clock = running_clock()
        self._pool = Pool()
        self._queue = TaskQueue(spare_turns)
        self._media_keys_made: list[MediaKeys] = []
        self._sessions = PageSessions(self.profile.store(origin))

    @property
    def request_media_key_system_access(self) -> RequestAccess:
        """`(key_system, configurations) -> Future[MediaKeySystemAccess]` (EME 3.2).

        Fails in the call with EmeTypeError or SecurityError, later with NotSupportedError.
        Raises: AttributeError on a page that is no secure context: there the method does not exist.
        """
        if not self._secure:
            raise AttributeError("request_media_key_system_access is for secure contexts only")
        return self._request_access

    def create_media_keys(self, access: Access) -> asyncio.Future[MediaKeys]:
        """EME 4.2: a CDM of its own, with chance of its own. Fails with what `CdmSpec.create_fail` names."""
        promise: asyncio.Future[MediaKeys] = asyncio.get_running_loop().create_future()
        self._queue.put(lambda: _settle(promise, lambda: self._media_keys(access)))
        return promise

    def media_element(self, *, rules: AttachRules = DEFAULT_RULES, sink: Sink | None = None) -> MediaElement:
        """A media element to be fed by hand. `sink`: where its clear samples go; None: they are digested."""
        return MediaElement(self._queue, rules=rules, quirks=element_quirks(self._cdm_spec.quirks), sink=sink)

    def leave(self) -> None:
        """The page goes away: what is to outlive it is stored, and nobody sees anything else of it."""
        self._queue.clear()
        for keys in self._media_keys_made:
            keys.destroy()

    def _request_access(self, key_system: str, configurations: Asked) -> asyncio.Future[MediaKeySystemAccess]:
        promise: asyncio.Future[MediaKeySystemAccess] = asyncio.get_running_loop().create_future()
        try:
            asked = self._arguments(key_system, configurations)
        except EmeError as error:
            promise.set_exception(error)
        else:
            self._queue.put(lambda: _settle(promise, lambda: self._access(key_system, asked)))
        return promise

    def _arguments(self, key_system: object, configurations: object) -> tuple[Configuration, ...]:
        """WebIDL's conversions, then steps 1 to 3. Raises: EmeTypeError, SecurityError."""
        if not isinstance(key_system, str):
            raise EmeTypeError("the key system is a str")
        asked = converted(configurations)
        if not self._permissions.encrypted_media:
            raise SecurityError("this page is not allowed to use encrypted-media")
        refused = arguments_refused(key_system, asked)
        if refused is not None:
            raise refused
        return asked

    def _access(self, key_system: str, asked: tuple[Configuration, ...]) -> MediaKeySystemAccess:
        """Raises: NotSupportedError."""
        known = key_systems(self._cdm_spec)
        if surface_quirks(self._cdm_spec.quirks).lax_matching:
            key_system = key_system.lower()
        answer = request_access(key_system, asked, known, lambda need: self._consents(key_system, need))
        if isinstance(answer, EmeError):
            raise answer
        return MediaKeySystemAccess(self, answer)

    def _consents(self, key_system: str, need: Need) -> bool:
        prompt = Prompt(origin=self.origin, key_system=key_system, need=need)
        self.prompts.append(prompt)
        try:
            return self._permissions.answer(prompt)
        except Exception as error:  # noqa: BLE001  # a faulty answer is no consent, and the request goes on
            context = {"message": "the answer to a prompt raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            return False

    def _media_keys(self, access: Access) -> MediaKeys:
        number = len(self._media_keys_made)
        client = f"0.{number}" if number else "0"
        keys = MediaKeys(
            access,
            make(access.key_system, self._cdm_spec, self._pool, self._clock.epoch_us),
            draw=Draw(self._seed, client),
            pool=self._pool,
            clock=self._clock,
            queue=self._queue,
            page_sessions=self._sessions,
            quirks=surface_quirks(self._cdm_spec.quirks),
        )
        self._media_keys_made.append(keys)
        return keys


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
        """A new, equal object at each call, capabilities and all. It never says "optional"."""
        return self._access.configuration.copied()

    def create_media_keys(self) -> asyncio.Future[MediaKeys]:
        return self._page.create_media_keys(self._access)


def _settle(promise: asyncio.Future[T], make_value: Callable[[], T]) -> None:
    if promise.done():
        return
    try:
        promise.set_result(make_value())
    except EmeError as error:
        promise.set_exception(error)
