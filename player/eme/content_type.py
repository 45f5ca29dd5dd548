"""Content types as capabilities name them: media types with the codecs parameter, read strictly.

Syntax of RFC 9110, 8.3.1 (no obs-text, no parameter twice), of RFC 6381 (`codecs`), and case as RFC 6838 has it: of
types and parameter names it does not count, of codecs it does. Refuses to know key systems and what is encrypted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_CHARACTERS: Final = 1024  # choice: the longest in use have a tenth of it

TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 — RFC 9110, 5.6.2
QUOTED: Final = r'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"'
PARAMETER: Final = re.compile(rf"[ \t]*;[ \t]*({TOKEN})=({TOKEN}|{QUOTED})")
MEDIA_TYPE: Final = re.compile(rf"[ \t]*({TOKEN})/({TOKEN})((?:{PARAMETER.pattern})*)[ \t]*")
BLANKS: Final = " \t"


class MediaKind(StrEnum):
    AUDIO = "audio"
    VIDEO = "video"


class Container(StrEnum):
    """Containers by the subtype that names them. Neither says by itself which codecs are in it."""

    MP4 = "mp4"
    WEBM = "webm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A kind of codec strings, for one container. `pattern` is for the whole string."""

    container: Container
    kind: MediaKind
    pattern: str


def _codecs(container: Container, kind: MediaKind, *patterns: str) -> tuple[Codec, ...]:
    return tuple(Codec(container=container, kind=kind, pattern=pattern) for pattern in patterns)


_VP9 = r"vp09(?:\.\d\d){3}(?:(?:\.\d\d){5})?"  # VP codec ISO media file format binding: the last five all or none
_AV1 = r"av01\.[012]\.\d\d[MH]\.(?:08|10|12)(?:\.[01]\.\d{3}(?:\.\d\d){3}\.[01])?"  # AV1 binding, section 5

MP4_CODECS: Final = (
    *_codecs(
        Container.MP4,
        MediaKind.VIDEO,
        r"avc[13]\.[0-9A-Fa-f]{6}",  # ISO/IEC 14496-15; without profile and level nothing is certain
        r"(?:hvc1|hev1)\.[ABC]?\d{1,2}\.[0-9A-Fa-f]{1,8}\.[LH]\d{1,3}(?:\.[0-9A-Fa-f]{1,2}){0,6}",
        _VP9,
        _AV1,
    ),
    *_codecs(
        Container.MP4,
        MediaKind.AUDIO,
        r"mp4a\.40\.(?:0?2|0?5|29|42)",  # AAC-LC, HE-AAC, HE-AAC v2, xHE-AAC
        r"ac-3|ec-3|mp4a\.[aA][56]",
        r"ac-4(?:\.\d\d){3}",
        r"fLaC|flac",
        r"Opus|opus",
    ),
)

WEBM_CODECS: Final = (
    *_codecs(Container.WEBM, MediaKind.VIDEO, r"vp8|vp9", _VP9, _AV1),
    *_codecs(Container.WEBM, MediaKind.AUDIO, r"opus|vorbis"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """A media type; `type`, `subtype` and names of parameters are in lower case, values as they were given."""

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...] = ()


def read(text: str) -> MediaType | None:
    """None where it is no media type. Blanks around it and around each `;` are allowed, around `=` they are not."""
    found = MEDIA_TYPE.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if found is None:
        return None
    parameters = tuple((name.lower(), _value(value)) for name, value in PARAMETER.findall(found[3]))
    if len({name for name, _ in parameters}) < len(parameters):
        return None
    return MediaType(type=found[1].lower(), subtype=found[2].lower(), parameters=parameters)


def container_of(text: str, kind: MediaKind, known: tuple[Codec, ...]) -> Container | None:
    """The container, where everything is known: it, each parameter, and each codec as one of this kind in it.

    None else, also where no codecs are named (EME 3.2.2.3, steps 5 to 13).
    """
    media_type = read(text)
    if media_type is None or media_type.type != kind:
        return None
    parameters = dict(media_type.parameters)
    named = [name.strip(BLANKS) for name in parameters.pop("codecs", "").split(",")]
    if parameters:
        return None
    patterns = [it.pattern for it in known if it.kind is kind and it.container == media_type.subtype]
    if not all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in named):
        return None
    return Container(media_type.subtype)


def _value(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written[1:-1]) if written.startswith('"') else written
