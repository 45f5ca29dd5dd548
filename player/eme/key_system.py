"""What a key system can do, as one frozen table: all that requestMediaKeySystemAccess and MediaKeys ask about it.

Knows no key system by name: each brings its own table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from player.eme.content_type import MP4_CODECS, Codec
from player.eme.status import SessionType


class Requirement(StrEnum):
    """MediaKeysRequirement (EME 3.4). In a `Way`: it cannot do without, it can do both, it has none."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NOT_ALLOWED = "not-allowed"


class Scheme(StrEnum):
    """Encryption schemes that a capability may name (EME 3.4.1)."""

    CENC = "cenc"
    CBCS = "cbcs"
    CBCS_1_9 = "cbcs-1-9"


ALL_SCHEMES: Final = tuple(Scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in which the implementation can work. A configuration is granted if one way does all that is in it.

    `video_robustness`, `audio_robustness`: the levels it reaches; "" (any) needs no entry.
    """

    video_robustness: tuple[str, ...] = ()
    audio_robustness: tuple[str, ...] = ()
    schemes: tuple[Scheme, ...] = ALL_SCHEMES
    distinctive_identifier: Requirement = Requirement.NOT_ALLOWED
    persistent_state: Requirement = Requirement.NOT_ALLOWED


PLAIN_SESSION_TYPES: Final = (SessionType.TEMPORARY, SessionType.PERSISTENT_LICENSE)  # those of the v2 draft


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySystem:
    """`session_types`: those it supports; where access was granted, those that were.

    `enumerated`: the session types that exist at all; any other name is no MediaKeySessionType.
    `state_needs_session`: it keeps state for sessions only, so "required" must come with a persistent session type.
    `needs_attach`: no session can be made before the MediaKeys are attached to an element.
    `needs_encrypted_event`: nor before an element that they are attached to has told of init data.
    `channel_per_key`: each key id must be asked for before its samples are pushed, whatever license brought its key.
    `empty_policy`: a policy without members is judged. `any_case`: types of init data are known in any letter case.
    `shareable`: one CDM can serve several elements, where the user agent lets it.
    `create_after_loss`: with the CDM gone for good it is generateRequest and load that fail, not yet createSession.
    """

    init_data_types: tuple[str, ...]
    session_types: tuple[SessionType, ...] = (SessionType.TEMPORARY,)
    enumerated: tuple[SessionType, ...] = PLAIN_SESSION_TYPES
    codecs: tuple[Codec, ...] = MP4_CODECS
    ways: tuple[Way, ...] = (Way(),)
    state_needs_session: bool = False
    server_certificate: bool = False
    needs_attach: bool = False
    needs_encrypted_event: bool = False
    channel_per_key: bool = False
    empty_policy: bool = False
    any_case: bool = False
    shareable: bool = False
    create_after_loss: bool = False
