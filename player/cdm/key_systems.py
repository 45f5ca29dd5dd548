"""What each key system of the lab can do: one table each, and what of it is there on a given device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from player.cdm.quirks.names import is_on
from player.cdm.spec import PERSISTENT_USAGE_RECORD, CdmSpec
from player.eme.content_type import MP4_CODECS, WEBM_CODECS
from player.eme.key_system import PLAIN_SESSION_TYPES, KeySystem, Requirement, Way
from player.eme.status import SessionType

CLEAR_KEY: Final = KeySystem(  # EME 9.1.1: no robustness, no identifier, no certificate; all its schemes are a choice
    init_data_types=("cenc", "keyids", "webm"),
    session_types=tuple(SessionType),
    enumerated=tuple(SessionType),
    codecs=(*MP4_CODECS, *WEBM_CODECS),
    ways=(Way(persistent_state=Requirement.OPTIONAL),),
    state_needs_session=True,
    shareable=True,
)

HIERARCHY: Final = KeySystem(  # all of it a choice
    init_data_types=("cenc", "keyids"),
    session_types=tuple(SessionType),
    enumerated=tuple(SessionType),
    ways=(  # one for each robustness level of a device, the weakest first; the last protects the path of video alone
        Way(video_robustness=("1",), audio_robustness=("1",), persistent_state=Requirement.OPTIONAL),
        Way(video_robustness=("1", "2"), audio_robustness=("1", "2"), persistent_state=Requirement.OPTIONAL),
        Way(video_robustness=("1", "2", "3"), audio_robustness=("1",), persistent_state=Requirement.OPTIONAL),
    ),
    server_certificate=True,
)


def on_device(supports: KeySystem, spec: CdmSpec) -> KeySystem:
    """As far as the device reaches, and without the session types of features that are off."""
    enumerated = tuple(SessionType) if PERSISTENT_USAGE_RECORD in spec.features else PLAIN_SESSION_TYPES
    device = replace(
        supports,
        session_types=tuple(kind for kind in supports.session_types if kind in enumerated),
        enumerated=enumerated,
        ways=supports.ways[: spec.robustness_level],
        create_after_loss=spec.create_after_loss,
    )
    return with_quirks(device, spec.quirks)


def with_quirks(supports: KeySystem, quirks: Collection[str]) -> KeySystem:
    """With what deviations change in it."""
    if not quirks:
        return supports
    certificate = supports.server_certificate and not is_on(quirks, "no_server_certificate")
    return replace(
        supports,
        server_certificate=certificate or is_on(quirks, "no_server_certificate", "rejects"),
        needs_attach=supports.needs_attach or is_on(quirks, "attach_first", "", "needs_attach"),
        needs_encrypted_event=is_on(quirks, "attach_first", "needs_encrypted_event"),
        channel_per_key=is_on(quirks, "channel_per_key"),
        empty_policy=is_on(quirks, "empty_input_accepted"),
        any_case=is_on(quirks, "lax_matching"),
    )
