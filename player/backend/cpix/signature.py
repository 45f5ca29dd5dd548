"""What signing and verifying share: the algorithms that are allowed, and the bytes that are signed (XML Signature 1.1).

Written here because what is at hand falls short: signxml reports valid list signatures as invalid where the signature
has a default namespace of its own, and a C library with its own libxml2 is no light dependency. xmlsec is the oracle
of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from player.backend.cpix import names
from player.backend.cpix.xmlio import Element, canonical, canonical_without, elements, place
from player.errors import CpixError

C14N_1_0: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_1_1: Final = "http://www.w3.org/2006/12/xml-c14n11"
C14N_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
RSA_SHA512: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
SHA512: Final = "http://www.w3.org/2001/04/xmlenc#sha512"

EXCLUSIVE: Final[Mapping[str, bool]] = {C14N_1_0: False, C14N_1_1: False, C14N_EXCLUSIVE: True}
"""Canonical XML without comments, and whether it is the exclusive one."""

SIGNATURES: Final[Mapping[str, str]] = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": "sha384",
    RSA_SHA512: "sha512",
}
DIGESTS: Final[Mapping[str, str]] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    SHA512: "sha512",
}


Ids = Mapping[str, Sequence[Element]]


def ids_of(root: Element) -> Ids:
    """Elements by all that any reader could take for their id."""
    found: dict[str, list[Element]] = {}
    for each in root.iter("*"):
        for value in {each.get(name) for name in _ID_ATTRIBUTES}:
            if value is not None:
                found.setdefault(value, []).append(each)
    return found


def target_of(root: Element, ids: Ids, uri: str | None, signature: Element) -> Element:
    """What a Reference names: the root, or the one element with that id, which is a child of the root.

    Stricter than CPIX: a signed element that was moved somewhere else is not found. Raises: CpixError.
    """
    if uri == "":
        return root
    if not uri or not uri.startswith("#") or len(uri) < 2:
        raise CpixError("bad-signature", place(signature), "a reference to something outside the document")
    named = ids.get(uri[1:], ())
    if len(named) != 1:
        raise CpixError("bad-signature", place(signature), f"its reference fits {len(named)} elements, not one")
    if named[0].getparent() is not root:
        raise CpixError("bad-signature", place(signature), "its reference is to no child of the root")
    return named[0]


def refuse_inherited(root: Element, signature: Element) -> None:
    """Raises: CpixError for `xml:*` on an ancestor of what is signed: the subtree alone would lose it."""
    for each in (root, signature):
        if any(name.startswith(f"{{{names.XML}}}") for name in each.attrib):
            raise CpixError("bad-signature", place(each), "an xml: attribute on what is around signed elements")


def referenced_bytes(root: Element, target: Element, signature: Element, *, exclusive: bool) -> bytes:
    """What the digest is over: a list, or the whole document but for the signature itself."""
    if target is root:
        return canonical_without(root, signature, exclusive=exclusive)
    return canonical(target, exclusive=exclusive)


def signatures_of(root: Element) -> list[Element]:
    return [each for each in elements(root) if each.tag == names.qname("ds:Signature")]


_ID_ATTRIBUTES: Final = ("id", "Id", "ID", f"{{{names.XML}}}id")
