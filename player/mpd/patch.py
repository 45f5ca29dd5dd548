"""MPD Patch: from one version of an MPD to the next by what has changed (ISO/IEC 23009-1, 5.15; RFC 5261).

A patch is all or nothing: one operation that finds nothing, or two things, refuses the whole, and the MPD is to be
fetched anew. The document that is patched stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from player.errors import ManifestError
from player.mpd.document import Node, Prefixes, changed, read_tree, split

PATCH_NAMESPACE: Final = "urn:mpeg:dash:schema:mpd-patch:2020"
MAX_OPERATIONS: Final = 10_000
MAX_VISITED: Final = 2_000_000  # elements looked at for all operations: a hostile patch must not cost more than its MPD

_STEP: Final = re.compile(r"/(text\(\)|@?(?:[\w.-]+:)?[\w.-]+)((?:\[[^\]\[]*\])*)", re.ASCII)
_PREDICATE: Final = re.compile(r"\[(?:(\d{1,9})|@((?:[\w.-]+:)?[\w.-]+)=(?:'([^']*)'|\"([^\"]*)\"))\]", re.ASCII)


class Step(NamedTuple):
    """One step of a location path. `position`: from 1 among what the attributes leave; None: no such predicate."""

    name: str  # with the prefix as written
    attributes: tuple[tuple[str, str], ...]
    position: int | None


class Found(NamedTuple):
    """What a selector names: an element with its parent, or something of it: "@name" or "text()"."""

    element: Element
    parent: Element | None
    part: str


@dataclass(slots=True)
class Search:
    """How names are to be read, and how much may still be looked at."""

    url: str
    namespace: str  # of names without a prefix: the MPD's
    prefixes: dict[str, str]
    left: int = MAX_VISITED


def apply(root: Node, data: bytes, url: str) -> Node:
    """The next version of the MPD `root`, by the patch `data` that was fetched from `url`.

    Raises: ManifestError `patch-mismatch` for a patch of another version, `bad-patch` for one that cannot be applied,
    or what `document.read_tree` raises.
    """
    patch, prefixes = read_tree(data, url)
    if split(patch.tag) != (PATCH_NAMESPACE, "Patch"):
        raise ManifestError("bad-patch", "/Patch", f"{url} is no MPD Patch")
    _check_version(root, patch)
    if len(patch) > MAX_OPERATIONS:
        raise ManifestError("bad-patch", "/Patch", f"{len(patch)} operations, at most {MAX_OPERATIONS}")
    search = Search(url, root.document.namespace, _by_prefix(prefixes))
    tree = deepcopy(root.element)
    for position, operation in enumerate(patch, 1):
        place = f"/Patch/*[{position}]"
        apply_one = _OPERATIONS.get(split(operation.tag)[1])
        if apply_one is None:
            raise ManifestError("bad-patch", place, f"no operation {split(operation.tag)[1][:40]!r}")
        apply_one(operation, _select(tree, operation.get("sel", ""), search, place), place)
    tree.set("publishTime", patch.get("publishTime", ""))
    return changed(root, tree, prefixes)


def _check_version(root: Node, patch: Element) -> None:
    for ours, theirs in (("id", "mpdId"), ("publishTime", "originalPublishTime")):
        if root.string(ours) != patch.get(theirs, ""):
            reason = f"@{theirs} {patch.get(theirs, '')[:80]!r}, the MPD has {root.string(ours)[:80]!r}"
            raise ManifestError("patch-mismatch", "/Patch", reason)


def _by_prefix(prefixes: Prefixes) -> dict[str, str]:
    return {prefix: uri for uri, bound in prefixes.items() for prefix in bound}


# ── selectors ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _select(tree: Element, selector: str, search: Search, place: str) -> Found:
    """The one thing that a selector names. Raises: ManifestError `bad-patch`."""
    steps = list(_steps(selector, place))
    part = steps.pop().name if steps and steps[-1].name.startswith(("@", "text()")) else ""
    if not steps or _qualified(steps[0].name, search, place) != tree.tag:
        raise ManifestError("bad-patch", place, f"{selector[:80]!r} does not start at the MPD")
    element, parent = tree, None
    for step in steps[1:]:
        element, parent = _one(element, step, search, place), element
    if part.startswith("@"):
        part = "@" + _attribute(part[1:], search, place)
    return Found(element, parent, part)


def _steps(selector: str, place: str) -> Iterator[Step]:
    position = 0
    while position < len(selector):
        match = _STEP.match(selector, position)
        if match is None:
            raise ManifestError("bad-patch", place, f"the selector {selector[:80]!r} at {position}")
        yield _step(match[1], match[2], place)
        position = match.end()


def _step(name: str, predicates: str, place: str) -> Step:
    found = list(_PREDICATE.finditer(predicates))
    if "".join(match[0] for match in found) != predicates:
        raise ManifestError("bad-patch", place, f"the predicates {predicates[:80]!r}")
    attributes = tuple((m[2], m[3] if m[4] is None else m[4]) for m in found if m[2] is not None)
    position = next((int(match[1]) for match in found if match[1] is not None), None)
    return Step(name, attributes, position)


def _one(parent: Element, step: Step, search: Search, place: str) -> Element:
    """The one child that a step names."""
    search.left -= len(parent)
    if search.left < 0:
        raise ManifestError("bad-patch", place, f"more than {MAX_VISITED} elements to look at")
    tag = _qualified(step.name, search, place)
    wanted = [(_attribute(name, search, place), value) for name, value in step.attributes]
    found = [child for child in parent if child.tag == tag and all(child.get(name) == value for name, value in wanted)]
    if step.position is not None:
        found = found[step.position - 1 : step.position] if step.position else []
    if len(found) != 1:
        raise ManifestError("bad-patch", place, f"{step.name[:40]!r} names {len(found)} elements, not one")
    return found[0]


def _qualified(name: str, search: Search, place: str) -> str:
    prefix, _, local = name.rpartition(":")
    uri = _uri(prefix, search, place) if prefix else search.namespace
    return f"{{{uri}}}{local}" if uri else local


def _attribute(name: str, search: Search, place: str) -> str:
    """An attribute without a prefix is in no namespace."""
    prefix, _, local = name.rpartition(":")
    return f"{{{_uri(prefix, search, place)}}}{local}" if prefix else local


def _uri(prefix: str, search: Search, place: str) -> str:
    if prefix not in search.prefixes:
        raise ManifestError("bad-patch", place, f"the prefix {prefix[:40]!r} is not bound")
    return search.prefixes[prefix]


# ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _add(operation: Element, found: Found, place: str) -> None:
    """RFC 5261, 4.3: children at the end, or where `@pos` says; an attribute where `@type` names one."""
    kind, position = operation.get("type"), operation.get("pos")
    if found.part:
        raise ManifestError("bad-patch", place, "something is added to an attribute or a text")
    if kind is not None:
        if not kind.startswith("@") or ":" in kind:
            raise ManifestError("bad-patch", place, f"@type {kind[:40]!r} cannot be added")
        found.element.set(kind[1:], (operation.text or "").strip())
    elif position in ("before", "after"):
        parent = _parent(found, place)
        at = list(parent).index(found.element) + (position == "after")
        parent[at:at] = _children(operation)
    elif position == "prepend":
        found.element[0:0] = _children(operation)
    else:
        found.element.extend(_children(operation))


def _replace(operation: Element, found: Found, place: str) -> None:
    """RFC 5261, 4.4."""
    if found.part == "text()":
        found.element.text = operation.text
    elif found.part:
        _check_there(found, place)
        found.element.set(found.part[1:], (operation.text or "").strip())
    else:
        new = _children(operation)
        if len(new) != 1:
            raise ManifestError("bad-patch", place, f"{len(new)} elements in the place of one")
        parent = _parent(found, place)
        parent[list(parent).index(found.element)] = new[0]


def _remove(_operation: Element, found: Found, place: str) -> None:
    """RFC 5261, 4.5."""
    if found.part == "text()":
        found.element.text = None
    elif found.part:
        _check_there(found, place)
        del found.element.attrib[found.part[1:]]
    else:
        _parent(found, place).remove(found.element)


def _parent(found: Found, place: str) -> Element:
    if found.parent is None:
        raise ManifestError("bad-patch", place, "the MPD itself cannot be moved")
    return found.parent


def _check_there(found: Found, place: str) -> None:
    if found.part[1:] not in found.element.attrib:
        raise ManifestError("bad-patch", place, f"there is no attribute {found.part[1:][:40]!r}")


def _children(operation: Element) -> Sequence[Element]:
    return [deepcopy(child) for child in operation]


_OPERATIONS: Final[dict[str, Callable[[Element, Found, str], None]]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}
