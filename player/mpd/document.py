"""An XML document from the network as a tree to read from: size, depth, count and DOCTYPE are settled here.

Knows nothing of DASH but its namespace. Every place is told as an XPath, so that whoever finds a fault can name it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from player.errors import ManifestError

MPD_NAMESPACE: Final = "urn:mpeg:dash:schema:mpd:2011"
LAX_NAMESPACES: Final = frozenset({MPD_NAMESPACE, "urn:mpeg:DASH:schema:MPD:2011", ""})
XLINK_HREF: Final = "{http://www.w3.org/1999/xlink}href"

MAX_BYTES: Final = 16 << 20
MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 500_000
MAX_ATTRIBUTE_CHARS: Final = 64 << 10
MAX_NOTES: Final = 100  # a broken document must not fill the log

UNREADABLE: Final = frozenset({"not-mpd", "not-xml", "doctype", "too-large", "nothing-to-play"})
"""Codes of a document that as a whole is no MPD to be played."""

SIGNATURES: Final = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"#extm3u", "an HLS playlist"),
    (b"{", "a JSON document"),
)
"""What people get instead of an MPD: how it begins, in lower case, and what it is called."""

T = TypeVar("T")

Prefixes = dict[str, frozenset[str]]
"""Each namespace with the prefixes bound to it anywhere in a document."""


@dataclass(slots=True)
class Notes:
    """Warnings of one document, in order; after the hundredth only their number grows."""

    lines: list[str] = field(default_factory=list)
    left_out: int = 0

    def add(self, line: str) -> None:
        if len(self.lines) < MAX_NOTES:
            self.lines.append(line)
        else:
            self.left_out += 1

    def all(self) -> tuple[str, ...]:
        more = (f"{self.left_out} further warnings",) if self.left_out else ()
        return (*self.lines, *more)


@dataclass(frozen=True, slots=True)
class Document:
    """What all nodes of one document share."""

    url: str
    namespace: str
    prefixes: Prefixes
    notes: Notes


@dataclass(frozen=True, slots=True)
class Node:
    """An element and its XPath."""

    element: Element
    path: str
    document: Document
    position: int = 1  # among the elements of its name

    def children(self, name: str) -> Iterator[Node]:
        """Child elements of the MPD namespace, numbered from 1 in their paths."""
        found = self.element.findall(qualified(self.document.namespace, name))
        return (Node(element, f"{self.path}/{name}[{i}]", self.document, i) for i, element in enumerate(found, 1))

    def child(self, name: str) -> Node | None:
        """The first child of this name."""
        return next(self.children(name), None)

    def text(self) -> str:
        return "".join(self.element.itertext()).strip()

    def string(self, name: str, default: str = "") -> str:
        return self.element.get(name, default)

    def exact(self, name: str, convert: Callable[[str], T]) -> T | None:
        """An optional attribute whose bad value costs the element.

        Raises: ManifestError
        """
        text = self.element.get(name)
        if text is None:
            return None
        try:
            return convert(text)
        except ValueError as error:
            raise self.broken(f"@{name}: {error}") from None

    def lenient(self, name: str, convert: Callable[[str], T]) -> T | None:
        """An optional attribute whose bad value is a warning and counts as absent."""
        try:
            return self.exact(name, convert)
        except ManifestError as error:
            self.document.notes.add(str(error))
            return None

    def resolve(self, base: str, reference: str) -> str:
        """An absolute URL.

        Raises: ManifestError
        """
        try:
            return urljoin(base, reference.strip())
        except ValueError as error:
            raise self.broken(f"{reference[:80]!r} is no URL: {error}") from None

    def warn(self, reason: str) -> None:
        self.document.notes.add(f"{self.path}: {reason}")

    def broken(self, reason: str) -> ManifestError:
        """The error that costs this part; who can do without the part catches it."""
        return ManifestError("broken-part", self.path, reason)

    def whole(self, parts: Iterable[Node], read: Callable[[Node], T | None]) -> tuple[T, ...]:
        """What can be read of `parts`; a broken one is a warning, None a part left out on purpose."""
        found = []
        for part in parts:
            try:
                value = read(part)
            except ManifestError as error:
                self.document.notes.add(str(error))
            else:
                if value is not None:
                    found.append(value)
        return tuple(found)


def read(data: bytes, url: str) -> Node:
    """The root of an MPD.

    Raises: ManifestError (`UNREADABLE`)
    """
    root, prefixes = read_tree(data, url)
    namespace, name = split(root.tag)
    if name != "MPD" or namespace not in LAX_NAMESPACES:
        raise _fault("not-mpd", f"{url} is {_called(root.tag)}, not an MPD")
    document = Document(url, namespace, prefixes, Notes())
    if namespace != MPD_NAMESPACE:
        document.notes.add(f"/MPD: namespace {namespace!r} where {MPD_NAMESPACE} is meant")
    return Node(root, "/MPD", document)


def read_tree(data: bytes, url: str) -> tuple[Element, Prefixes]:
    """The root of any document that belongs to an MPD, with the prefixes bound in it.

    Raises: ManifestError (`UNREADABLE`)
    """
    _check_bytes(data, url)
    builder = _Builder(url)
    root = _parse(data, url, builder)
    check_tree(root, url)
    return root, {uri: frozenset(names) for uri, names in builder.prefixes.items()}


def changed(node: Node, root: Element, prefixes: Prefixes) -> Node:
    """The document of `node` with another tree, in which further prefixes are bound.

    Raises: ManifestError for a tree that is too large.
    """
    old = node.document
    check_tree(root, old.url)
    both = {uri: old.prefixes.get(uri, frozenset()) | prefixes.get(uri, frozenset()) for uri in old.prefixes | prefixes}
    return Node(root, node.path, Document(old.url, old.namespace, both, Notes()))


def qualified(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}" if namespace else name


def split(tag: str) -> tuple[str, str]:
    """Namespace and local name of a tag or attribute name."""
    namespace, brace, name = tag.rpartition("}")
    return namespace.removeprefix("{") if brace else "", name


class _Builder(ET.TreeBuilder):
    """Refuses every DOCTYPE before its internal subset is read, and keeps which prefixes a namespace was bound to."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.prefixes: dict[str, set[str]] = {}

    def doctype(self, *_: object) -> None:
        raise _fault("doctype", f"{self.url} has a DOCTYPE, which no MPD needs")

    def start_ns(self, prefix: str, uri: str) -> None:
        self.prefixes.setdefault(uri, set()).add(prefix or "")


