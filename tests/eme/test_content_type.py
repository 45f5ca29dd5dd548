"""Content types of capabilities: what is read, what is known, and what is passed over."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from player.eme.content_type import MP4_CODECS, WEBM_CODECS, Container, MediaKind, container_of, read

KNOWN = (*MP4_CODECS, *WEBM_CODECS)
AVC, AAC = "avc1.42E01E", "mp4a.40.2"


def is_video(text: str) -> bool:
    return container_of(text, MediaKind.VIDEO, KNOWN) is not None


def is_audio(text: str) -> bool:
    return container_of(text, MediaKind.AUDIO, KNOWN) is not None


@pytest.mark.rule("A022")
@pytest.mark.parametrize(
    "text",
    [
        "fake",
        "video",
        "video/",
        "/mp4",
        "video/mp4/x",
        f"video mp4; codecs={AVC}",
        "video/mp4;",
        f"video/mp4; codecs={AVC};",
        f'video/mp4; codecs="{AVC}',
        f'video/mp4; codecs={AVC}"',
        f'video/mp4; codecs="{AVC}" x',
        f"video/mp4 codecs={AVC}",
        f"video/mp4; codecs = {AVC}",
        "video/mp4; codecs",
        "video/mp4; codecs=",
        f"video/mp4;; codecs={AVC}",
        f"video/mp4; codecs={AVC}; codecs={AVC}",
        f"video/mp4; codecs={AVC}, {AVC}",
        f"video/mp4;\ncodecs={AVC}",
        f"vidéo/mp4; codecs={AVC}",
        f'video/mp4; codecs="{AVC}\u00a0"',
        f"video/mp4; codecs='{AVC}'",
        "x" * 2000,
    ],
)
def test_what_is_no_media_type_is_passed_over(text: str) -> None:
    assert not is_video(text)
    assert not is_audio(text)


@pytest.mark.rule("A022")
@pytest.mark.parametrize(
    "text",
    [
        f"video/fake; codecs={AVC}",
        f"video/quicktime; codecs={AVC}",
        f"text/mp4; codecs={AVC}",
        f"application/mp4; codecs={AVC}",
        f'video/mp4; codecs={AVC}; foo="bar"',
        f"video/mp4; foo=bar; codecs={AVC}",
        f"video/mp4; codecs*={AVC}",
        'video/mp4; foo="bar"',
    ],
)
def test_an_unknown_type_container_or_parameter_is_passed_over(text: str) -> None:
    assert not is_video(text)


@pytest.mark.rule("A022")
@pytest.mark.parametrize(
    "codec",
    [
        "avc1",
        "avc1.",
        "avc1.42E01",
        "avc1.42E01E0",
        "avc1.42E01G",
        "mp4v",
        "vp09",
        "vp09.00.10",
        "vp09.00.10.08.01",
        "av01.0.04M",
        "av01.3.04M.08",
        "hvc1",
        "hvc1.1",
        "hev1.1.6.L93.B0.0.0.0.0.0.0",
        "vp8",
        "dav1.10.09",
        "x",
        "*",
        "stpp",
        "wvtt",
    ],
)
def test_an_invalid_or_unknown_codec_is_passed_over(codec: str) -> None:
    assert not is_video(f'video/mp4; codecs="{codec}"')


@pytest.mark.rule("A022")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("video/mp4; codecs=avc3.640028", "video"),
        ("video/mp4; codecs=hvc1.1.6.L93.B0", "video"),
        ("video/mp4; codecs=hev1.A2.4.H120", "video"),
        ("video/mp4; codecs=vp09.00.10.08", "video"),
        ("video/mp4; codecs=vp09.02.10.10.01.09.16.09.01", "video"),
        ("video/mp4; codecs=av01.0.04M.08", "video"),
        ("video/mp4; codecs=av01.0.04M.10.0.112.09.16.09.0", "video"),
        ("audio/mp4; codecs=mp4a.40.5", "audio"),
        ("audio/mp4; codecs=ec-3", "audio"),
        ("audio/mp4; codecs=ac-4.02.01.00", "audio"),
        ("audio/mp4; codecs=Opus", "audio"),
        ("audio/mp4; codecs=fLaC", "audio"),
        ("video/webm; codecs=vp8", "video"),
        ("video/webm; codecs=vp9", "video"),
        ("audio/webm; codecs=vorbis", "audio"),
        ("audio/webm; codecs=opus", "audio"),
    ],
)
def test_codecs_in_their_container_are_known(text: str, kind: str) -> None:
    assert container_of(text, MediaKind(kind), KNOWN) is not None


@pytest.mark.rule("A022")
@pytest.mark.parametrize(
    "text",
    [
        "audio/webm; codecs=mp4a.40.2",
        "audio/mp4; codecs=vorbis",
        "video/webm; codecs=avc1.42E01E",
        "video/mp4; codecs=vp8",
    ],
)
def test_a_codec_of_another_container_is_passed_over(text: str) -> None:
    assert not is_video(text)
    assert not is_audio(text)


@pytest.mark.rule("A023")
@pytest.mark.parametrize(
    "text", ["video/mp4", "video/webm", "audio/mp4", "audio/webm", 'video/mp4; codecs=""', " video/mp4 "]
)
def test_mp4_and_webm_do_not_say_what_is_in_them(text: str) -> None:
    assert not is_video(text)
    assert not is_audio(text)


@pytest.mark.rule("A024")
@pytest.mark.parametrize(
    "text",
    [
        f"Video/mp4; codecs={AVC}",
        f"VIDEO/MP4; CODECS={AVC}",
        f'video/mp4; Codecs="{AVC}"',
        f"video/mp4;codecs={AVC}",
        f" video/mp4;codecs={AVC}",
        f"video/mp4;codecs={AVC} ",
        f"video/mp4 ; codecs={AVC}",
        f"video/mp4 \t; \tcodecs={AVC}",
        f'video/mp4; codecs=" {AVC}"',
        f'video/mp4; codecs="{AVC} "',
        f'video/mp4; codecs=" {AVC} , {AVC} "',
        'video/mp4; codecs="a\\vc1.42E01E"',
        "video/mp4; codecs=avc1.42e01e",
    ],
)
def test_letter_case_of_names_and_blanks_between_them_do_not_count(text: str) -> None:
    assert is_video(text)


@pytest.mark.rule("A024")
@pytest.mark.parametrize(
    "codecs", ["AVC1.42E01E", "Avc1.42E01E", f",{AVC}", f"{AVC},", f"{AVC},,{AVC}", ",", f"{AVC} {AVC}"]
)
def test_letter_case_of_codecs_counts_and_so_does_every_comma(codecs: str) -> None:
    assert not is_video(f'video/mp4; codecs="{codecs}"')


@pytest.mark.rule("A025")
@pytest.mark.parametrize(
    ("text", "as_video", "as_audio"),
    [
        (f"video/mp4; codecs={AVC}", True, False),
        (f"audio/mp4; codecs={AAC}", False, True),
        (f"video/mp4; codecs={AAC}", False, False),
        (f"audio/mp4; codecs={AVC}", False, False),
        (f'video/mp4; codecs="{AVC},{AAC}"', False, False),
        (f'video/mp4; codecs="{AAC}, {AVC}"', False, False),
        (f'audio/mp4; codecs="{AAC}, {AVC}"', False, False),
        (f'video/mp4; codecs="{AVC}, stpp"', False, False),
        ('audio/webm; codecs="vorbis, vp8"', False, False),
    ],
)
def test_each_list_takes_its_own_kind_alone(text: str, as_video: bool, as_audio: bool) -> None:
    assert (is_video(text), is_audio(text)) == (as_video, as_audio)


@pytest.mark.rule("A022")
def test_a_container_that_the_key_system_does_not_know_is_passed_over() -> None:
    assert container_of("video/webm; codecs=vp9", MediaKind.VIDEO, MP4_CODECS) is None
    assert container_of("video/webm; codecs=vp9", MediaKind.VIDEO, KNOWN) is Container.WEBM


TOKENS = st.text(st.sampled_from("abcXYZ019.+-_!#$%&'*^`|~"), min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t"), max_size=12)


@given(TOKENS, TOKENS, st.dictionaries(TOKENS.map(str.lower), VALUES, max_size=3), st.sampled_from(["", " ", "\t "]))
def test_what_is_written_as_a_media_type_is_read_as_it(
    type_: str, subtype: str, parameters: dict[str, str], blank: str
) -> None:
    quoted = "".join(
        f'{blank};{blank}{name}="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for name, value in parameters.items()
    )
    found = read(f"{blank}{type_}/{subtype}{quoted}{blank}")
    assert found is not None
    assert (found.type, found.subtype) == (type_.lower(), subtype.lower())
    assert dict(found.parameters) == parameters


@given(st.text(max_size=60))
@example("video/mp4" + " " * 900)
@example("video/mp4; a=" + '"' + "\\" * 900)
@example(";" * 1000)
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)
    assert container_of(text, MediaKind.VIDEO, KNOWN) in (None, *Container)
