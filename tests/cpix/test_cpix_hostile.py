"""Documents made to do harm are refused quickly, with one clear error."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.backend.cpix.model import Document, KeyEntry
from player.backend.cpix.read import Profile, read
from player.backend.cpix.write import write
from player.backend.cpix.xmlio import MAX_BYTES, parse
from player.errors import CpixError
from player.ids import ContentKey
from tests.cpix.authorities import KEYS, KIDS, sealed_bytes

OPEN = b'<CPIX version="2.3" xmlns="urn:dashif:org:cpix"'
LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
UTF_7 = b'<?xml version="1.0" encoding="UTF-7"?>'


def refused(data: bytes) -> str:
    with pytest.raises(CpixError) as caught:
        read(data, Profile.LENIENT)
    return caught.value.code


def with_doctype(subset: bytes, root: bytes) -> bytes:
    return b"<?xml version='1.0'?><!DOCTYPE CPIX [" + subset + b"]>" + root


@pytest.mark.parametrize(
    "data",
    [
        with_doctype(b"", OPEN + b"/>"),
        with_doctype(b'<!ENTITY x SYSTEM "file:///etc/passwd">', OPEN + b">&x;</CPIX>"),
        with_doctype(b'<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', OPEN + b">&x;</CPIX>"),
        with_doctype(b'<!ENTITY x "in an attribute">', OPEN + b' name="&x;"/>'),
        with_doctype(b'<!ENTITY a0 "ha">' + LAUGHS, OPEN + b' name="&a9;"/>'),
        with_doctype(b'<!ENTITY a0 "ha">' + LAUGHS, OPEN + b">&a9;</CPIX>"),
        with_doctype(b'<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;', OPEN + b"/>"),
        b'<!DOCTYPE CPIX SYSTEM "http://127.0.0.1:9/x.dtd">' + OPEN + b"/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_document_with_a_doctype_is_refused_before_it_is_parsed(data: bytes, encoding: str) -> None:
    started = time.monotonic()
    encoded = data.decode().replace("<?xml version='1.0'?>", "").encode(encoding)
    assert refused(encoded) == "doctype"
    assert time.monotonic() - started < 1


def test_a_doctype_in_an_odd_encoding_is_refused_too() -> None:
    assert refused(UTF_7 + b"+ADwAIQ-DOCTYPE CPIX+AD4APA-CPIX/+AD4-") in {"doctype", "bad-encoding", "bad-xml"}


def test_an_entity_without_a_declaration_is_no_xml() -> None:
    assert refused(OPEN + b">&x;</CPIX>") == "bad-xml"


def test_fifty_megabytes_are_refused_unread() -> None:
    started = time.monotonic()
    assert refused(OPEN + b">" + b" " * 50_000_000 + b"</CPIX>") == "too-large"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<a/>" * ((MAX_BYTES - 100) // 4),
        b"<ContentKeyList>" + b"<ContentKey/>" * 300_000 + b"</ContentKeyList>",
        b"<ContentKeyUsageRuleList>" + b"<ContentKeyUsageRule/>" * 200_000 + b"</ContentKeyUsageRuleList>",
    ],
    ids=["deep", "broad", "keys", "rules"],
)
def test_a_document_of_odd_shape_is_refused_in_seconds(body: bytes) -> None:
    started = time.monotonic()
    assert refused(OPEN + b">" + body + b"</CPIX>") in {"bad-xml", "too-large", "bad-value"}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"<",
        b"<CPIX/>",
        b'<CPIX xmlns="urn:other"/>',
        b"\xff\xfe<",
        OPEN + b"/><x/>",
        OPEN + b' a="1" a="2"/>',
    ],
)
def test_what_is_no_cpix_document_is_refused(data: bytes) -> None:
    assert refused(data) in {"bad-xml", "not-cpix"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (str(KIDS[0]).encode(), b"0123"),
        (str(KIDS[0]).encode(), b"zz" * 16),
        (b"<xenc:CipherValue>", b"<xenc:CipherValue>\xc3\xa9"),
        (b"<xenc:CipherValue>", b"<xenc:CipherValue>="),
        (b"<pskc:EncryptedValue>", b"<pskc:PlainValue>AAAA</pskc:PlainValue><pskc:EncryptedValue>"),
        (b" kid=", b" nokid="),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(old: bytes, new: bytes) -> None:
    with pytest.raises(CpixError, match=r"^/CPIX/"):
        read(sealed_bytes().replace(old, new), Profile.LENIENT)


def test_a_key_of_another_size_is_refused_and_not_shown() -> None:
    data = write(Document(keys=(KeyEntry(kid=KIDS[0], value=KEYS[0]),)))
    with pytest.raises(CpixError) as caught:
        read(data.replace(b"</pskc:PlainValue>", b"AAAA</pskc:PlainValue>"))
    with pytest.raises(CpixError) as longer:
        read(data.replace(b"==</pskc:PlainValue>", b"AA</pskc:PlainValue>"))
    assert {caught.value.code, longer.value.code} == {"schema", "bad-value"}
    told = f"{caught.value} {longer.value} {read(data)!r}"
    assert KEYS[0].reveal().hex() not in told
    assert repr(KEYS[0].reveal()) not in told


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(sealed_bytes()) - 1), st.binary(max_size=8), st.integers(0, 200))
def test_a_damaged_document_is_read_or_refused(at: int, put: bytes, cut: int) -> None:
    data = sealed_bytes()
    try:
        found = read(data[:at] + put + data[at + cut :], Profile.LENIENT)
    except CpixError:
        return
    assert isinstance(found.document, Document)


def test_nothing_is_fetched_for_a_stylesheet_or_a_schema_location(tmp_path: Path) -> None:
    sheet = tmp_path / "x.xsl"
    data = b'<?xml-stylesheet href="%s"?>' % str(sheet).encode() + OPEN
    data += b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x http://127.0.0.1:9/x"/>'
    assert read(data).document == Document(version="2.3")


def test_a_comment_hides_no_part_of_a_value() -> None:
    data = write(Document(keys=(KeyEntry(kid=KIDS[0], value=ContentKey(bytes(16))),)))
    cut = data.replace(b"<pskc:PlainValue>AAAA", b"<pskc:PlainValue>AAAA<!-- x --><?y z?>")
    assert read(cut).document == read(data).document


def test_an_element_without_a_namespace_is_a_fault_with_a_place() -> None:
    (fault,) = read(OPEN + b'><x xmlns=""/></CPIX>', Profile.LENIENT).warnings
    assert fault.path == "/CPIX/{}x"
    assert str(fault) == "/CPIX/{}x: no such element may stand here (schema)"


def test_a_root_is_what_it_is_called() -> None:
    assert parse(OPEN + b"/>").tag == "{urn:dashif:org:cpix}CPIX"
