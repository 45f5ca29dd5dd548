"""What the schemas take and what must not be: each fault is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from player.backend.cpix.check import rule_faults
from player.backend.cpix.faults import MAX_FAULTS
from player.backend.cpix.model import (
    BitrateFilter,
    Document,
    DrmSystem,
    Hdcp,
    HistoryItem,
    HlsSignalling,
    KeyEntry,
    Period,
    UsageRule,
)
from player.backend.cpix.read import Profile, read
from player.backend.cpix.seal import Recipient, seal
from player.backend.cpix.write import tree, write
from player.backend.cpix.xmlio import serialise
from player.errors import CpixError
from player.ids import COMMON_SYSTEM
from tests.cpix.authorities import KEYS, KIDS, NOW_US, certificate_of, chance, plain, sealed_for
from tests.cpix.schemas import complaints

ROOT, LEAF, LEAF_2 = KIDS[:3]
SYSTEM = DrmSystem(system_id=COMMON_SYSTEM, kid=LEAF)


def of_key(**changes: Any) -> Document:
    return Document(keys=(KeyEntry(**{"kid": KIDS[0], "value": KEYS[0], **changes}),))


def of_period(**changes: Any) -> Document:
    return replace(plain(), periods=(Period(id="p1", **changes),))


def of_rule(**changes: Any) -> Document:
    return replace(plain(), rules=(UsageRule(**{"kid": KIDS[0], **changes}),))


def leaf(**changes: Any) -> Document:
    return Document(keys=(KeyEntry(kid=ROOT), KeyEntry(**{"kid": LEAF, "depends_on": ROOT, **changes})))


def without_mac() -> Document:
    document = sealed_for("packager")
    value: Any = document.keys[0].value
    return replace(document, keys=(replace(document.keys[0], value=replace(value, mac=None)), *document.keys[1:]))


def of_delivery(**changes: Any) -> Document:
    document = sealed_for("packager")
    return replace(document, delivery=(replace(document.delivery[0], **changes),))


def overlapping(*periods: Period) -> Document:
    named = tuple(replace(period, id=f"p{number}") for number, period in enumerate(periods))
    return replace(of_rule(periods=tuple(period.id or "" for period in named)), periods=named)


IN_2_3: dict[str, tuple[str, Document]] = {
    "periodId of no period": ("unknown-period", of_rule(periods=("p9",))),
    "rule for an absent key": ("unknown-key", of_rule(kid=KIDS[5])),
    "one KID twice": ("duplicate-key", replace(plain(), keys=(plain().keys[0],) * 2)),
    "negative index": ("bad-index", of_period(index=-1)),
    "index beyond 32 bits": ("bad-index", of_period(index=1 << 32)),
    "empty bitrate filter": ("empty-filter", of_rule(bitrate=(BitrateFilter(),))),
    "leaf with a scheme": ("leaf", leaf(scheme="cenc")),
    "chain of leaves": (
        "leaf-chain",
        Document(keys=(*leaf().keys, KeyEntry(kid=LEAF_2, depends_on=LEAF))),
    ),
    "leaf of itself": ("leaf-chain", of_key(depends_on=KIDS[0])),
    "IV too short": ("bad-iv", of_key(explicit_iv=bytes(8))),
    "IV empty": ("bad-iv", of_key(explicit_iv=b"")),
    "no MAC": ("no-mac", without_mac()),
    "no MAC key": ("no-mac", of_delivery(mac_key=None)),
    "invented scheme": ("bad-scheme", of_key(scheme="cenx")),
    "encrypted for nobody": ("no-delivery-data", replace(sealed_for("packager"), delivery=())),
    "rule for a root": ("rule-for-root", replace(leaf(), rules=(UsageRule(kid=ROOT),))),
    "manifest data for a leaf": ("leaf", replace(leaf(), systems=(replace(SYSTEM, content_protection=b"x"),))),
    "HLS data for a leaf": ("leaf", replace(leaf(), systems=(replace(SYSTEM, hls=(HlsSignalling(data=b"x"),)),))),
    "signalling for an absent key": ("unknown-key", replace(plain(), systems=(replace(SYSTEM, kid=KIDS[5]),))),
    "start without end": ("half-bounds", of_period(start_us=5)),
    "end without start": ("half-bounds", of_period(end_us=5)),
    "end before start": ("empty-period", of_period(start_us=5, end_us=5)),
    "nothing said": ("no-bounds", of_period()),
    "overlap": ("overlap", overlapping(Period(start_us=0, end_us=9), Period(start_us=8, end_us=12))),
    "updates that do not grow": (
        "history",
        replace(plain(), history=tuple(HistoryItem(update_version=1, index=n, source="", date_us=0) for n in "11")),
    ),
}
SUBSETS = Recipient(certificate=certificate_of("packager"), kids=frozenset(KIDS[:2]))
FOR_SUBSETS = seal(plain(), [SUBSETS], chance(), now_us=NOW_US)
IN_2_4: dict[str, tuple[str, Document]] = {
    "end and duration": ("end-and-duration", of_period(start_us=1, end_us=5, duration_us=4)),
    "endOffset and duration": ("end-and-duration", of_period(start_offset_us=1, end_offset_us=5, duration_us=4)),
    "mixed bounds": ("mixed-bounds", of_period(start_us=1, end_offset_us=5)),
    "document key for an absent key": ("unknown-key", replace(FOR_SUBSETS, keys=FOR_SUBSETS.keys[:1])),
    "document key for whatever": (
        "document-keys",
        replace(
            FOR_SUBSETS,
            delivery=tuple(
                replace(each, document_keys=(replace(each.document_keys[0], encrypts=()), *each.document_keys[1:]))
                for each in FOR_SUBSETS.delivery
            ),
        ),
    ),
    "leaf with contentId": ("leaf", leaf(content_id="x")),
    "leaf with HDCPData": ("leaf", leaf(hdcp=Hdcp(level="TYPE-0"))),
    "contentId twice": ("content-id", replace(of_key(content_id="x"), content_id="y")),
    "offsets overlap": (
        "overlap",
        overlapping(Period(start_offset_us=0, duration_us=9), Period(start_offset_us=8, end_offset_us=12)),
    ),
}
SEEN = {"no certificate": ("no-certificate", of_delivery(certificate=None))}  # by the schema of XML Signature
ALL = {**IN_2_3, **IN_2_4, **SEEN}


@pytest.mark.parametrize("name", IN_2_3)
def test_the_published_schema_takes_the_fault(name: str) -> None:
    assert complaints(serialise(tree(IN_2_3[name][1]))) == []


@pytest.mark.parametrize("name", ALL)
def test_a_strict_reader_refuses_it_and_a_lenient_one_tells(name: str) -> None:
    code, document = ALL[name]
    data = serialise(tree(document))
    with pytest.raises(CpixError) as caught:
        read(data)
    assert caught.value.code == code
    assert caught.value.path.startswith("/CPIX")
    assert code in {fault.code for fault in read(data, Profile.LENIENT).warnings}


@pytest.mark.parametrize("name", ALL)
def test_it_is_not_written_either(name: str) -> None:
    code, document = ALL[name]
    with pytest.raises(CpixError) as caught:
        write(document)
    assert caught.value.code == code


def test_a_document_may_hold_leaves_only() -> None:
    document = Document(keys=(KeyEntry(kid=LEAF, depends_on=ROOT, value=KEYS[0]),), systems=(SYSTEM,))
    assert list(rule_faults(document)) == []


def test_periods_that_meet_and_periods_of_two_keys_are_no_overlap() -> None:
    assert list(rule_faults(overlapping(Period(start_us=0, end_us=9), Period(start_us=9, end_us=12)))) == []
    both = (Period(id="a", start_us=0, end_us=9), Period(id="b", start_us=0, end_us=9))
    rules = (UsageRule(kid=KIDS[0], periods=("a",)), UsageRule(kid=KIDS[1], periods=("b",)))
    assert list(rule_faults(replace(plain(), periods=both, rules=rules))) == []


def test_a_fault_names_its_element() -> None:
    data = serialise(tree(replace(plain(), periods=(Period(index=1), Period(index=-1)))))
    (fault,) = read(data, Profile.LENIENT).warnings
    assert fault.path == "/CPIX/ContentKeyPeriodList/ContentKeyPeriod[2]"


def test_no_more_faults_are_gathered_than_anybody_reads() -> None:
    data = serialise(tree(replace(plain(), periods=tuple(Period(index=-1) for _ in range(500)))))
    assert len(read(data, Profile.LENIENT).warnings) == MAX_FAULTS


def test_a_grammar_of_2_4_is_judged_by_2_4() -> None:
    newer = serialise(tree(replace(plain(), periods=(Period(label="x"),))))
    for wrong in (
        newer.replace(b"<Data>", b"<Issuer/><Data>", 1),
        newer.replace(b"</ContentKeyList>", b"</ContentKeyList><DRMSystemList/>"),
        newer.replace(b'label="x"', b'label="x" duration="1 s"'),
    ):
        with pytest.raises(CpixError) as caught:
            read(wrong)
        assert caught.value.code == "schema"