def _check_bytes(data: bytes, url: str) -> None:
    if len(data) > MAX_BYTES:
        raise _fault("too-large", f"{url} has {len(data)} bytes, more than {MAX_BYTES}")
    # Every encoding that expat reads has "<" as byte 3C: this bounds the tree before it is built, two for an element.
    if data.count(b"<") > 2 * MAX_ELEMENTS:
        raise _fault("too-large", f"{url} has more than {MAX_ELEMENTS} elements")
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not start:
        raise _fault("not-mpd", f"{url} is empty")
    for signature, called in SIGNATURES:
        if start.startswith(signature):
            raise _fault("not-mpd", f"{url} is {called}, not an MPD")


def _parse(data: bytes, url: str, builder: _Builder) -> Element:
    parser = ET.XMLParser(target=builder)  # noqa: S314 - no DOCTYPE, so no entities; bounded in bytes and elements
    try:
        parser.feed(data)
        root: Element = parser.close()
    except ET.ParseError as error:
        line, column = error.position
        raise _fault("not-xml", f"{url} is not an MPD: no well-formed XML at line {line}, column {column}") from None
    except (ValueError, LookupError) as error:
        raise _fault("not-xml", f"{url} is not an MPD: {error}") from None
    return root


def check_tree(root: Element, url: str) -> None:
    """Depth, number and attribute sizes, level by level: a tree may be a million levels deep."""
    level, depth, count = [root], 0, 0
    while level:
        depth += 1
        count += len(level)
        if depth > MAX_DEPTH:
            raise _fault("too-large", f"{url} has elements more than {MAX_DEPTH} levels deep")
        if count > MAX_ELEMENTS:
            raise _fault("too-large", f"{url} has more than {MAX_ELEMENTS} elements")
        for element in level:
            for name, value in element.items():
                if len(value) > MAX_ATTRIBUTE_CHARS:
                    raise _fault("too-large", f"{url}: @{split(name)[1][:40]} has {len(value)} characters")
        level = [child for element in level for child in element]


def _called(tag: str) -> str:
    name = split(tag)[1]
    return {"html": "an HTML page", "Patch": "an MPD Patch"}.get(name, f"a document with root {name[:40]!r}")


def _fault(code: str, reason: str) -> ManifestError:
    return ManifestError(code, "/MPD", reason)
