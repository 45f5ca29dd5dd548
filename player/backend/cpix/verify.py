"""Verify the signatures of a document. An embedded certificate proves nothing: it is compared with those trusted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from player.backend.cpix import names, values
from player.backend.cpix.signature import (
    C14N_1_0,
    DIGESTS,
    ENVELOPED,
    EXCLUSIVE,
    SIGNATURES,
    Ids,
    ids_of,
    referenced_bytes,
    refuse_inherited,
    signatures_of,
    target_of,
)
from player.backend.cpix.xmlio import Element, canonical, elements, place, text_of
from player.crypto import rsa
from player.crypto.certificate import Certificate
from player.errors import CpixError

T = TypeVar("T")

MAX_SIGNATURES: Final = 16  # one a list and a few more: each costs a pass over the document


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature that holds. `covers` is the name of a list, or `CPIX`; `node` what was verified: use that one."""

    covers: str
    certificate: Certificate
    node: Element


def verify(
    root: Element, trusted: Collection[Certificate], *, now_us: int, expected: Collection[str] = ()
) -> tuple[Signed, ...]:
    """All signatures of a document, each of which must hold; `expected`: lists (or `CPIX`) that must be signed.

    Raises: CpixError `bad-signature`, `untrusted-signature`, `certificate-expired`, or `missing-signature`.
    """
    found = signatures_of(root)
    if len(found) > MAX_SIGNATURES:
        raise CpixError("bad-signature", "/CPIX", f"more than {MAX_SIGNATURES} signatures")
    ids = ids_of(root)
    signed = tuple(_verified(root, ids, each, trusted, now_us) for each in found)
    covered = {each.covers for each in signed}
    _refuse_second(root, {name for name in covered if name in names.LISTS})
    for name in expected:
        if "CPIX" not in covered and name not in covered:
            raise CpixError("missing-signature", f"/CPIX/{name}" if name != "CPIX" else "/CPIX", "nobody signed it")
    return signed


def _refuse_second(root: Element, signed: Collection[str]) -> None:
    """A second list of a kind that is signed, which a lenient reader would read too."""
    found = [names.prefixed(each.tag) for each in elements(root)]
    for name in signed:
        if found.count(name) > 1:
            raise CpixError("bad-signature", f"/CPIX/{name}", "there is another that is not signed")


def _verified(root: Element, ids: Ids, signature: Element, trusted: Collection[Certificate], now_us: int) -> Signed:
    refuse_inherited(root, signature)
    info = _one(signature, "ds:SignedInfo")
    certificate = _trusted(signature, trusted, now_us)
    digest = _named(_one(info, "ds:SignatureMethod"), SIGNATURES)
    exclusive = _named(_one(info, "ds:CanonicalizationMethod"), EXCLUSIVE)
    value = _bytes(_one(signature, "ds:SignatureValue"))
    if not _holds(certificate, value, canonical(info, exclusive=exclusive), digest):
        raise CpixError("bad-signature", place(signature), "it is not by the key of its certificate")
    reference = _one(info, "ds:Reference")
    target = target_of(root, ids, reference.get("URI"), signature)
    _check_digest(root, signature, reference, target)
    return Signed(covers=names.prefixed(target.tag), certificate=certificate, node=target)


def _holds(certificate: Certificate, value: bytes, signed: bytes, digest: str) -> bool:
    try:
        return rsa.verify(certificate.public_key, value, signed, digest)
    except ValueError:  # no RSA key
        return False


def _check_digest(root: Element, signature: Element, reference: Element, target: Element) -> None:
    """Raises: CpixError where what is named is not what was signed."""
    exclusive = _transformed(reference, whole=target is root)
    digest = _named(_one(reference, "ds:DigestMethod"), DIGESTS)
    data = referenced_bytes(root, target, signature, exclusive=exclusive)
    if not hmac.compare_digest(hashlib.new(digest, data).digest(), _bytes(_one(reference, "ds:DigestValue"))):
        raise CpixError("bad-signature", place(signature), "what it signs was changed")


def _transformed(reference: Element, *, whole: bool) -> bool:
    """Whether exclusively; without any transform it is Canonical XML 1.0."""
    listed = [
        each for part in elements(reference) if part.tag == names.qname("ds:Transforms") for each in elements(part)
    ]
    algorithms = [each.get("Algorithm") or "" for each in listed]
    canonicals = [each for each in algorithms if each != ENVELOPED] or [C14N_1_0]
    enveloped = algorithms.count(ENVELOPED)
    known = len(canonicals) == 1 and canonicals[0] in EXCLUSIVE and all(not len(each) for each in listed)
    if not known or enveloped > 1 or (enveloped and algorithms[0] != ENVELOPED) or (whole and not enveloped):
        raise CpixError("bad-signature", place(reference), "transforms that are not allowed")
    return EXCLUSIVE[canonicals[0]]


def _trusted(signature: Element, trusted: Collection[Certificate], now_us: int) -> Certificate:
    """The embedded certificate, if it is one of those trusted and in its time."""
    path = ("ds:KeyInfo", "ds:X509Data", "ds:X509Certificate")
    here = [signature]
    for name in path:
        here = [each for parent in here for each in elements(parent) if each.tag == names.qname(name)]
    if not here:
        raise CpixError("bad-signature", place(signature), "without a certificate")
    embedded = {_bytes(each) for each in here}
    for each in trusted:
        if each.der in embedded:
            if not each.valid_at(now_us):
                raise CpixError("certificate-expired", place(signature), "signed with a certificate out of its time")
            return each
    raise CpixError("untrusted-signature", place(signature), "by nobody who is trusted")


def _one(parent: Element, name: str) -> Element:
    found = [each for each in elements(parent) if each.tag == names.qname(name)]
    if len(found) != 1:
        raise CpixError("bad-signature", place(parent), f"{len(found)} {name}, one is wanted")
    return found[0]


def _named(element: Element, known: Mapping[str, T]) -> T:
    """What its algorithm stands for; nothing may stand inside, least of all a list of prefixes."""
    algorithm = element.get("Algorithm") or ""
    if algorithm not in known or len(element):
        raise CpixError("bad-signature", place(element), "an algorithm that is not allowed")
    return known[algorithm]


def _bytes(element: Element) -> bytes:
    try:
        return values.base64_bytes(text_of(element))
    except ValueError as error:
        raise CpixError("bad-signature", place(element), str(error)) from None
