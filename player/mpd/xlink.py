"""Remote elements: what lies elsewhere is put where it belongs (ISO/IEC 23009-1, 5.5).

Fetches nothing: it says what is to be fetched, and takes what came. A remote element that cannot be had stays as it is
written, without its link. Remote elements may hold further ones; nobody who calls goes on for ever (`MAX_ROUNDS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Final
from xml.etree.ElementTree import Element

from player.errors import ManifestError
from player.mpd.document import MPD_NAMESPACE, XLINK_HREF, Node, Prefixes, changed, read_tree, split
from player.mpd.model import RemoteElement

RESOLVE_TO_ZERO: Final = "urn:mpeg:dash:resolve-to-zero:2013"
MAX_ROUNDS: Final = 4  # a choice: of remote elements within remote elements
MAX_LINKS: Final = 256  # in one document

_ACTUATE: Final = "{http://www.w3.org/1999/xlink}actuate"
_XLINK_NAMESPACE: Final = "http://www.w3.org/1999/xlink"
_DECLARATION: Final = re.compile(rb"\s*<\?xml[^>]{0,200}\?>")
_LINKING: Final = frozenset({"Period", "AdaptationSet", "EventStream", "SegmentList"})  # 5.5.2: elements that may


def links(root: Node) -> tuple[RemoteElement, ...]:
    """The remote elements of a document, in document order.

    Raises: ManifestError where there are too many.
    """
    if _XLINK_NAMESPACE not in root.document.prefixes:
        return ()
    found = [
        RemoteElement(path=node.path, url=node.resolve(root.document.url, href), on_load=_on_load(node.element))
        for node in _linking(root)
        if (href := node.string(XLINK_HREF).strip()) != RESOLVE_TO_ZERO
    ]
    if len(found) > MAX_LINKS:
        raise ManifestError("too-large", root.path, f"{len(found)} remote elements, at most {MAX_LINKS}")
    return tuple(found)


def resolved(root: Node, contents: Mapping[str, bytes | None]) -> Node:
    """The document with remote elements in their place: `contents` by URL, None for what could not be had.

    Elements whose URL is not in it stay remote. Raises: ManifestError for a document that grew too large.
    """
    tree = deepcopy(root.element)
    prefixes: Prefixes = {}
    _resolve_below(Node(tree, root.path, root.document), contents, prefixes)
    return changed(root, tree, prefixes)


def _resolve_below(parent: Node, contents: Mapping[str, bytes | None], prefixes: Prefixes) -> None:
    children: list[Element] = []
    for child in parent.element:
        node = Node(child, f"{parent.path}/{split(child.tag)[1]}", parent.document)
        children += _replacement(node, contents, prefixes)
    parent.element[:] = children


def _replacement(node: Node, contents: Mapping[str, bytes | None], prefixes: Prefixes) -> list[Element]:
    """What stands in the place of one element: itself, unless it is remote and its content has come."""
    href = node.element.get(XLINK_HREF)
    if href is None or split(node.element.tag)[1] not in _LINKING:
        _resolve_below(node, contents, prefixes)
        return [node.element]
    if href.strip() == RESOLVE_TO_ZERO:
        return []
    url = node.resolve(node.document.url, href)
    if url not in contents:
        return [node.element]
    data = contents[url]
    found = None if data is None else _entity(data, url, node, prefixes)
    if found is None:
        for name in [name for name in node.element.attrib if split(name)[0] == _XLINK_NAMESPACE]:
            del node.element.attrib[name]
        return [node.element]
    return found


def _entity(data: bytes, url: str, node: Node, prefixes: Prefixes) -> list[Element] | None:
    """The elements of a remote entity, which may be several without a common root; None: it cannot be read."""
    body = _DECLARATION.sub(b"", data.removeprefix(b"\xef\xbb\xbf"), count=1)
    wrapped = b'<r xmlns="%b" xmlns:xlink="%b">%b</r>' % (
        (node.document.namespace or MPD_NAMESPACE).encode(),
        _XLINK_NAMESPACE.encode(),
        body,
    )
    try:
        tree, bound = read_tree(wrapped, url)
    except ManifestError:
        return None
    if not len(tree) or any(child.tag != node.element.tag for child in tree):
        return None
    for uri, names in bound.items():
        prefixes[uri] = prefixes.get(uri, frozenset()) | names
    return list(tree)


def _linking(root: Node) -> Iterator[Node]:
    """Elements with a link; what is below a remote element does not count."""
    counts: dict[str, int] = {}
    for child in root.element:
        name = split(child.tag)[1]
        counts[name] = counts.get(name, 0) + 1
        node = Node(child, f"{root.path}/{name}[{counts[name]}]", root.document)
        if name in _LINKING and XLINK_HREF in child.attrib:
            yield node
        else:
            yield from _linking(node)


def _on_load(element: Element) -> bool:
    return element.get(_ACTUATE, "onRequest") == "onLoad"
