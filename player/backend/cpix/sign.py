"""Sign a list or the whole document: RSASSA-PKCS1-v1_5 with SHA-512 over Canonical XML 1.1.

A signature over the document covers all others and ends all extension: it comes last. A key server signs lists only,
so that a CMS can add its own lists behind them.
"""

from __future__ import annotations

import hashlib

from player.backend.cpix import names, values
from player.backend.cpix.signature import (
    C14N_1_1,
    ENVELOPED,
    RSA_SHA512,
    SHA512,
    ids_of,
    referenced_bytes,
    refuse_inherited,
    signatures_of,
    target_of,
)
from player.backend.cpix.xmlio import Element, canonical, child, elements
from player.crypto.certificate import Certificate
from player.crypto.rsa import PrivateKey
from player.errors import CpixError


def sign_list(root: Element, name: str, private_key: PrivateKey, certificate: Certificate) -> None:
    """Append a signature over one list, which gets an id if it has none. Raises: CpixError."""
    found = next((each for each in elements(root) if each.tag == names.qname(name)), None)
    if found is None:
        raise CpixError("bad-signature", f"/CPIX/{name}", "there is no such list to sign")
    if found.get("id") is None:
        found.set("id", _free_id(root, name))
    _sign(root, f"#{found.get('id')}", private_key, certificate)


def sign_document(root: Element, private_key: PrivateKey, certificate: Certificate) -> None:
    """Append a signature over everything. Raises: CpixError."""
    _sign(root, "", private_key, certificate)


def _sign(root: Element, uri: str, private_key: PrivateKey, certificate: Certificate) -> None:
    if certificate.public_key != private_key.public_key:
        raise CpixError("bad-signature", "/CPIX", "the certificate is not that of the key")
    if any(_covers_all(each) for each in signatures_of(root)):
        raise CpixError("bad-signature", "/CPIX", "the whole document is signed already: nothing may be added")
    signature = child(root, "ds:Signature")
    refuse_inherited(root, signature)
    info = child(signature, "ds:SignedInfo")
    child(info, "ds:CanonicalizationMethod", {"Algorithm": C14N_1_1})
    child(info, "ds:SignatureMethod", {"Algorithm": RSA_SHA512})
    digested = referenced_bytes(root, target_of(root, ids_of(root), uri, signature), signature, exclusive=False)
    _reference(info, uri, hashlib.sha512(digested).digest())
    signed = private_key.sign(canonical(info))
    child(signature, "ds:SignatureValue", {}, values.base64_text(signed))
    data = child(child(signature, "ds:KeyInfo"), "ds:X509Data")
    child(data, "ds:X509Certificate", {}, values.base64_text(certificate.der))


def _reference(info: Element, uri: str, digest: bytes) -> None:
    reference = child(info, "ds:Reference", {"URI": uri})
    transforms = child(reference, "ds:Transforms")
    for algorithm in (*([] if uri else [ENVELOPED]), C14N_1_1):
        child(transforms, "ds:Transform", {"Algorithm": algorithm})
    child(reference, "ds:DigestMethod", {"Algorithm": SHA512})
    child(reference, "ds:DigestValue", {}, values.base64_text(digest))


def _covers_all(signature: Element) -> bool:
    return any(each.get("URI") == "" for each in signature.iter(names.qname("ds:Reference")))


def _free_id(root: Element, name: str) -> str:
    taken = {each.get("id") for each in root.iter("*")}
    base = name[0].lower() + name[1:]
    return next(free for number in range(len(taken) + 1) if (free := f"{base}{number or ''}") not in taken)
