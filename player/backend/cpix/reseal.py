"""Seal an opened document for others, in its own tree: what nobody here understands stays as it was.

Signatures over what is replaced cannot hold any more and go; those over other lists stay, and stay valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from player.backend.cpix import names
from player.backend.cpix.model import KeyEntry
from player.backend.cpix.read import Read
from player.backend.cpix.seal import MIN_RSA_BITS, Chance, Recipient, seal
from player.backend.cpix.signature import signatures_of
from player.backend.cpix.write import needs_2_4, tree
from player.backend.cpix.xmlio import Element, elements, remove
from player.errors import CpixError
from player.ids import ContentKey, KeyId


def reseal(
    read: Read,
    keys: Mapping[KeyId, ContentKey],
    recipients: Sequence[Recipient],
    chance: Chance,
    *,
    now_us: int,
    min_bits: int = MIN_RSA_BITS,
) -> int:
    """Change the tree of `read`; the number of signatures that had to go.

    Raises: CpixError where a key of the document was not opened, or `seal` refuses.
    """
    plain = replace(read.document, keys=tuple(_plain(key, keys) for key in read.document.keys), delivery=())
    sealed = seal(plain, recipients, chance, now_us=now_us, min_bits=min_bits)
    gone = _signatures_gone(read.root)
    if needs_2_4(sealed):
        read.root.set("version", "2.4")
    _put(read.root, tree(replace(sealed, systems=(), periods=(), rules=(), history=(), marks=(), version="2.4")))
    return gone


def _plain(key: KeyEntry, keys: Mapping[KeyId, ContentKey]) -> KeyEntry:
    if key.value is None:
        return key
    if key.kid not in keys:
        raise CpixError("not-opened", "/CPIX/ContentKeyList", f"{key.kid} is not ours to pass on")
    return replace(key, value=keys[key.kid])


def _put(root: Element, made: Element) -> None:
    """The new recipients, and into each ContentKey its new Data."""
    new = {each.tag: each for each in elements(made)}
    for old in _named(root, names.DELIVERY_DATA_LIST):
        remove(old)
    for target, source in zip(_keys_of(root), _keys_of(made), strict=True):
        _replace(target, source)
    root.insert(0, new[names.qname(names.DELIVERY_DATA_LIST)])


def _replace(target: Element, source: Element) -> None:
    """The Data of one ContentKey by that of another, at the place it had."""
    for new in _named(source, "Data"):
        old = _named(target, "Data")[0]
        target.insert(target.index(old), new)
        remove(old)


def _signatures_gone(root: Element) -> int:
    """Remove signatures over the keys, the recipients, or everything."""
    kept = {f"#{each.get('id')}" for each in elements(root) if each.tag not in _CHANGED and each.get("id")}
    found = signatures_of(root)
    gone = [each for each in found if not _references(each) <= kept]
    for each in gone:
        remove(each)
    return len(gone)


def _references(signature: Element) -> set[str]:
    return {each.get("URI") or "" for each in signature.iter(names.qname("ds:Reference"))}


def _named(parent: Element, name: str) -> list[Element]:
    return [each for each in elements(parent) if each.tag == names.qname(name)]


def _keys_of(root: Element) -> list[Element]:
    return [key for each in _named(root, names.CONTENT_KEY_LIST) for key in _named(each, "ContentKey")]


_CHANGED = frozenset(map(names.qname, (names.DELIVERY_DATA_LIST, names.CONTENT_KEY_LIST)))
