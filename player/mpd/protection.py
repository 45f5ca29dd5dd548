"""ContentProtection: key ids, init data and the URLs of license and authorization servers.

Namespaces count, never prefixes; the last step of the license URL precedence is the one exception, since players in the
field accept literal prefixes and content relies on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from player.ids import KeyId
from player.mpd.document import Node, qualified, split
from player.mpd.model import ContentProtection
from player.mpd.values import binary, key_ids

CENC: Final = "urn:mpeg:cenc:2013"
PLAYREADY: Final = "urn:microsoft:playready"

URL_PRECEDENCE: Final = (
    ("https://dashif.org/", "laurl"),  # DASH-IF security guideline
    ("https://dashif.org/CPS", "Laurl"),  # DASH-IF IOP v5, part 6
    ("https://dashif.org/", "Laurl"),
    ("http://dashif.org/guidelines/clearKey", "Laurl"),  # before IOP v5
)
URL_PREFIXES: Final = frozenset({"clearkey", "dashif", "ck"})
AUTHORIZATION: Final = {"laurl": "authzurl", "Laurl": "Authzurl"}

_BOX_HEAD: Final = 8

Definitions = dict[str, Node]
"""Each `@refId` with the ContentProtection that carries it."""

T = TypeVar("T")


def definitions(root: Node) -> Definitions:
    """All ContentProtection elements that others may refer to; the first of an id counts (5.8.4.1)."""
    found: Definitions = {}
    tag = qualified(root.document.namespace, "ContentProtection")
    for element in root.element.iter(tag):
        if ref_id := element.get("refId"):
            found.setdefault(ref_id, Node(element, f"//ContentProtection[@refId={ref_id[:40]!r}]", root.document))
    return found


def protections(node: Node, defined: Definitions) -> tuple[ContentProtection, ...]:
    """The descriptors of one element, in document order."""
    return node.whole(node.children("ContentProtection"), lambda part: _protection(part, defined))


def inherited(node: Node, defined: Definitions) -> tuple[ContentProtection, ...]:
    """Those of an MPD or Period that hold for all below: one with `@refId` is only there to be referred to."""
    own = (part for part in node.children("ContentProtection") if "refId" not in part.element.attrib)
    return node.whole(own, lambda part: _protection(part, defined))


def _protection(node: Node, defined: Definitions) -> ContentProtection:
    sources = (node, *_referred(node, defined))
    told = tuple(source for source in sources if len(source.element))
    scheme = _first(source.string("schemeIdUri").strip().lower() for source in sources)
    if not scheme:
        raise node.broken("no @schemeIdUri")
    return ContentProtection(
        scheme=scheme,
        value=_first(source.string("value") for source in sources) or "",
        default_kids=_first(_default_kids(source) for source in sources) or (),
        pssh=_first(_pssh(source) for source in told) or (),
        pro=_first(_pro(source) for source in told),
        license_urls=_first(_urls(source, lambda name: name) for source in told) or (),
        authorization_urls=_first(_urls(source, AUTHORIZATION.__getitem__) for source in told) or (),
        robustness=_first(source.string("robustness") for source in sources) or "",
    )


def _referred(node: Node, defined: Definitions) -> Iterator[Node]:
    """The element that `@ref` names; it may not itself refer further."""
    ref = node.element.get("ref")
    if ref is None:
        return
    if ref in defined and defined[ref].element is not node.element:
        yield defined[ref]
    else:
        node.warn(f"@ref {ref[:40]!r} names no ContentProtection")


def _first(values: Iterable[T]) -> T | None:
    """What an element says itself goes before what it refers to."""
    return next((value for value in values if value), None)


def _default_kids(node: Node) -> tuple[KeyId, ...]:
    name = qualified(CENC, "default_KID")
    if name not in node.element.attrib and "default_KID" in node.element.attrib:
        node.warn(f"@default_KID outside {CENC}")
        name = "default_KID"
    return node.lenient(name, key_ids) or ()


def _pssh(node: Node) -> tuple[bytes, ...]:
    return tuple(box for boxes in node.whole(_foreign(node, CENC, "pssh"), _boxes) for box in boxes)


def _pro(node: Node) -> bytes | None:
    return next(iter(node.whole(_foreign(node, PLAYREADY, "pro"), _decoded)), None)


def _boxes(node: Node) -> tuple[bytes, ...]:
    """The `pssh` boxes of one element: one by the standard, several in the field; unread."""
    data, boxes = _decoded(node), []
    while data:
        size = int.from_bytes(data[:4], "big")
        if data[4:_BOX_HEAD] != b"pssh" or not _BOX_HEAD < size <= len(data):
            raise node.broken("no pssh box")
        boxes.append(data[:size])
        data = data[size:]
    return tuple(boxes)


def _decoded(node: Node) -> bytes:
    try:
        return binary(node.text())
    except ValueError as error:
        raise node.broken(str(error)) from None


def _urls(node: Node, called: Callable[[str], str]) -> tuple[str, ...]:
    """The URLs of the first form that is there; several of one form are equal alternatives.

    `called` gives an element's name for that of the license URL in the same form.
    """
    for namespace, name in URL_PRECEDENCE:
        if found := _texts(_foreign(node, namespace, called(name))):
            return found
    names = {called("laurl"), called("Laurl")}
    return _texts(child for child in _prefixed(node) if split(child.element.tag)[1] in names)


def _texts(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Texts without the blanks and line breaks that authors put into them, none twice."""
    return tuple(dict.fromkeys(text for text in ("".join(node.text().split()) for node in nodes) if text))


def _foreign(node: Node, namespace: str, name: str) -> Iterator[Node]:
    found = node.element.findall(qualified(namespace, name))
    return (Node(element, f"{node.path}/{name}[{i}]", node.document) for i, element in enumerate(found, 1))


def _prefixed(node: Node) -> Iterator[Node]:
    """Children in a namespace that the document binds to one of the prefixes of the last step."""
    for element in node.element:
        prefixes = node.document.prefixes.get(split(element.tag)[0], frozenset())
        if prefixes & URL_PREFIXES:
            yield Node(element, f"{node.path}/{split(element.tag)[1]}", node.document)
