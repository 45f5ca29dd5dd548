"""A page asks for a key system: permissions, consent, what it gets, and what its MediaKeys answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from player.cdm.make import KEY_SYSTEMS
from player.cdm.spec import CdmSpec
from player.eme.access import Access, Configuration, Need
from player.eme.attach import AttachRules
from player.eme.capabilities import Capability
from player.eme.errors import (
    EmeTypeError,
    InvalidStateError,
    NotSupportedError,
    QuotaExceededError,
    SecurityError,
)
from player.eme.key_system import Requirement
from player.eme.status import KeyStatus
from player.eme.store import Store
from player.errors import EmeError
from player.ids import CLEARKEY, HIERARCHY, ContentKey, KeyId
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.media_keys import MediaKeys
from player.runtime.page import MediaKeySystemAccess, Page
from player.runtime.permissions import Permissions, Prompt
from player.runtime.virtual_loop import run_virtual
from player.wire import keyids
from player.wire.clearkey import write_license
from tests.crypto.certificates import self_signed

VIDEO = {"content_type": 'video/mp4; codecs="avc1.42C00C"'}
PLAIN: dict[str, Any] = {"video_capabilities": [VIDEO]}
PERSISTENT = PLAIN | {"session_types": ["persistent-license"]}
KID = KeyId.parse("00112233445566778899aabbccddeeff")
INIT_DATA = keyids.write([KID])


def asked(
    configurations: Any = (PLAIN,), key_system: Any = CLEARKEY, **page: Any
) -> tuple[MediaKeySystemAccess, tuple[Prompt, ...]]:
    """The answer, and the prompts that there had been when it came. Raises what the promise was rejected with."""

    async def main() -> tuple[MediaKeySystemAccess, tuple[Prompt, ...]]:
        there = Page(seed=1, **page)
        access = await there.request_media_key_system_access(key_system, configurations)
        return access, tuple(there.prompts)

    return run_virtual(main())


def failed_at_once(configurations: Any = (PLAIN,), key_system: Any = CLEARKEY, **page: Any) -> BaseException | None:
    """With what a promise has failed when the call returns; None where it has not."""

    async def main() -> BaseException | None:
        promise = Page(seed=1, **page).request_media_key_system_access(key_system, configurations)
        return promise.exception() if promise.done() else None

    return run_virtual(main())


def with_keys(main: Any, configuration: Mapping[str, Any] = PLAIN, key_system: str = CLEARKEY, **page: Any) -> Any:
    """What `main` gives, called with MediaKeys of a new page."""

    async def run() -> Any:
        access = await Page(seed=1, **page).request_media_key_system_access(key_system, [configuration])
        return await main(await access.create_media_keys())

    return run_virtual(run())


# ── who may ask ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A001")
@pytest.mark.parametrize(("key_system", "configurations"), [(CLEARKEY, [PLAIN]), ("", []), ("org.example", [PLAIN])])
def test_a_page_that_may_not_use_the_feature_is_told_so_first(key_system: str, configurations: list[Any]) -> None:
    forbidden = Permissions(encrypted_media=False)
    assert isinstance(failed_at_once(configurations, key_system, permissions=forbidden), SecurityError)


@pytest.mark.rule("A002")
def test_on_a_page_that_is_no_secure_context_the_method_does_not_exist() -> None:
    async def main() -> None:
        page = Page(origin="http://player.example", secure=False, seed=1)
        assert not hasattr(page, "request_media_key_system_access")
        with pytest.raises(AttributeError):
            page.request_media_key_system_access(CLEARKEY, [PLAIN])
        assert hasattr(Page(seed=1), "request_media_key_system_access")

    run_virtual(main())


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A003")
@pytest.mark.rule("A004")
@pytest.mark.rule("A005")
@pytest.mark.parametrize(("key_system", "configurations"), [("", [PLAIN]), (CLEARKEY, []), ("", [])])
def test_empty_arguments_have_failed_on_return(key_system: str, configurations: list[Any]) -> None:
    assert isinstance(failed_at_once(configurations, key_system), EmeTypeError)


@pytest.mark.rule("ER02")
@pytest.mark.parametrize(
    "member",
    [{"label": 7}, {"init_data_types": "cenc"}, {"init_data_types": [b"cenc"]}, {"init_data_types": {"cenc"}},
     {"video_capabilities": VIDEO}, {"video_capabilities": [7]}, {"video_capabilities": [{"content_type": 1}]},
     {"audio_capabilities": [{"robustness": 3000}]}, {"video_capabilities": [VIDEO | {"encryption_scheme": 1}]},
     {"session_types": "temporary"}, {"session_types": [None]}, {"distinctive_identifier": "maybe"},
     {"persistent_state": True}, {"persistent_state": "Required"}],
)  # fmt: skip
def test_members_of_the_wrong_type_have_failed_on_return(member: dict[str, Any]) -> None:
    assert isinstance(failed_at_once([PLAIN, PLAIN | member]), EmeTypeError)


@pytest.mark.rule("ER02")
@pytest.mark.parametrize(
    "configurations",
    [None, 7, "text", b"bytes", PLAIN, [None], ["text"], {PLAIN["video_capabilities"][0]["content_type"]}],
)
def test_configurations_that_are_no_sequence_of_them_have_failed_on_return(configurations: Any) -> None:
    assert isinstance(failed_at_once(configurations), EmeTypeError)


@pytest.mark.rule("A032")
def test_unknown_members_are_ignored() -> None:
    strange = {"later": object(), "video_capabilities": [VIDEO | {"hdr": True}], "initDataTypes": 5}
    access, _ = asked([strange])
    assert access.get_configuration() == asked()[0].get_configuration()


def test_members_that_are_none_were_not_given() -> None:
    nothing = dict.fromkeys(
        (
            "label",
            "init_data_types",
            "audio_capabilities",
            "distinctive_identifier",
            "persistent_state",
            "session_types",
        )
    )
    assert asked([PLAIN | nothing])[0].get_configuration() == asked()[0].get_configuration()


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A030")
def test_all_prompts_are_over_before_the_promise_settles() -> None:
    access, prompts = asked([PERSISTENT], origin="https://a.example")
    assert prompts == (Prompt(origin="https://a.example", key_system=CLEARKEY, need=Need.PERSISTENT_STATE),)
    assert access.get_configuration().persistent_state == "required"


@pytest.mark.rule("A030")
def test_nothing_is_asked_for_in_the_call_itself_nor_after_the_promise() -> None:
    async def main() -> tuple[int, int, int]:
        page = Page(seed=1)
        promise = page.request_media_key_system_access(CLEARKEY, [PERSISTENT])
        before = len(page.prompts)
        access = await promise
        settled = len(page.prompts)
        await access.create_media_keys()
        return before, settled, len(page.prompts)

    assert run_virtual(main()) == (0, 1, 1)


@pytest.mark.rule("A007")
def test_configurations_after_the_first_that_can_be_satisfied_cause_no_prompt() -> None:
    assert asked([PLAIN, PERSISTENT])[1] == ()


@pytest.mark.rule("A029")
@pytest.mark.parametrize("consent", [False, lambda prompt: prompt.need is not Need.PERSISTENT_STATE])
def test_without_consent_to_state_the_next_configuration_has_its_turn(consent: Any) -> None:
    permissions = Permissions(consent=consent)
    access, prompts = asked([PERSISTENT, PLAIN], permissions=permissions)
    assert len(prompts) == 1
    assert access.get_configuration().persistent_state == "not-allowed"
    with pytest.raises(NotSupportedError):
        asked([PERSISTENT], permissions=permissions)


@pytest.mark.rule("A029")
def test_who_answers_a_prompt_with_an_exception_has_not_consented() -> None:
    def answer(_prompt: Prompt) -> bool:
        raise LookupError

    async def main() -> list[str]:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
        page = Page(seed=1, permissions=Permissions(consent=answer))
        with pytest.raises(NotSupportedError):
            await page.request_media_key_system_access(CLEARKEY, [PERSISTENT])
        return told

    assert run_virtual(main()) == ["the answer to a prompt raised"]


# ── what is granted ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A031")
def test_a_configuration_is_a_new_equal_object_each_time_and_changes_nothing() -> None:
    access, _ = asked()
    first, second = access.get_configuration(), access.get_configuration()
    assert first == second
    assert first is not second
    assert first.video_capabilities[0] is not second.video_capabilities[0]
    assert first.video_capabilities[0].encryption_scheme is None
    with pytest.raises(FrozenInstanceError):
        first.label = "changed"  # type: ignore[misc]
    object.__setattr__(first, "label", "changed")
    object.__setattr__(first.video_capabilities[0], "robustness", "changed")
    assert access.get_configuration() == second


@pytest.mark.rule("A028")
@pytest.mark.rule("A031")
def test_what_was_granted_can_be_asked_for_again() -> None:
    access, _ = asked([PERSISTENT | {"init_data_types": ["fake", "cenc"], "label": "x"}])
    again, _ = asked([access.get_configuration()])
    assert again.get_configuration() == access.get_configuration()
    assert access.get_configuration().distinctive_identifier is Requirement.NOT_ALLOWED


@pytest.mark.rule("A033")
@pytest.mark.parametrize(
    ("member", "possible"),
    [
        ({}, True),
        ({"video_capabilities": [VIDEO | {"encryption_scheme": "cenc"}]}, True),
        ({"video_capabilities": [VIDEO | {"robustness": "1"}]}, False),
        ({"distinctive_identifier": "required"}, False),
        ({"distinctive_identifier": "not-allowed"}, True),
        ({"persistent_state": "required"}, False),
        ({"persistent_state": "required", "session_types": ["temporary"]}, False),
        ({"persistent_state": "required", "session_types": ["temporary", "persistent-license"]}, True),
        ({"session_types": ["persistent-license"]}, True),
        ({"persistent_state": "not-allowed", "session_types": ["persistent-license"]}, False),
        ({"session_types": ["persistent-usage-record"]}, False),
        ({"video_capabilities": [{"content_type": "video/webm; codecs=vp9", "encryption_scheme": "cenc"}]}, True),
        ({"video_capabilities": [{"content_type": "video/webm; codecs=vp9", "encryption_scheme": "cbcs"}]}, False),
    ],
)
def test_clear_key_can_do_what_its_section_says(member: dict[str, Any], possible: bool) -> None:
    try:
        access, _ = asked([PLAIN | member])
    except NotSupportedError:
        assert not possible
    else:
        assert possible
        assert access.get_configuration().distinctive_identifier == "not-allowed"


def test_the_hierarchy_protects_video_more_than_audio() -> None:
    aac = {"content_type": "audio/mp4; codecs=mp4a.40.2"}
    asked_for = {
        "video_capabilities": [VIDEO | {"robustness": "3"}],
        "audio_capabilities": [aac | {"robustness": "2"}, aac | {"robustness": "1"}],
    }
    access, _ = asked([asked_for], HIERARCHY, cdm=CdmSpec(robustness_level=3))
    assert [it.robustness for it in access.get_configuration().audio_capabilities] == ["1"]
    with pytest.raises(NotSupportedError):
        asked([asked_for], HIERARCHY, cdm=CdmSpec(robustness_level=2))


def test_usage_records_are_granted_where_the_feature_is_on() -> None:
    cdm = CdmSpec(features=("persistent_usage_record",))
    access, _ = asked([PLAIN | {"session_types": ["persistent-usage-record"]}], cdm=cdm)
    assert access.get_configuration().persistent_state == "required"


# ── MediaKeys ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("B001")
def test_each_media_keys_has_a_cdm_of_its_own() -> None:
    async def main() -> tuple[bool, int]:
        access = await Page(seed=1).request_media_key_system_access(CLEARKEY, [PLAIN])
        one, other = await access.create_media_keys(), await access.create_media_keys()
        session, stranger = one.create_session(), other.create_session()
        await session.generate_request("keyids", INIT_DATA)
        await stranger.generate_request("keyids", INIT_DATA)
        await session.update(write_license([(KID, ContentKey(bytes(16)))]))
        return one is not other, stranger.key_statuses.size

    assert run_virtual(main()) == (True, 0)


@pytest.mark.rule("B002")
@pytest.mark.parametrize("identifier", list(Requirement))
@pytest.mark.parametrize("state", list(Requirement))
def test_media_keys_do_what_the_configuration_requires(identifier: Requirement, state: Requirement) -> None:
    configuration = Configuration(distinctive_identifier=identifier, persistent_state=state)
    access = Access(key_system=CLEARKEY, configuration=configuration, supports=KEY_SYSTEMS[CLEARKEY])
    assert access.uses_distinctive_identifier == (identifier == "required")
    assert access.may_persist_state == (state == "required")


@pytest.mark.rule("B002")
@pytest.mark.rule("C001")
@pytest.mark.rule("A014")
@pytest.mark.parametrize(
    ("granted", "errors"),
    [
        (None, {"persistent-license": "NotSupportedError"}),
        (["temporary", "persistent-license"], {}),
        (["persistent-license"], {"temporary": "NotSupportedError"}),
        ([], {"temporary": "NotSupportedError", "persistent-license": "NotSupportedError"}),
    ],
)
def test_sessions_can_be_made_of_the_types_granted(granted: list[str] | None, errors: dict[str, str]) -> None:
    async def main(keys: MediaKeys) -> dict[str, str]:
        found = {}
        for name in ("temporary", "persistent-license", "persistent-usage-record", "", "Temporary"):
            try:
                keys.create_session(name)
            except EmeError as error:
                found[name] = error.name
        return found

    unknown = dict.fromkeys(("persistent-usage-record", "", "Temporary"), "TypeError")
    assert with_keys(main, PLAIN | {"session_types": granted}) == errors | unknown


@pytest.mark.rule("C001")
def test_a_session_is_temporary_where_no_type_is_named() -> None:
    async def main(keys: MediaKeys) -> None:
        keys.create_session()
        with pytest.raises(NotSupportedError):
            keys.create_session("persistent-license")

    with_keys(main)


@pytest.mark.rule("C001")
def test_usage_records_are_a_type_that_exists_only_with_their_feature() -> None:
    async def main(keys: MediaKeys) -> None:
        with pytest.raises(NotSupportedError):
            keys.create_session("persistent-usage-record")

    with_keys(main, cdm=CdmSpec(features=("persistent_usage_record",)))


@pytest.mark.rule("C002")
@pytest.mark.rule("Q32")
@pytest.mark.parametrize("quirk", ["attach_first", "attach_first:needs_attach"])
def test_a_cdm_that_needs_an_element_makes_no_session_before_it_has_one(quirk: str) -> None:
    async def main() -> None:
        page = Page(seed=1, cdm=CdmSpec(quirks=(quirk,)))
        access = await page.request_media_key_system_access(CLEARKEY, [PLAIN])
        keys = await access.create_media_keys()
        with pytest.raises(NotSupportedError):  # the type is looked at first
            keys.create_session("persistent-license")
        with pytest.raises(InvalidStateError):
            keys.create_session()
        await page.media_element().set_media_keys(keys)
        keys.create_session()

    run_virtual(main())


@pytest.mark.rule("O004")
@pytest.mark.parametrize(("key_system", "shareable"), [(CLEARKEY, True), (HIERARCHY, False)])
def test_a_cdm_serves_two_elements_only_where_its_key_system_can(key_system: str, shareable: bool) -> None:
    async def main() -> None:
        page = Page(seed=1)
        access = await page.request_media_key_system_access(key_system, [PLAIN])
        keys = await access.create_media_keys()
        first, second = (page.media_element(rules=AttachRules(shared=True)) for _ in range(2))
        await first.set_media_keys(keys)
        if shareable:
            await second.set_media_keys(keys)
        else:
            with pytest.raises(QuotaExceededError):
                await second.set_media_keys(keys)

    run_virtual(main())


@pytest.mark.rule("B003")
@pytest.mark.parametrize("error", [NotSupportedError, InvalidStateError, QuotaExceededError])
def test_a_cdm_that_does_not_start_rejects_the_promise_by_name(error: type[EmeError]) -> None:
    async def main() -> None:
        access = await Page(seed=1, cdm=CdmSpec(create_fail=error.__name__)).request_media_key_system_access(
            CLEARKEY, [PLAIN]
        )
        promise = access.create_media_keys()
        assert not promise.done()
        with pytest.raises(error):
            await promise

    run_virtual(main())


class _Untouched(BrowsingProfile):
    """A profile whose stores must not be used."""

    def store(self, origin: str) -> Store:
        return _Forbidden()


class _Forbidden:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a store that is not to be used")


@pytest.mark.rule("B004")
def test_without_permission_to_persist_nothing_is_stored_and_nothing_read() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        await session.generate_request("keyids", INIT_DATA)
        await session.update(write_license([(KID, ContentKey(bytes(16)))]))
        await session.close()
        with pytest.raises(EmeTypeError):
            await keys.create_session().load("an id")
        await keys.dispose()

    with_keys(main, PLAIN | {"persistent_state": "not-allowed"}, profile=_Untouched())


# ── certificates and policies ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("D001")
def test_where_no_certificates_are_taken_the_answer_is_false_at_once() -> None:
    async def main(keys: MediaKeys) -> None:
        for certificate in (b"", self_signed(), bytearray(3)):
            promise = keys.set_server_certificate(certificate)
            assert promise.done()
            assert promise.result() is False
        for wrong in ("", None, 1):
            assert isinstance(keys.set_server_certificate(wrong).exception(), EmeTypeError)

    with_keys(main)


@pytest.mark.rule("D002")
@pytest.mark.rule("D004")
@pytest.mark.rule("D005")
def test_a_certificate_is_taken_or_a_type_error() -> None:
    async def main(keys: MediaKeys) -> None:
        assert isinstance(keys.set_server_certificate(b"").exception(), EmeTypeError)
        with pytest.raises(EmeTypeError):
            await keys.set_server_certificate(bytes(500))
        for name in ("one.example", "two.example"):
            assert await keys.set_server_certificate(self_signed(name)) is True

    with_keys(main, key_system=HIERARCHY)


@pytest.mark.rule("D003")
@pytest.mark.rule("ER04")
def test_a_certificate_is_copied_in_the_call() -> None:
    async def main(keys: MediaKeys) -> bool:
        certificate = bytearray(self_signed())
        promise = keys.set_server_certificate(memoryview(certificate))
        certificate[:] = bytes(len(certificate))
        return await promise

    assert with_keys(main, key_system=HIERARCHY) is True


@pytest.mark.rule("D010")
@pytest.mark.rule("D011")
@pytest.mark.rule("D015")
@pytest.mark.parametrize("key_system", [CLEARKEY, HIERARCHY])
def test_a_policy_that_means_nothing_has_been_rejected_on_return(key_system: str) -> None:
    async def main(keys: MediaKeys) -> None:
        promises = [
            keys.get_status_for_policy(),
            keys.get_status_for_policy({}),
            keys.get_status_for_policy("2.2"),
            keys.get_status_for_policy(min_hdcp_version=2.2),
            keys.get_status_for_policy(min_hdcp_version="", max_pixels=1),
        ]
        assert all(isinstance(promise.exception(), EmeTypeError) for promise in promises)

    with_keys(main, key_system=key_system)


@pytest.mark.rule("D012")
@pytest.mark.rule("D013")
@pytest.mark.rule("D014")
def test_a_policy_is_judged_by_the_display() -> None:
    async def hierarchy(keys: MediaKeys) -> list[KeyStatus]:
        with pytest.raises(NotSupportedError):
            await keys.get_status_for_policy(min_hdcp_version="")
        return [await keys.get_status_for_policy(min_hdcp_version=it) for it in ("1.4", "2.2")]

    async def clear_key(keys: MediaKeys) -> list[KeyStatus]:
        return [await keys.get_status_for_policy(min_hdcp_version=it) for it in ("", "2.2")]

    spec = CdmSpec(hdcp="1.4")
    assert with_keys(hierarchy, key_system=HIERARCHY, cdm=spec) == [KeyStatus.USABLE, KeyStatus.OUTPUT_RESTRICTED]
    assert with_keys(clear_key, cdm=spec) == [KeyStatus.USABLE] * 2


def test_calls_of_media_keys_that_are_disposed_of_fail() -> None:
    async def main(keys: MediaKeys) -> None:
        promise = keys.get_status_for_policy(min_hdcp_version="2.2")
        await keys.dispose()
        await asyncio.sleep(1)
        assert promise.done()
        for later in (keys.get_status_for_policy(min_hdcp_version="2.2"), keys.set_server_certificate(self_signed())):
            assert isinstance(later.exception(), InvalidStateError)

    with_keys(main, key_system=HIERARCHY)


def test_what_is_under_way_when_the_page_goes_away_is_cancelled() -> None:
    async def main() -> None:
        page = Page(seed=1)
        access = await page.request_media_key_system_access(HIERARCHY, [PLAIN])
        keys = await access.create_media_keys()
        promises: list[asyncio.Future[Any]] = [
            keys.get_status_for_policy(min_hdcp_version="2.2"),
            keys.set_server_certificate(self_signed()),
        ]
        page.leave()
        await asyncio.sleep(1)
        assert all(promise.cancelled() for promise in promises)

    run_virtual(main())


def test_whoever_stops_waiting_disturbs_nobody() -> None:
    async def main() -> KeyStatus:
        page = Page(seed=1)
        page.request_media_key_system_access(HIERARCHY, [PLAIN]).cancel()
        access = await page.request_media_key_system_access(HIERARCHY, [PLAIN])
        access.create_media_keys().cancel()
        keys = await access.create_media_keys()
        keys.get_status_for_policy(min_hdcp_version="2.2").cancel()
        dropped = keys.set_server_certificate(self_signed())
        await asyncio.sleep(0)
        dropped.cancel()
        return await keys.get_status_for_policy(min_hdcp_version="2.2")

    assert run_virtual(main()) is KeyStatus.USABLE


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("ER01")
def test_a_rejection_carries_its_name_and_a_type_error_is_one_of_pythons_too() -> None:
    error = failed_at_once([], CLEARKEY)
    assert isinstance(error, EmeTypeError)
    assert isinstance(error, TypeError)
    assert isinstance(error, EmeError)
    assert error.name == "TypeError"


def test_a_configuration_may_be_given_as_the_class_too() -> None:
    faulty = Configuration(video_capabilities=(Capability(content_type=7),))  # type: ignore[arg-type]
    assert isinstance(failed_at_once([faulty]), EmeTypeError)
    configuration = Configuration(video_capabilities=(Capability(**VIDEO),))
    assert asked([configuration])[0].get_configuration().video_capabilities == (Capability(**VIDEO),)
