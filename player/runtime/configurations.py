"""Arguments of requestMediaKeySystemAccess as WebIDL converts them: mappings with the standard's names, snake-cased.

Members that nobody knows are ignored, and None is a member that was not given. A member of the wrong type is a
TypeError, and so is a name that its enumeration does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from player.eme.access import Configuration
from player.eme.capabilities import Capability
from player.eme.errors import EmeTypeError
from player.eme.key_system import Requirement


def configurations(given: object) -> tuple[Configuration, ...]:
    """Raises: EmeTypeError."""
    return tuple(_configuration(it) for it in _items(given))


def _configuration(it: object) -> Configuration:
    given = _members(it, Configuration)
    return Configuration(
        label=_text(given, "label"),
        init_data_types=_texts(given, "init_data_types") or (),
        audio_capabilities=_capabilities(given, "audio_capabilities"),
        video_capabilities=_capabilities(given, "video_capabilities"),
        distinctive_identifier=_requirement(given, "distinctive_identifier"),
        persistent_state=_requirement(given, "persistent_state"),
        session_types=_texts(given, "session_types"),
    )


def _capabilities(given: Mapping[str, object], name: str) -> tuple[Capability, ...]:
    return tuple(_capability(it) for it in _items(() if given.get(name) is None else given[name]))


def _capability(it: object) -> Capability:
    given = _members(it, Capability)
    return Capability(
        content_type=_text(given, "content_type"),
        robustness=_text(given, "robustness"),
        encryption_scheme=None if given.get("encryption_scheme") is None else _text(given, "encryption_scheme"),
    )


def _members(it: object, kind: type[Configuration | Capability]) -> Mapping[str, object]:
    if isinstance(it, kind):
        return {each.name: getattr(it, each.name) for each in fields(kind)}
    if not isinstance(it, Mapping):
        raise EmeTypeError(f"a {kind.__name__} or a mapping was expected")
    return it


def _requirement(given: Mapping[str, object], name: str) -> Requirement:
    value = given.get(name)
    if value is None:
        return Requirement.OPTIONAL
    if not isinstance(value, str) or value not in tuple(Requirement):
        raise EmeTypeError(f"{name} is one of: {', '.join(Requirement)}")
    return Requirement(value)


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise EmeTypeError(f"{name} is a str")
    return value or ""


def _texts(given: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    if given.get(name) is None:
        return None
    texts = tuple(it for it in _items(given[name]) if isinstance(it, str))
    if len(texts) < len(_items(given[name])):
        raise EmeTypeError(f"{name} has entries that are no str")
    return texts


def _items(given: object) -> Sequence[object]:
    if isinstance(given, str | bytes | bytearray | memoryview) or not isinstance(given, Sequence):
        raise EmeTypeError("a sequence was expected")
    return given
