"""Bytes to an XML tree and back, and the one door of the library lxml in the product.

No network, no entities, no DTD, no huge trees; a size limit before anything is parsed, and no document with a DOCTYPE.
Refuses to know what a document says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, cast

from lxml import etree

from player.backend.cpix import names
from player.errors import CpixError

MAX_BYTES: Final = 8_000_000  # some ten thousand sealed keys
MAX_ELEMENTS: Final = 200_000  # twice what those keys are made of
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "iso-8859-1"})


class Element(Protocol):
    """What is used of an lxml element. Comments and processing instructions are children too; `*` leaves them out."""

    tag: str
    text: str | None
    tail: str | None
    sourceline: int | None

    @property
    def attrib(self) -> Mapping[str, str]: ...

    def get(self, name: str, default: str | None = None, /) -> str | None: ...

    def set(self, name: str, value: str, /) -> None: ...

    def getparent(self) -> Element | None: ...

    def getprevious(self) -> Element | None: ...

    def append(self, child: Element, /) -> None: ...

    def insert(self, at: int, child: Element, /) -> None: ...

    def remove(self, child: Element, /) -> None: ...

    def index(self, child: Element, /) -> int: ...

    def iter(self, *tags: str) -> Iterator[Element]: ...

    def itersiblings(self, *tags: str, preceding: bool = False) -> Iterator[Element]: ...

    def iterchildren(self, *tags: str) -> Iterator[Element]: ...

    def __iter__(self) -> Iterator[Element]: ...

    def __len__(self) -> int: ...


def parse(data: bytes) -> Element:
    """The root of a document.

    Raises: CpixError for what is too large, is no XML, or has a DOCTYPE.
    """
    if len(data) > MAX_BYTES:
        raise CpixError("too-large", "/", f"{len(data):,} bytes, at most {MAX_BYTES:,} are read")
    if b"<!DOCTYPE" in data.replace(b"\0", b""):  # before an entity can be expanded; NULs are half of UTF-16
        raise CpixError("doctype", "/", "a document with a DOCTYPE is not read")
    root = _parsed(data)
    if root.getroottree().docinfo.internalDTD is not None:
        raise CpixError("doctype", "/", "a document with a DOCTYPE is not read")
    if (root.getroottree().docinfo.encoding or "utf-8").lower() not in _ENCODINGS:
        raise CpixError("bad-encoding", "/", "neither UTF-8 nor UTF-16 nor ISO 8859-1")
    if sum(1 for _ in root.iter()) > MAX_ELEMENTS:
        raise CpixError("too-large", "/", f"more than {MAX_ELEMENTS:,} elements")
    return cast(Element, root)


def serialise(element: Element) -> bytes:
    """The whole document `element` is the root of, in UTF-8, with nothing added and nothing laid out."""
    return cast(bytes, etree.tostring(_tree(element), encoding="UTF-8", xml_declaration=True))


def canonical(element: Element, *, exclusive: bool = False) -> bytes:
    """Canonical XML without comments of the subtree of `element`.

    In place, lxml can put a false `xmlns=""` on descendants of a subtree: it is written, read again, and then made
    canonical. That loses `xml:*` attributes of ancestors, which inclusive canonical XML copies: where there are any,
    the caller has refused. Without them versions 1.0 and 1.1 are the same bytes.
    """
    alone = _parsed(etree.tostring(element, encoding="UTF-8", with_tail=False))
    return cast(bytes, etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=False))


def canonical_without(root: Element, left_out: Element, *, exclusive: bool = False) -> bytes:
    """Canonical XML of the whole document, what stands around its root included, without one child of the root."""
    at = root.index(left_out)
    copy = _parsed(etree.tostring(_tree(root), encoding="UTF-8"))
    _unlink(copy, copy[at])
    return cast(bytes, etree.tostring(copy.getroottree(), method="c14n", exclusive=exclusive, with_comments=False))


def remove(child: Element) -> None:
    """Take an element out and leave the text behind it where it is."""
    parent = child.getparent()
    if parent is not None:
        _unlink(parent, child)


def element(name: str, attributes: Mapping[str, str] = {}, text: str | None = None, *parts: Element) -> Element:
    """An element by its prefixed name, with its children."""
    made = etree.Element(names.qname(name), attributes, nsmap=_DECLARED)
    made.text = text
    made.extend(parts)
    return cast(Element, made)


def child(parent: Element, name: str, attributes: Mapping[str, str] = {}, text: str | None = None) -> Element:
    """A new last child, with the prefixes of its parent."""
    made = etree.SubElement(parent, names.qname(name), attributes, nsmap={"ds": names.DS} if name[:3] == "ds:" else {})
    made.text = text
    return cast(Element, made)


def elements(parent: Element) -> Iterator[Element]:
    """Children that are elements, neither comments nor processing instructions."""
    return parent.iterchildren("*")


def text_of(parent: Element) -> str:
    """All text of an element; a comment in the middle neither ends nor changes it."""
    return (parent.text or "") + "".join(each.tail or "" for each in parent)


def place(element: Element) -> str:
    """`/CPIX/ContentKeyList/ContentKey[2]`, the way a person counts."""
    steps: list[str] = []
    here: Element | None = element
    while here is not None:
        before = sum(1 for _ in here.itersiblings(here.tag, preceding=True))
        steps.append(names.prefixed(here.tag) + (f"[{before + 1}]" if before else ""))
        here = here.getparent()
    return "/" + "/".join(reversed(steps))


_DECLARED: Final[Mapping[str | None, str]] = {
    None: names.CPIX,
    "pskc": names.PSKC,
    "xenc": names.XENC,
    "ds": names.DS,
}  # on the root, once


def _parsed(data: bytes) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, dtd_validation=False
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise CpixError(
            "bad-xml", f"line {line}, column {column}", f"no XML: {error.msg.partition(', line ')[0]}"
        ) from None
    except (LookupError, ValueError) as error:
        raise CpixError("bad-xml", "/", f"no XML: {error}") from None


def _tree(root: Element) -> Any:
    return cast(Any, root).getroottree()


def _unlink(parent: Element, gone: Element) -> None:
    before = gone.getprevious()
    if gone.tail and before is not None:
        before.tail = (before.tail or "") + gone.tail
    elif gone.tail:
        parent.text = (parent.text or "") + gone.tail
    gone.tail = None
    parent.remove(gone)
