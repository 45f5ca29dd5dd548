"""From bytes to a Document, strictly or as vendors write.

Strict refuses the first fault of grammar or rules; lenient gives them as warnings and takes what can be understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from player.backend.cpix import names
from player.backend.cpix.check import rule_faults
from player.backend.cpix.elements import of_tree
from player.backend.cpix.faults import Fault, gathered, refuse
from player.backend.cpix.model import Document
from player.backend.cpix.schema import SHAPES, schema_faults
from player.backend.cpix.xmlio import Element, parse
from player.errors import CpixError

PUBLISHED: Final = ("2.0", "2.1", "2.2", "2.3", "2.4")


class Profile(StrEnum):
    STRICT = "strict"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A document, the tree it was read from, and what was wrong with it (empty after a strict reading)."""

    document: Document
    root: Element
    warnings: tuple[Fault, ...] = ()


def read(data: bytes, profile: Profile = Profile.STRICT) -> Read:
    """Raises: CpixError."""
    root = parse(data)
    if root.tag != names.qname("CPIX"):
        raise CpixError("not-cpix", "/", "the root is no CPIX element of urn:dashif:org:cpix")
    grammar = gathered(_version_faults(root), schema_faults(root, _grammar_of(root)))
    if profile is Profile.STRICT:
        refuse(grammar)
    document = of_tree(root)
    broken = gathered(grammar, rule_faults(document))
    if profile is Profile.STRICT:
        refuse(broken)
    return Read(document=document, root=root, warnings=broken)


def _version_faults(root: Element) -> Iterator[Fault]:
    version = root.get("version")
    if version is None:
        yield Fault.at("/CPIX", "version", "without @version")
    elif version not in PUBLISHED:
        yield Fault.at("/CPIX", "version", f"@version: none of {', '.join(PUBLISHED)}")


def _grammar_of(root: Element) -> str:
    """The older of the two for whatever is older, or does not say."""
    version = root.get("version") or ""
    return version if version in SHAPES else "2.3"
