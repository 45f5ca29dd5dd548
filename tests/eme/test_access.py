"""requestMediaKeySystemAccess."""

from __future__ import annotations

import pytest

from player.eme.access import Access, Configuration, request_access
from player.eme.capabilities import Capability
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.key_system import KeySystem

NAME = "org.w3.clearkey"
KNOWN = {NAME: KeySystem(init_data_types=("cenc", "keyids"))}
VIDEO = (Capability(content_type='video/mp4; codecs="avc1.42E01E"'),)
PLAIN = Configuration(video_capabilities=VIDEO)


@pytest.mark.rule("A003")
@pytest.mark.rule("A004")
@pytest.mark.rule("A005")
@pytest.mark.parametrize(("name", "configurations"), [("", [PLAIN]), (NAME, []), ("", [])])
def test_empty_arguments_are_type_errors(name: str, configurations: list[Configuration]) -> None:
    assert isinstance(request_access(name, configurations, KNOWN), EmeTypeError)


@pytest.mark.rule("A006")
@pytest.mark.parametrize(
    "name",
    ["org.w3.ClearKey", "org.w3.clearkey.", " org.w3.clearkey", "org.w3", "org.w3.clearkey.x", "webkit-org.w3.clearkey",
     "org.w3.clearkeyé", "org.w3. clearkey"],
)  # fmt: skip
def test_every_other_spelling_of_a_key_system_is_unknown(name: str) -> None:
    assert isinstance(request_access(name, [PLAIN], KNOWN), NotSupportedError)


@pytest.mark.rule("A007")
@pytest.mark.rule("A009")
@pytest.mark.rule("A010")
def test_the_first_configuration_that_can_be_satisfied_wins() -> None:
    choices = [Configuration(label="none"), Configuration(label="one", video_capabilities=VIDEO), PLAIN]
    access = request_access(NAME, choices, KNOWN)
    assert isinstance(access, Access)
    assert (access.key_system, access.configuration.label) == (NAME, "one")


@pytest.mark.rule("A008")
@pytest.mark.rule("A017")
def test_a_configuration_without_capabilities_fails() -> None:
    assert isinstance(request_access(NAME, [Configuration()], KNOWN), NotSupportedError)


@pytest.mark.rule("A011")
def test_init_data_types_are_narrowed_to_those_supported() -> None:
    def granted(*types: str) -> tuple[str, ...] | None:
        access = request_access(NAME, [Configuration(init_data_types=types, video_capabilities=VIDEO)], KNOWN)
        return access.configuration.init_data_types if isinstance(access, Access) else None

    assert granted() == ()
    assert granted("keyids", "webm", "cenc") == ("keyids", "cenc")
    assert granted("CENC", "") is None


@pytest.mark.rule("A014")
def test_every_session_type_asked_for_must_be_supported() -> None:
    def granted(types: tuple[str, ...] | None) -> Access | None:
        access = request_access(NAME, [Configuration(session_types=types, video_capabilities=VIDEO)], KNOWN)
        return access if isinstance(access, Access) else None

    plain = granted(None)
    assert plain is not None
    assert plain.configuration.session_types == ("temporary",)
    assert granted(("temporary", "persistent-license")) is None
    nothing = granted(())
    assert nothing is not None
    assert nothing.supports.session_types == ()
