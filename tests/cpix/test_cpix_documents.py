"""What is written is valid and reads back as it was; what vendors write is read too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from player.backend.cpix.check import rule_faults
from player.backend.cpix.model import Document, DrmSystem, HlsSignalling, KeyEntry, Period
from player.backend.cpix.open import open_document
from player.backend.cpix.read import Profile, read
from player.backend.cpix.reseal import reseal
from player.backend.cpix.seal import Recipient
from player.backend.cpix.write import tree, version_of, write
from player.backend.cpix.xmlio import serialise
from player.errors import CpixError
from player.ids import COMMON_SYSTEM, ContentKey
from tests.cpix.authorities import (
    KEYS,
    KIDS,
    NOW_US,
    certificate_of,
    chance,
    plain,
    private_key,
    sealed_bytes,
    sealed_for,
)
from tests.cpix.documents import documents
from tests.cpix.schemas import complaints

NAMESPACE = 'xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"'


def refused(data: bytes, profile: Profile = Profile.STRICT) -> str:
    with pytest.raises(CpixError) as caught:
        read(data, profile)
    return caught.value.code


@settings(max_examples=60, deadline=None)
@given(documents() | documents(newest=True))
def test_a_document_that_is_written_reads_back_the_same(document: Document) -> None:
    assume(not list(rule_faults(document)))
    back = read(write(document))
    assert back.document == replace(document, version=version_of(document))
    assert back.warnings == ()


@settings(max_examples=60, deadline=None)
@given(documents())
def test_the_published_schema_takes_what_we_write(document: Document) -> None:
    assume(not list(rule_faults(document)))
    data = write(document)
    assert b'version="2.3"' in data
    assert complaints(data) == []


def test_the_published_schema_takes_what_is_sealed() -> None:
    assert complaints(sealed_bytes()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"<CPIX %s><ContentKeyList/><DeliveryDataList/></CPIX>",
        b"<CPIX %s><ContentKeyList><ContentKey/></ContentKeyList></CPIX>",
        b'<CPIX %s><ContentKeyList id="1"/></CPIX>',
        b'<CPIX %s id="a"><ContentKeyList id="a"/></CPIX>',
        b'<CPIX %s wrong=""/>',
        b"<CPIX %s>text</CPIX>",
        b"<CPIX %s><Wrong/></CPIX>",
        b"<CPIX %s><ContentKeyList/><ContentKeyList/></CPIX>",
        b'<CPIX %s><ContentKeyPeriodList><ContentKeyPeriod start="today"/></ContentKeyPeriodList></CPIX>',
        b'<CPIX %s><ContentKeyPeriodList><ContentKeyPeriod index="x"/></ContentKeyPeriodList></CPIX>',
        b'<CPIX %s><ContentKeyPeriodList><ContentKeyPeriod duration="PT1S"/></ContentKeyPeriodList></CPIX>',
        (
            b'<CPIX %s><DRMSystemList><DRMSystem kid="UUID" systemId="UUID"><PSSH/><PSSH/>'
            b"</DRMSystem></DRMSystemList></CPIX>"
        ),
        b'<CPIX %s><UpdateHistoryItemList><UpdateHistoryItem index="1"/></UpdateHistoryItemList></CPIX>',
        (
            b'<CPIX %s><ContentKeyUsageRuleList><ContentKeyUsageRule kid="UUID"><AudioFilter/><VideoFilter/>'
            b"</ContentKeyUsageRule></ContentKeyUsageRuleList></CPIX>"
        ),
        (
            b'<CPIX %s><ContentKeyUsageRuleList><ContentKeyUsageRule kid="UUID"><VideoFilter hdr="yes"/>'
            b"</ContentKeyUsageRule></ContentKeyUsageRuleList></CPIX>"
        ),
    ],
)
def test_our_grammar_refuses_what_the_published_schema_refuses(data: bytes) -> None:
    data = (data % NAMESPACE.encode()).replace(b"<CPIX", b'<CPIX version="2.3"').replace(b"UUID", str(KIDS[0]).encode())
    assert complaints(data)
    assert refused(data) == "schema"


def test_a_document_says_2_4_only_if_it_needs_to() -> None:
    assert version_of(plain()) == "2.3"
    assert version_of(replace(plain(), periods=(Period(label="event 7"),))) == "2.4"
    assert version_of(replace(plain(), periods=(Period(index=7),))) == "2.3"


def test_the_main_playlist_has_the_name_of_each_version() -> None:
    hls = (HlsSignalling(data=b"x", playlist="multiVariant"),)
    system = DrmSystem(system_id=COMMON_SYSTEM, kid=KIDS[0], hls=hls)
    older = write(replace(plain(), systems=(system,)))
    newer = write(replace(plain(), systems=(replace(system, robustness="3", content_protection=b"y"),)))
    assert b'"master"' in older
    assert b'"multiVariant"' in newer
    assert read(older).document.systems[0].hls == read(newer).document.systems[0].hls == hls


def test_what_only_2_4_can_say_is_refused_in_2_3() -> None:
    with pytest.raises(CpixError, match="label"):
        write(replace(plain(), periods=(Period(label="event 7"),), version="2.3"))


def test_a_text_that_xml_cannot_carry_is_refused() -> None:
    with pytest.raises(CpixError, match="XML"):
        write(replace(plain(), name="a\0b"))


def test_a_key_that_ends_in_a_newline_stays_whole() -> None:
    key = ContentKey(bytes(15) + b"\n")
    data = write(Document(keys=(KeyEntry(kid=KIDS[0], value=key),)))
    assert read(data).document.keys[0].value == key


# ── what vendors write ───────────────────────────────────────────────────────────────────────────────────────────────


def opened_leniently(data: bytes) -> tuple[object, set[str]]:
    found = read(data, Profile.LENIENT)
    opened = open_document(found.document, private_key("packager"), need_mac=False)
    return opened.keys[KIDS[0]], {fault.code for fault in (*found.warnings, *opened.warnings)}


def vendors(data: bytes) -> dict[str, bytes]:
    mac_key, in_cpix = (b"<pskc:MACKey>", b"</pskc:MACKey>"), (b"<Key>", b"</Key>")
    inside = (b"<Key><pskc:EncryptedValue>", b"</pskc:EncryptedValue></Key>")
    kid = str(KIDS[0]).encode()
    before, _, after = data.partition(b"<pskc:ValueMAC>")
    return {
        "algorithm": data.replace(b"<DocumentKey>", b'<DocumentKey Algorithm="http://x">'),
        "cpix-key": data.replace(mac_key[0], in_cpix[0]).replace(mac_key[1], in_cpix[1]),
        "cpix-key-inside": data.replace(mac_key[0], inside[0]).replace(mac_key[1], inside[1]),
        "no-mac": before + after.partition(b"</pskc:ValueMAC>")[2],
        "upper-case": data.replace(kid, kid.upper()),
        "no-hyphens": data.replace(kid, kid.replace(b"-", b"")),
        "no-version": data.replace(b' version="2.3"', b""),
        "odd-version": data.replace(b' version="2.3"', b' version="3.1"'),
        "comments": data.replace(b"<pskc:Secret>", b"<pskc:Secret><!-- a --><?b c?>"),
        "comment-in-text": data.replace(b"==</xenc:CipherValue>", b"=<!-- x -->=</xenc:CipherValue>"),
        "unknown-element": data.replace(b"</DeliveryDataList>", b"</DeliveryDataList><Vendor/>"),
        "foreign-element": data.replace(b"<ContentKeyList>", b'<ContentKeyList><x xmlns="urn:x"/>'),
        "utf-16": data.decode().replace("encoding='UTF-8'", "encoding='UTF-16'").encode("utf-16"),
        "prefix": data.replace(b"pskc:", b"q:").replace(b"xmlns:pskc", b"xmlns:q"),
        "lines": data.replace(b"><", b">\n  <"),
    }


WITHOUT_FAULT = {"algorithm", "upper-case", "comments", "comment-in-text", "utf-16", "prefix", "lines"}


@pytest.mark.parametrize("kind", sorted(vendors(b"")))
def test_a_lenient_reader_opens_what_vendors_write(kind: str) -> None:
    data = vendors(sealed_bytes())[kind]
    key, warned = opened_leniently(data)
    assert key == KEYS[0]
    assert bool(warned) is (kind not in WITHOUT_FAULT)


@pytest.mark.parametrize("kind", sorted(set(vendors(b"")) - WITHOUT_FAULT))
def test_a_strict_reader_refuses_it(kind: str) -> None:
    assert refused(vendors(sealed_bytes())[kind]) in {"schema", "no-mac", "version"}


def test_signalling_of_other_versions_is_left_aside() -> None:
    system = DrmSystem(system_id=COMMON_SYSTEM, kid=KIDS[0], pssh=b"box")
    data = write(replace(plain(), systems=(system,)))
    more = b'<URIExtXKey>AA==</URIExtXKey><New/><PSSH>AAAA</PSSH><v:x xmlns:v="urn:v"/></DRMSystem>'
    found = read(data.replace(b"</DRMSystem>", more), Profile.LENIENT)
    assert found.document.systems == (system,)
    assert found.warnings


# ── passing on ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_is_sealed_again_for_others_and_keeps_what_is_not_understood() -> None:
    found = read(sealed_bytes().replace(b"</CPIX>", b"<!-- kept --></CPIX>"))
    keys = open_document(found.document, private_key("packager")).keys
    reseal(found, keys, [Recipient(certificate=certificate_of("other"))], chance(b"2"), now_us=NOW_US)
    data = serialise(found.root)
    assert b"<!-- kept -->" in data
    assert complaints(data) == []
    back = read(data).document
    assert open_document(back, private_key("other")).keys == dict(zip(KIDS, KEYS[:2], strict=False))
    with pytest.raises(CpixError, match="no delivery data"):
        open_document(back, private_key("packager"))


def test_plain_keys_are_sealed_in_place() -> None:
    found = read(write(plain()))
    keys = open_document(found.document, None).keys
    reseal(found, keys, [Recipient(certificate=certificate_of("other"))], chance(), now_us=NOW_US)
    data = serialise(found.root)
    assert b"PlainValue" not in data
    assert open_document(read(data).document, private_key("other")).keys == keys


def test_keys_that_did_not_open_are_not_passed_on() -> None:
    found = read(serialise(tree(sealed_for("packager"))))
    with pytest.raises(CpixError, match="not ours"):
        reseal(found, {}, [Recipient(certificate=certificate_of("other"))], chance(), now_us=NOW_US)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(CpixError):
        read(data, Profile.LENIENT)
