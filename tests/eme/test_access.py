"""requestMediaKeySystemAccess: which configuration is granted, and as what."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.eme.access import Access, Configuration, Need, request_access
from player.eme.capabilities import Capability
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.key_system import KeySystem, Requirement, Way
from player.eme.status import SessionType

NAME = "org.w3.clearkey"
REQUIRED, OPTIONAL, NOT_ALLOWED = Requirement.REQUIRED, Requirement.OPTIONAL, Requirement.NOT_ALLOWED
PLAIN_SYSTEM = KeySystem(init_data_types=("cenc", "keyids"))
VIDEO = (Capability(content_type='video/mp4; codecs="avc1.42E01E"'),)
AUDIO = (Capability(content_type='audio/mp4; codecs="mp4a.40.2"'),)
PLAIN = Configuration(video_capabilities=VIDEO)

SOFTWARE = Way(video_robustness=("soft",), audio_robustness=("soft",), persistent_state=OPTIONAL)
HARDWARE = Way(
    video_robustness=("soft", "hard"), audio_robustness=("soft",), distinctive_identifier=REQUIRED,
    persistent_state=OPTIONAL,
)  # fmt: skip
TWO_WAYS = replace(
    PLAIN_SYSTEM, ways=(SOFTWARE, HARDWARE), session_types=(SessionType.TEMPORARY, SessionType.PERSISTENT_LICENSE)
)


def granted(
    asked: Configuration, system: KeySystem = PLAIN_SYSTEM, denied: tuple[Need, ...] = ()
) -> Configuration | None:
    access = request_access(NAME, [asked], {NAME: system}, lambda need: need not in denied)
    return access.configuration if isinstance(access, Access) else None


def video(**member: str | None) -> Capability:
    return Capability(content_type=VIDEO[0].content_type, **member)  # type: ignore[arg-type]


# ── names and lists ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A003")
@pytest.mark.rule("A004")
@pytest.mark.rule("A005")
@pytest.mark.parametrize(("name", "configurations"), [("", [PLAIN]), (NAME, []), ("", [])])
def test_empty_arguments_are_type_errors(name: str, configurations: list[Configuration]) -> None:
    assert isinstance(request_access(name, configurations, {NAME: PLAIN_SYSTEM}), EmeTypeError)


@pytest.mark.rule("A006")
@pytest.mark.parametrize(
    "name",
    ["org.w3.ClearKey", "ORG.W3.CLEARKEY", "org.w3.clearkey.", ".org.w3.clearkey", " org.w3.clearkey",
     "org.w3.clearkey ", "org.w3. clearkey", "org.w3..clearkey", "org.w3", "org.w3.", "org", "org.w3.clearke",
     "org.w3.clearkey.x", "webkit-org.w3.clearkey", "org.w3.clearkeyé", "org.w3.clearkey\u028f", "com.example"],
)  # fmt: skip
def test_every_other_spelling_of_a_key_system_is_unknown(name: str) -> None:
    assert isinstance(request_access(name, [PLAIN], {NAME: PLAIN_SYSTEM}), NotSupportedError)


@pytest.mark.rule("A007")
@pytest.mark.rule("A009")
@pytest.mark.rule("A010")
def test_the_first_configuration_that_can_be_satisfied_wins() -> None:
    choices = [Configuration(label="none"), Configuration(label=" One ", video_capabilities=VIDEO), PLAIN]
    access = request_access(NAME, choices, {NAME: PLAIN_SYSTEM})
    assert isinstance(access, Access)
    assert (access.key_system, access.configuration.label) == (NAME, " One ")


@pytest.mark.rule("A007")
def test_nobody_is_asked_about_configurations_after_the_first_that_can_be_satisfied() -> None:
    asked: list[Need] = []

    def answer(need: Need) -> bool:
        asked.append(need)
        return True

    plain = Configuration(label="plain", video_capabilities=VIDEO)
    access = request_access(NAME, [plain, replace(plain, persistent_state=REQUIRED)], {NAME: TWO_WAYS}, answer)
    assert isinstance(access, Access)
    assert (access.configuration.label, asked) == ("plain", [])


@pytest.mark.rule("A008")
@pytest.mark.rule("A017")
def test_a_configuration_without_capabilities_fails() -> None:
    assert isinstance(request_access(NAME, [Configuration()], {NAME: PLAIN_SYSTEM}), NotSupportedError)
    with_types = Configuration(init_data_types=("cenc",), session_types=("temporary",))
    assert isinstance(request_access(NAME, [with_types, Configuration()], {NAME: PLAIN_SYSTEM}), NotSupportedError)


@pytest.mark.rule("A011")
@pytest.mark.parametrize(
    ("types", "kept"),
    [
        ((), ()),
        (("keyids", "webm", "cenc"), ("keyids", "cenc")),
        (("", "cenc"), ("cenc",)),
        (("CENC",), None),
        (("",), None),
        ((" cenc",), None),
    ],
)
def test_init_data_types_are_narrowed_to_those_supported(types: tuple[str, ...], kept: tuple[str, ...] | None) -> None:
    result = granted(replace(PLAIN, init_data_types=types))
    assert (None if result is None else result.init_data_types) == kept


# ── identifiers, state, session types ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A012")
@pytest.mark.parametrize(
    ("has", "asked", "result"),
    [
        (NOT_ALLOWED, REQUIRED, None),
        (NOT_ALLOWED, OPTIONAL, NOT_ALLOWED),
        (NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED),
        (OPTIONAL, REQUIRED, REQUIRED),
        (OPTIONAL, OPTIONAL, NOT_ALLOWED),
        (OPTIONAL, NOT_ALLOWED, NOT_ALLOWED),
        (REQUIRED, REQUIRED, REQUIRED),
        (REQUIRED, OPTIONAL, REQUIRED),
        (REQUIRED, NOT_ALLOWED, None),
    ],
)
@pytest.mark.rule("A013")
@pytest.mark.rule("A028")
@pytest.mark.parametrize("member", list(Need))
def test_an_identifier_and_state_must_be_there_where_required_and_never_where_not_allowed(
    member: Need, has: Requirement, asked: Requirement, result: Requirement | None
) -> None:
    system = replace(PLAIN_SYSTEM, ways=(Way(**{member.value: has}),))  # type: ignore[arg-type]
    configuration = granted(replace(PLAIN, **{member.value: asked}), system)  # type: ignore[arg-type]
    assert (None if configuration is None else getattr(configuration, member)) == result


@pytest.mark.rule("A012")
@pytest.mark.rule("A013")
@pytest.mark.parametrize("member", list(Need))
@pytest.mark.parametrize(("has", "asked", "possible"), [
    (OPTIONAL, OPTIONAL, True), (OPTIONAL, REQUIRED, False), (REQUIRED, OPTIONAL, False), (OPTIONAL, NOT_ALLOWED, True),
])  # fmt: skip
def test_once_consent_was_denied_optional_counts_as_not_allowed(
    member: Need, has: Requirement, asked: Requirement, possible: bool
) -> None:
    system = replace(PLAIN_SYSTEM, ways=(Way(**{member.value: has}),))  # type: ignore[arg-type]
    configuration = granted(replace(PLAIN, **{member.value: asked}), system, denied=(member,))  # type: ignore[arg-type]
    assert (configuration is not None) == possible
    assert configuration is None or getattr(configuration, member) is NOT_ALLOWED


@pytest.mark.rule("A014")
def test_every_session_type_asked_for_must_be_supported() -> None:
    assert granted(replace(PLAIN, session_types=("temporary", "persistent-license"))) is None
    assert granted(replace(PLAIN, session_types=("temporary", "eternal"))) is None
    assert granted(replace(PLAIN, session_types=("Temporary",))) is None
    plain = granted(PLAIN)
    assert plain is not None
    assert plain.session_types == ("temporary",)


@pytest.mark.rule("A014")
def test_an_empty_list_of_session_types_is_granted_and_supports_none() -> None:
    access = request_access(NAME, [replace(PLAIN, session_types=())], {NAME: PLAIN_SYSTEM})
    assert isinstance(access, Access)
    assert (access.configuration.session_types, access.supports.session_types) == ((), ())


@pytest.mark.rule("A015")
@pytest.mark.rule("A016")
@pytest.mark.parametrize(("asked", "result"), [(NOT_ALLOWED, None), (OPTIONAL, REQUIRED), (REQUIRED, REQUIRED)])
def test_a_persistent_session_type_needs_persistent_state(asked: Requirement, result: Requirement | None) -> None:
    configuration = granted(
        replace(PLAIN, session_types=("temporary", "persistent-license"), persistent_state=asked), TWO_WAYS
    )
    assert (None if configuration is None else configuration.persistent_state) == result


@pytest.mark.rule("A015")
def test_a_persistent_session_type_cannot_be_had_where_state_was_denied() -> None:
    asked = replace(PLAIN, session_types=("persistent-license",))
    assert granted(asked, TWO_WAYS, denied=(Need.PERSISTENT_STATE,)) is None


@pytest.mark.rule("A015")
def test_a_persistent_session_type_cannot_be_had_where_nothing_keeps_state() -> None:
    system = replace(TWO_WAYS, ways=(Way(),))
    assert granted(replace(PLAIN, session_types=("persistent-license",)), system) is None


# ── capabilities ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A018")
def test_a_list_without_a_supported_entry_fails_and_an_empty_one_stays_empty() -> None:
    unknown = (Capability(content_type='audio/fake; codecs="x"'),)
    assert granted(replace(PLAIN, audio_capabilities=unknown)) is None
    assert granted(Configuration(video_capabilities=unknown, audio_capabilities=AUDIO)) is None
    alone = granted(Configuration(audio_capabilities=AUDIO))
    assert alone is not None
    assert (alone.audio_capabilities, alone.video_capabilities) == (AUDIO, ())


@pytest.mark.rule("A019")
def test_supported_entries_stay_in_order_and_exactly_as_they_were_given() -> None:
    good = [
        Capability(content_type=' Video/MP4 ;  CODECS=" avc1.42E01E ,avc1.42e01e" '),
        Capability(content_type="video/mp4;codecs=avc1.42E01E", encryption_scheme="cbcs"),
    ]
    mixed = (Capability(content_type="video/fake"), good[0], Capability(content_type="junk"), good[1])
    configuration = granted(Configuration(video_capabilities=mixed))
    assert configuration is not None
    assert configuration.video_capabilities == tuple(good)


@pytest.mark.rule("A020")
def test_an_audio_robustness_that_does_not_combine_with_the_video_is_dropped() -> None:
    high = Way(video_robustness=("low", "high"), audio_robustness=("low",))
    even = Way(video_robustness=("low",), audio_robustness=("low", "high"))
    system = replace(PLAIN_SYSTEM, ways=(high, even))
    audio = tuple(replace(AUDIO[0], robustness=level) for level in ("high", "low", ""))

    def kept(video_level: str) -> tuple[str, ...]:
        asked = Configuration(video_capabilities=(video(robustness=video_level),), audio_capabilities=audio)
        configuration = granted(asked, system)
        assert configuration is not None
        return tuple(it.robustness for it in configuration.audio_capabilities)

    assert kept("low") == ("high", "low", "")
    assert kept("high") == ("low", "")


@pytest.mark.rule("A020")
def test_an_entry_narrows_those_after_it_in_its_own_list() -> None:
    one = Way(video_robustness=("a",), schemes=PLAIN_SYSTEM.ways[0].schemes[:1])
    other = Way(video_robustness=("b",))
    system = replace(PLAIN_SYSTEM, ways=(one, other))
    levels = {}
    for order in itertools.permutations("ab"):
        configuration = granted(
            Configuration(video_capabilities=tuple(video(robustness=level) for level in order)), system
        )
        assert configuration is not None
        levels[order] = [it.robustness for it in configuration.video_capabilities]
    assert levels == {("a", "b"): ["a"], ("b", "a"): ["b"]}
    both = (video(robustness="a"), video(encryption_scheme="cbcs"))
    configuration = granted(Configuration(video_capabilities=both), system)
    assert configuration is not None
    assert configuration.video_capabilities == both[:1]


@pytest.mark.rule("A021")
@pytest.mark.parametrize("place", range(3))
def test_one_entry_without_a_content_type_makes_the_whole_configuration_fail(place: int) -> None:
    entries = [*VIDEO, *VIDEO]
    entries.insert(place, Capability())
    assert granted(Configuration(video_capabilities=tuple(entries), audio_capabilities=AUDIO)) is None
    audio = [*AUDIO, *AUDIO]
    audio.insert(place, Capability(robustness="high"))
    assert granted(Configuration(video_capabilities=VIDEO, audio_capabilities=tuple(audio))) is None


@pytest.mark.rule("A026")
@pytest.mark.parametrize(
    ("scheme", "known"),
    [(None, True), ("cenc", True), ("cbcs", True), ("cbcs-1-9", True), ("", False), ("CENC", False), ("cens", False),
     ("cbc1", False), ("cbcs-1-8", False)],
)  # fmt: skip
def test_an_encryption_scheme_must_be_known_unless_any_will_do(scheme: str | None, known: bool) -> None:
    configuration = granted(Configuration(video_capabilities=(video(encryption_scheme=scheme),)))
    assert (configuration is not None) == known
    assert configuration is None or configuration.video_capabilities[0].encryption_scheme == scheme


@pytest.mark.rule("A027")
@pytest.mark.parametrize(
    ("level", "known"), [("", True), ("soft", True), ("hard", True), ("Soft", False), ("3", False)]
)
def test_a_robustness_level_must_be_known_unless_any_will_do(level: str, known: bool) -> None:
    configuration = granted(Configuration(video_capabilities=(video(robustness=level),)), TWO_WAYS)
    assert (configuration is not None) == known


@pytest.mark.rule("A028")
def test_what_is_still_optional_is_required_only_where_what_was_accepted_needs_it() -> None:
    def identifier(*levels: str) -> Requirement:
        entries = tuple(video(robustness=level) for level in levels)
        configuration = granted(Configuration(video_capabilities=entries), TWO_WAYS)
        assert configuration is not None
        return configuration.distinctive_identifier

    assert identifier("") is NOT_ALLOWED
    assert identifier("soft") is NOT_ALLOWED
    assert identifier("hard") is REQUIRED
    assert identifier("soft", "hard") is REQUIRED


@pytest.mark.rule("A028")
def test_what_was_decided_of_the_identifier_binds_what_is_decided_of_state() -> None:
    system = replace(PLAIN_SYSTEM, ways=(Way(distinctive_identifier=REQUIRED), Way(persistent_state=REQUIRED)))
    configuration = granted(PLAIN, system)
    assert configuration is not None
    assert (configuration.distinctive_identifier, configuration.persistent_state) == (NOT_ALLOWED, REQUIRED)


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("A029")
def test_the_same_candidate_is_tried_again_without_what_was_denied() -> None:
    levels = tuple(video(robustness=level) for level in ("hard", "soft"))
    choices = [
        Configuration(label="first", video_capabilities=levels),
        Configuration(label="second", video_capabilities=VIDEO),
    ]
    asked: list[Need] = []

    def answer(need: Need) -> bool:
        asked.append(need)
        return False

    access = request_access(NAME, choices, {NAME: TWO_WAYS}, answer)
    assert isinstance(access, Access)
    assert asked == [Need.DISTINCTIVE_IDENTIFIER]
    assert access.configuration.label == "first"
    assert access.configuration.video_capabilities == levels[1:]
    assert access.configuration.distinctive_identifier is NOT_ALLOWED


@pytest.mark.rule("A029")
def test_without_consent_nothing_that_needs_it_is_granted() -> None:
    asked = Configuration(video_capabilities=(video(robustness="hard"),))
    assert granted(asked, TWO_WAYS) is not None
    assert granted(asked, TWO_WAYS, denied=(Need.DISTINCTIVE_IDENTIFIER,)) is None


@pytest.mark.rule("A029")
def test_nobody_is_asked_before_the_capabilities_match_nor_twice() -> None:
    asked: list[Need] = []

    def answer(need: Need) -> bool:
        asked.append(need)
        return True

    needy = Configuration(persistent_state=REQUIRED, distinctive_identifier=REQUIRED, video_capabilities=VIDEO)
    faulty = replace(needy, video_capabilities=(video(robustness="none"),))
    assert isinstance(request_access(NAME, [faulty], {NAME: TWO_WAYS}, answer), NotSupportedError)
    assert asked == []
    assert isinstance(request_access(NAME, [faulty, needy], {NAME: TWO_WAYS}, answer), Access)
    assert asked == list(Need)


REQUIREMENTS = st.sampled_from(list(Requirement))
WAYS = st.builds(
    Way,
    video_robustness=st.sets(st.sampled_from("ab")).map(lambda it: tuple(sorted(it))),
    audio_robustness=st.sets(st.sampled_from("ab")).map(lambda it: tuple(sorted(it))),
    distinctive_identifier=REQUIREMENTS,
    persistent_state=REQUIREMENTS,
)
ASKED = st.builds(
    Configuration,
    video_capabilities=st.lists(st.sampled_from([video(robustness=it) for it in ("", "a", "b", "c")])).map(tuple),
    audio_capabilities=st.lists(st.sampled_from([replace(AUDIO[0], robustness=it) for it in ("", "a", "b", "c")])).map(
        tuple
    ),
    distinctive_identifier=REQUIREMENTS,
    persistent_state=REQUIREMENTS,
    session_types=st.sampled_from([None, (), ("temporary",), ("persistent-license",)]),
)


@given(st.lists(WAYS, min_size=1, max_size=3).map(tuple), ASKED, st.sets(st.sampled_from(list(Need))).map(tuple))
def test_whatever_is_granted_one_way_does_it_all_and_asking_for_it_again_gives_the_same(
    ways: tuple[Way, ...], asked: Configuration, denied: tuple[Need, ...]
) -> None:
    system = replace(TWO_WAYS, ways=ways)
    result = granted(asked, system, denied)
    if result is None:
        return
    assert OPTIONAL not in (result.distinctive_identifier, result.persistent_state)
    assert not set(result.needs()) & set(denied)
    assert any(_does(way, result) for way in ways)
    assert granted(result, system, denied) == result


def _does(way: Way, result: Configuration) -> bool:
    return (
        all(it.robustness in ("", *way.video_robustness) for it in result.video_capabilities)
        and all(it.robustness in ("", *way.audio_robustness) for it in result.audio_capabilities)
        and way.distinctive_identifier in (OPTIONAL, result.distinctive_identifier)
        and way.persistent_state in (OPTIONAL, result.persistent_state)
    )
