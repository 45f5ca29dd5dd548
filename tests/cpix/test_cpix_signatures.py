"""Signatures hold where xmlsec says so, survive what CPIX lets others add, and break with what they cover."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from player.backend.cpix import names
from player.backend.cpix.model import Document, KeyEntry, UsageRule, VideoFilter
from player.backend.cpix.read import read
from player.backend.cpix.sign import sign_document, sign_list
from player.backend.cpix.signature import C14N_1_0, C14N_1_1, C14N_EXCLUSIVE
from player.backend.cpix.verify import Signed, verify
from player.backend.cpix.write import tree, write
from player.backend.cpix.xmlio import Element, parse, serialise
from player.crypto import certificate
from player.errors import CpixError
from tests.cpix.authorities import (
    BEGIN_US,
    DAY_US,
    KEYS,
    KIDS,
    NOW_US,
    certificate_of,
    private_key,
    private_pem,
    rsa_key,
)
from tests.crypto.certificates import self_signed

KEY_LIST, RULE_LIST = names.CONTENT_KEY_LIST, names.RULE_LIST
TRUSTED = (certificate_of("key server"), certificate_of("cms"))
RULES = (UsageRule(kid=KIDS[0], video=(VideoFilter(max_pixels=100),)),)
BOTH = Document(keys=tuple(KeyEntry(kid=KIDS[n], value=KEYS[n]) for n in (0, 1)), rules=RULES)


def signed_list(document: Document = BOTH, name: str = KEY_LIST, by: str = "key server") -> bytes:
    root = parse(write(document))
    sign_list(root, name, private_key(by), certificate_of(by))
    return serialise(root)


def verified(data: bytes, *expected: str, trusted: Any = TRUSTED, now_us: int = NOW_US) -> tuple[Signed, ...]:
    return verify(parse(data), trusted, now_us=now_us, expected=expected)


def refused(data: bytes, *expected: str, **options: Any) -> str:
    with pytest.raises(CpixError) as caught:
        verified(data, *expected, **options)
    return caught.value.code


def oracle(data: bytes, by: str = "key server") -> bool:
    """Whether xmlsec takes all signatures, by one key."""
    xmlsec = pytest.importorskip("xmlsec", reason="xmlsec is not installed")
    from lxml import etree

    root = etree.fromstring(data)
    xmlsec.tree.add_ids(root, ["id"])
    pem = rsa_key(by, 3072).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for signature in root.findall(f"{{{names.DS}}}Signature"):
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
        try:
            context.verify(signature)
        except xmlsec.Error:
            return False
    return True


@pytest.mark.rule("backend:K5")
@pytest.mark.parametrize("name", [KEY_LIST, RULE_LIST, "CPIX"])
def test_what_we_sign_holds_here_and_for_xmlsec(name: str) -> None:
    root = parse(write(BOTH))
    if name == "CPIX":
        sign_document(root, private_key("key server"), certificate_of("key server"))
    else:
        sign_list(root, name, private_key("key server"), certificate_of("key server"))
    data = serialise(root)
    (signed,) = verified(data, name)
    assert (signed.covers, signed.certificate) == (name, certificate_of("key server"))
    assert signed.node.tag == names.qname(name)
    assert oracle(data)
    assert read(data).document.keys == BOTH.keys


# ── extension ────────────────────────────────────────────────────────────────────────────────────────────────────────


def extended() -> bytes:
    """A key server signs its keys; a CMS adds rules and signs those."""
    root = parse(signed_list(replace(BOTH, rules=())))
    added = next(each for each in tree(BOTH) if each.tag == names.qname(RULE_LIST))
    root.insert(1, added)
    root.set("name", "from the CMS")
    sign_list(root, RULE_LIST, private_key("cms"), certificate_of("cms"))
    return serialise(root)


@pytest.mark.rule("backend:K5")
def test_a_list_signature_survives_the_lists_that_others_add() -> None:
    data = extended()
    assert [each.covers for each in verified(data, KEY_LIST, RULE_LIST)] == [KEY_LIST, RULE_LIST]
    assert read(data).document.rules == RULES


@pytest.mark.rule("backend:K5")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (str(KIDS[0]).encode(), str(KIDS[5]).encode()),
        (base64.b64encode(KEYS[0].reveal()), base64.b64encode(KEYS[5].reveal())),
        (b'maxPixels="100"', b'maxPixels="101"'),
        (b"<ContentKeyUsageRule ", b'<ContentKeyUsageRule intendedTrackType="x" '),
        (b"<VideoFilter", b" <VideoFilter"),
        (b"<CPIX ", b'<CPIX xmlns:v="urn:v" '),
    ],
    ids=["kid", "key", "filter", "attribute", "blank", "xmlns"],
)
def test_a_changed_list_breaks_its_signature(old: bytes, new: bytes) -> None:
    data = extended()
    assert old in data
    assert refused(data.replace(old, new)) == "bad-signature"


@pytest.mark.rule("backend:K5")
def test_a_missing_signature_is_refused_where_it_is_expected() -> None:
    assert refused(write(BOTH), KEY_LIST) == "missing-signature"
    assert refused(signed_list(), RULE_LIST) == "missing-signature"
    assert refused(signed_list(), "CPIX") == "missing-signature"
    assert verified(write(BOTH)) == ()


def test_a_comment_or_another_attribute_on_the_root_breaks_nothing() -> None:
    data = extended().replace(b"<ContentKey ", b"<!-- seen --><ContentKey ").replace(b"<CPIX ", b'<CPIX contentId="x" ')
    assert len(verified(data)) == 2


def test_a_signature_over_the_document_comes_last_and_ends_all_extension() -> None:
    root = parse(extended())
    sign_document(root, private_key("cms"), certificate_of("cms"))
    data = serialise(root)
    assert [each.covers for each in verified(data, "CPIX")] == [KEY_LIST, RULE_LIST, "CPIX"]
    assert len(verified(data, KEY_LIST, RULE_LIST, names.PERIOD_LIST)) == 3  # the whole covers each
    with pytest.raises(CpixError, match="signed already"):
        sign_list(parse(data), KEY_LIST, private_key("cms"), certificate_of("cms"))
    assert refused(data.replace(b' name="from the CMS"', b"")) == "bad-signature"
    assert refused(data.replace(b"</CPIX>", b"<x/></CPIX>")) == "bad-signature"


# ── trust ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_that_came_along_proves_nothing() -> None:
    assert refused(signed_list(by="third")) == "untrusted-signature"
    assert refused(signed_list(), trusted=()) == "untrusted-signature"


def test_another_key_under_a_trusted_certificate_is_refused() -> None:
    mine, theirs = (base64.b64encode(certificate_of(name).der) for name in ("third", "key server"))
    assert refused(signed_list(by="third").replace(mine, theirs)) == "bad-signature"
    with pytest.raises(CpixError, match="not that of the key"):
        sign_list(parse(write(BOTH)), KEY_LIST, private_key("third"), certificate_of("cms"))


@pytest.mark.parametrize("now_us", [BEGIN_US - 1, BEGIN_US + 4000 * DAY_US])
def test_a_certificate_out_of_its_time_is_refused(now_us: int) -> None:
    assert refused(signed_list(), now_us=now_us) == "certificate-expired"


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

ROOTS = {
    "default only": b'<CPIX xmlns="urn:dashif:org:cpix" version="2.3">%s</CPIX>',
    "more prefixes": b'<CPIX xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" '
    b'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" version="2.3">%s</CPIX>',
    "prefix": b'<CPIX xmlns="urn:dashif:org:cpix" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    b'xmlns:unused="urn:unused" version="2.3">\n%s\n</CPIX>',
}
LIST = (
    b'<ContentKeyList id="keys">\n <ContentKey kid="%s"><Data><Secret xmlns="urn:ietf:params:xml:ns:keyprov:pskc">'
    b"<PlainValue>%s</PlainValue></Secret></Data><!-- c --></ContentKey></ContentKeyList>"
    % (str(KIDS[0]).encode(), base64.b64encode(KEYS[0].reveal()))
)
SIGNATURE = (
    b"<{p}Signature {x}><{p}SignedInfo><{p}CanonicalizationMethod Algorithm={c}></{p}CanonicalizationMethod>"
    b'<{p}SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    b"<{p}Reference URI={u}>{t}<{p}DigestMethod "
    b'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><{p}DigestValue></{p}DigestValue></{p}Reference>'
    b"</{p}SignedInfo><{p}SignatureValue/><{p}KeyInfo><{p}X509Data><{p}X509Certificate>{k}</{p}X509Certificate>"
    b"</{p}X509Data></{p}KeyInfo></{p}Signature>"
)


def by_xmlsec(root_form: str, prefix: str, method: str, transform: str | None, uri: str) -> bytes:
    """A document that xmlsec has signed, in one of the shapes that occur."""
    xmlsec = pytest.importorskip("xmlsec", reason="xmlsec is not installed")
    from lxml import etree

    transforms = [] if uri else [b"http://www.w3.org/2000/09/xmldsig#enveloped-signature"]
    transforms += [transform.encode()] if transform else []
    listed = b"".join(b'<{p}Transform Algorithm="%s"/>' % each for each in transforms)
    parts = {
        b"{t}": b"<{p}Transforms>%s</{p}Transforms>" % listed if listed else b"",
        b"{c}": b'"%s"' % method.encode(),
        b"{u}": b'"%s"' % uri.encode(),
        b"{x}": b'xmlns%s="%s"' % (b":q" if prefix else b"", names.DS.encode()),
        b"{k}": base64.b64encode(certificate_of("key server").der),
        b"{p}": prefix.encode(),
    }
    signature = SIGNATURE
    for old, new in parts.items():
        signature = signature.replace(old, new)
    root = etree.fromstring(ROOTS[root_form] % (LIST + signature))
    xmlsec.tree.add_ids(root, ["id"])
    context = xmlsec.SignatureContext()
    pem = private_pem("key server")
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    context.sign(root.find(f"{{{names.DS}}}Signature"))
    return bytes(etree.tostring(root))


METHODS = (C14N_1_0, C14N_1_1, C14N_EXCLUSIVE)
SHAPES = list(product(ROOTS, ("", "q:"), METHODS, (None, *METHODS), ("", "#keys")))


@pytest.mark.rule("backend:K5")
@pytest.mark.parametrize("form", ROOTS)
@pytest.mark.parametrize("prefix", ["", "q:"], ids=["default", "prefix"])
def test_we_agree_with_xmlsec_over_every_shape(form: str, prefix: str) -> None:
    for method, transform, uri in ((m, t, u) for f, p, m, t, u in SHAPES if (f, p) == (form, prefix)):
        data = by_xmlsec(form, prefix, method, transform, uri)
        assert oracle(data)
        (signed,) = verified(data)
        assert signed.covers == (KEY_LIST if uri else "CPIX")
        changed = data.replace(str(KIDS[0]).encode(), str(KIDS[1]).encode())
        assert not oracle(changed)
        assert refused(changed) == "bad-signature"


# ── guards ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def wrapped(data: bytes) -> bytes:
    """The signed list moved away, another in its place."""
    start, end = data.index(b"<ContentKeyList"), data.index(b"</ContentKeyList>") + len(b"</ContentKeyList>")
    own = data[start:end]
    forged = own.replace(base64.b64encode(KEYS[0].reveal()), base64.b64encode(KEYS[5].reveal()))
    return data[:start] + forged.replace(b' id="contentKeyList"', b"") + b"<Old>" + own + b"</Old>" + data[end:]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'URI="#contentKeyList"', b'URI="#nothing"'),
        (b'URI="#contentKeyList"', b'URI="http://127.0.0.1:9/x"'),
        (b'URI="#contentKeyList"', b'URI="#"'),
        (b'URI="#contentKeyList"', b""),
        (b"<ContentKeyUsageRuleList", b'<ContentKeyUsageRuleList id="contentKeyList"'),
        (b"<ContentKeyUsageRuleList", b'<ContentKeyUsageRuleList xml:id="contentKeyList"'),
        (b"<CPIX ", b'<CPIX xml:lang="en" '),
        (b"<ds:Signature>", b'<ds:Signature xml:base="x">'),
        (b"xmldsig-more#rsa-sha512", b"xmldsig#rsa-sha1"),
        (b"xmlenc#sha512", b"xmldsig#sha1"),
        (C14N_1_1.encode(), b"http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (C14N_1_1.encode(), C14N_1_1.encode() + b"#WithComments"),
        (b"</ds:SignedInfo>", b'<ds:Reference URI=""/></ds:SignedInfo>'),
        (b"<ds:Reference ", b'<ds:Reference URI=""/><ds:Reference '),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AA"),
        (b"<ds:DigestValue>", b"<ds:DigestValue>?"),
        (b"ds:X509Certificate>", b"ds:X509CRL>"),
        (b"<ds:KeyInfo>", b"<ds:KeyInfo/><ds:X>"),
    ],
)
def test_a_signature_that_says_something_else_is_refused(old: bytes, new: bytes) -> None:
    data = signed_list()
    assert old in data
    assert refused(data.replace(old, new).replace(b"<ds:X><ds:X509Data>", b"<ds:X509Data>")) in {
        "bad-signature",
        "bad-xml",
    }


def test_a_signed_list_that_was_moved_is_not_found() -> None:
    assert refused(wrapped(signed_list())) == "bad-signature"


@pytest.mark.rule("backend:K5")
def test_a_second_list_beside_a_signed_one_is_refused() -> None:
    data = signed_list().replace(b"<ContentKeyUsageRuleList", b"<ContentKeyList/><ContentKeyUsageRuleList")
    assert refused(data, KEY_LIST) == "bad-signature"


def test_a_trusted_certificate_without_an_rsa_key_signs_nothing() -> None:
    other = certificate.read(self_signed())
    mine = base64.b64encode(certificate_of("key server").der)
    data = signed_list().replace(mine, base64.b64encode(other.der))
    assert refused(data, trusted=(other,), now_us=other.not_before_us) == "bad-signature"


def test_prefix_lists_of_exclusive_canonical_xml_are_refused() -> None:
    data = by_xmlsec("default only", "q:", C14N_EXCLUSIVE, C14N_EXCLUSIVE, "#keys")
    inside = b'<x:InclusiveNamespaces xmlns:x="%s" PrefixList="q"/>' % C14N_EXCLUSIVE.encode()
    for closed, name in ((b"/><q:SignatureMethod", b"CanonicalizationMethod"), (b"/></q:Transforms>", b"Transform")):
        assert closed in data
        opened = b">" + inside + b"</q:" + name + b">" + closed[2:]
        assert refused(data.replace(closed, opened)) == "bad-signature"


def test_too_many_signatures_are_refused() -> None:
    data = signed_list()
    signature = data[data.index(b"<ds:Signature>") : data.index(b"</CPIX>")]
    assert refused(data.replace(b"</CPIX>", signature * 16 + b"</CPIX>")) == "bad-signature"


def test_a_list_that_is_not_there_cannot_be_signed() -> None:
    with pytest.raises(CpixError, match="no such list"):
        signed_list(name=names.PERIOD_LIST)


def test_a_new_id_is_one_that_nobody_has() -> None:
    data = write(BOTH).replace(b"<ContentKey ", b'<ContentKey id="contentKeyList" ', 1)
    root: Element = parse(data)
    sign_list(root, KEY_LIST, private_key("cms"), certificate_of("cms"))
    assert len(verified(serialise(root))) == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_signed_list_is_taken(data: st.DataObject) -> None:
    whole = bytearray(signed_once())
    start, end = whole.index(b"<ContentKeyList"), whole.index(b"</ContentKeyList>")
    at = data.draw(st.integers(start, end))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CpixError):
        verified(bytes(whole), KEY_LIST)


_SIGNED: dict[str, bytes] = {}


def signed_once() -> bytes:
    return _SIGNED.setdefault("data", signed_list())


def test_signing_is_deterministic() -> None:
    assert hashlib.sha256(signed_list()).digest() == hashlib.sha256(signed_list()).digest()
