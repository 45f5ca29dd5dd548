"""requestMediaKeySystemAccess (EME 3.2): which key systems there are, and what a page may have of them.

Knows no key system by itself: the caller brings the tables. Whom to ask for consent is the caller's too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from player.eme.capabilities import Capability, narrowed
from player.eme.content_type import MediaKind
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.key_system import KeySystem, Requirement, Way
from player.eme.status import SessionType
from player.errors import EmeError

REQUIRED, OPTIONAL, NOT_ALLOWED = Requirement.REQUIRED, Requirement.OPTIONAL, Requirement.NOT_ALLOWED


class Need(StrEnum):
    """What a user must consent to. The values are the names of the members in question."""

    DISTINCTIVE_IDENTIFIER = "distinctive_identifier"
    PERSISTENT_STATE = "persistent_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """MediaKeySystemConfiguration (EME 3.3). `session_types` None: not given, which means temporary."""

    label: str = ""
    init_data_types: tuple[str, ...] = ()
    audio_capabilities: tuple[Capability, ...] = ()
    video_capabilities: tuple[Capability, ...] = ()
    distinctive_identifier: Requirement = OPTIONAL
    persistent_state: Requirement = OPTIONAL
    session_types: tuple[str, ...] | None = None

    def needs(self) -> tuple[Need, ...]:
        """What a user is asked about before this is granted."""
        has = (
            (Need.DISTINCTIVE_IDENTIFIER, self.distinctive_identifier),
            (Need.PERSISTENT_STATE, self.persistent_state),
        )
        return tuple(need for need, requirement in has if requirement is REQUIRED)

    def copied(self) -> Configuration:
        """Equal, and new all through."""
        return replace(
            self,
            audio_capabilities=tuple(replace(it) for it in self.audio_capabilities),
            video_capabilities=tuple(replace(it) for it in self.video_capabilities),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """MediaKeySystemAccess (EME 4): the key system's name exactly as asked for, and what was granted.

    `supports`: the key system as far as it was granted.
    """

    key_system: str
    configuration: Configuration
    supports: KeySystem

    @property
    def uses_distinctive_identifier(self) -> bool:
        return self.configuration.distinctive_identifier is REQUIRED

    @property
    def may_persist_state(self) -> bool:
        """Without it nothing is stored, and nothing that was stored is read (EME 4.2 createMediaKeys, 5.3)."""
        return self.configuration.persistent_state is REQUIRED


class Consent:
    """The answers of one request: nobody is asked twice."""

    __slots__ = ("_answers", "_ask")

    def __init__(self, ask: Callable[[Need], bool]) -> None:
        self._ask = ask
        self._answers: dict[Need, bool] = {}

    def given(self, need: Need) -> bool:
        if need not in self._answers:
            self._answers[need] = self._ask(need)
        return self._answers[need]

    def denied(self, need: Need) -> bool:
        """Whether the answer was no; False where nobody was asked."""
        return not self._answers.get(need, True)


def arguments_refused(key_system: str, configurations: Sequence[Configuration]) -> EmeTypeError | None:
    """Steps 2 and 3, which come before anything asynchronous."""
    if not key_system:
        return EmeTypeError("the key system has no name")
    if not configurations:
        return EmeTypeError("no configuration is given")
    return None


def request_access(
    key_system: str,
    configurations: Sequence[Configuration],
    known: Mapping[str, KeySystem],
    ask: Callable[[Need], bool] = lambda _need: True,
) -> Access | EmeError:
    """The first configuration that can be satisfied and is consented to; the rest is not looked at.

    Names are compared exactly. `ask` puts a question to the user.
    """
    refused = arguments_refused(key_system, configurations)
    if refused is not None:
        return refused
    supports = known.get(key_system)
    if supports is None:
        return NotSupportedError(f"no key system {key_system!r}; there are: {', '.join(sorted(known))}")
    consent = Consent(ask)
    for asked in configurations:
        granted = _consented(asked, supports, consent)
        if granted is not None:
            return Access(key_system=key_system, configuration=granted, supports=_restricted(supports, granted))
    return NotSupportedError(f"{key_system} can satisfy none of the configurations")


def _consented(asked: Configuration, supports: KeySystem, consent: Consent) -> Configuration | None:
    """Get Supported Configuration (EME 3.2.2.1): again without what was denied, until nothing is left to deny."""
    while True:
        granted = _satisfied(asked, supports, consent)
        if granted is None or all(consent.given(need) for need in granted.needs()):
            return granted


def _satisfied(asked: Configuration, supports: KeySystem, consent: Consent) -> Configuration | None:
    """Get Supported Configuration and Consent (EME 3.2.2.2) but for the question itself; None where it cannot be."""
    init_data_types = tuple(kind for kind in asked.init_data_types if kind in supports.init_data_types)
    session_types = (SessionType.TEMPORARY,) if asked.session_types is None else asked.session_types
    identifier = _permitted(Need.DISTINCTIVE_IDENTIFIER, asked.distinctive_identifier, consent)
    state = _stated(session_types, _permitted(Need.PERSISTENT_STATE, asked.persistent_state, consent), supports)
    if (
        identifier is None
        or state is None
        or (asked.init_data_types and not init_data_types)
        or not set(session_types) <= set(supports.session_types)
        or not (asked.video_capabilities or asked.audio_capabilities)
    ):
        return None
    video = narrowed(_ways(supports.ways, identifier, state), asked.video_capabilities, MediaKind.VIDEO, supports)
    audio = narrowed(video.ways, asked.audio_capabilities, MediaKind.AUDIO, supports)
    if not audio.ways:
        return None
    identifier = _settled([way.distinctive_identifier for way in audio.ways], identifier)
    state = _settled([way.persistent_state for way in _ways(audio.ways, identifier, state)], state)
    return Configuration(
        label=asked.label,
        init_data_types=init_data_types,
        audio_capabilities=audio.accepted,
        video_capabilities=video.accepted,
        distinctive_identifier=identifier,
        persistent_state=state,
        session_types=session_types,
    )


def _permitted(need: Need, asked: Requirement, consent: Consent) -> Requirement | None:
    """Once consent was denied, "optional" counts as "not-allowed" and "required" cannot be had."""
    if not consent.denied(need):
        return asked
    return None if asked is REQUIRED else NOT_ALLOWED


def _stated(session_types: Sequence[str], asked: Requirement | None, supports: KeySystem) -> Requirement | None:
    """Persistent state as the session types need it (steps 12 to 14)."""
    persistent = any(kind != SessionType.TEMPORARY for kind in session_types)
    if persistent:
        return None if asked is NOT_ALLOWED or asked is None else REQUIRED
    return None if asked is REQUIRED and supports.state_needs_session else asked


def _ways(ways: Sequence[Way], identifier: Requirement, state: Requirement) -> tuple[Way, ...]:
    """Those that have what is required, and need nothing that is not allowed."""
    return tuple(
        way for way in ways if _fits(way.distinctive_identifier, identifier) and _fits(way.persistent_state, state)
    )


def _fits(has: Requirement, asked: Requirement) -> bool:
    return asked is OPTIONAL or has is OPTIONAL or has is asked


def _settled(offered: Sequence[Requirement], asked: Requirement) -> Requirement:
    """What is still "optional" becomes "required" where nothing goes without it, else "not-allowed" (18, 19)."""
    if asked is not OPTIONAL:
        return asked
    return REQUIRED if all(it is REQUIRED for it in offered) else NOT_ALLOWED


def _restricted(supports: KeySystem, granted: Configuration) -> KeySystem:
    """Only the session types granted can be created (EME 4.2, createMediaKeys)."""
    types = tuple(kind for kind in supports.session_types if kind in (granted.session_types or ()))
    return replace(supports, session_types=types)
