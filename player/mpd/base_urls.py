"""BaseURL: where resources lie, with alternatives on every level (ISO/IEC 23009-1, 5.6.5; DVB A168, 10.8.2)."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from player.errors import ManifestError
from player.mpd.document import Node
from player.mpd.model import BaseUrl, Resource
from player.mpd.values import boolean, offset, unsigned

MAX_BASE_URLS: Final = 16  # alternatives multiply over four levels

_DVB: Final = "{urn:dvb:dash:dash-extensions:2014-1}"


class Bases(NamedTuple):
    """The alternatives at one element. `offset_us`: availabilityTimeOffset of the BaseURLs so far, None: INF.

    `complete`: availabilityTimeComplete of the innermost BaseURL that says it.
    """

    urls: tuple[BaseUrl, ...]
    offset_us: int | None = 0
    complete: bool = True

    @property
    def first(self) -> str:
        return self.urls[0].url


def of_document(url: str) -> Bases:
    return Bases((BaseUrl(url=url, location=_origin(url)),))


def descend(node: Node, bases: Bases) -> Bases:
    """Below an element: its BaseURLs are alternatives, each under each of those above."""
    elements = tuple(node.children("BaseURL"))
    found = node.whole(elements, lambda at: tuple(_under(at, base) for base in bases.urls))
    urls = tuple({base.url: base for group in reversed(found) for base in reversed(group)}.values())[::-1]
    if not urls:
        return bases
    first = elements[0]
    own_us = first.lenient("availabilityTimeOffset", offset) if _given(first, "availabilityTimeOffset") else 0
    total_us = None if own_us is None or bases.offset_us is None else own_us + bases.offset_us
    complete = first.lenient("availabilityTimeComplete", boolean)
    return Bases(urls[:MAX_BASE_URLS], total_us, bases.complete if complete is None else complete)


def moved(resource: Resource, source: str, target: str) -> Resource:
    """The same resource under another alternative; one that does not lie below `source` has no other."""
    folder = urljoin(source, ".")
    if not resource.url.startswith(folder):
        return resource
    return Resource(url=urljoin(target, ".") + resource.url[len(folder) :], byte_range=resource.byte_range)


def _under(node: Node, base: BaseUrl) -> BaseUrl:
    """Raises: ManifestError"""
    url = node.resolve(base.url, node.text())
    own = node.string("serviceLocation")
    inherited = base.location if urlsplit(url)[:2] == urlsplit(base.url)[:2] else _origin(url)
    return BaseUrl(
        url=url,
        location=own or inherited,
        priority=_number(node, "priority", base.priority),
        weight=_number(node, "weight", base.weight),
    )


def _number(node: Node, name: str, default: int) -> int:
    try:
        value = node.exact(_DVB + name, unsigned)
    except ManifestError as error:
        node.document.notes.add(str(error))
        return default
    return default if value is None else value


def _given(node: Node, name: str) -> bool:
    return name in node.element.attrib


def _origin(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
