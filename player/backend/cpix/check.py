"""Faults that the schemas do not see: what must hold between elements (DASH-IF CPIX 2.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from player.backend.cpix import names
from player.backend.cpix.faults import Fault
from player.backend.cpix.model import BitrateFilter, Document, KeyEntry, Period, Sealed, UsageRule
from player.ids import KeyId
from player.isobmff.sample import Scheme

IV_BYTES: Final = 16
MAX_INDEX: Final = (1 << 32) - 1  # then it starts again
MAX_DIGITS: Final = 18
_SCHEMES: Final = frozenset(str(scheme) for scheme in Scheme)


def rule_faults(document: Document) -> Iterator[Fault]:
    """In the order of the document's lists."""
    for look in _LOOKS:
        yield from look(document)


def _delivery(document: Document) -> Iterator[Fault]:
    known = {entry.kid for entry in document.keys}
    for number, each in enumerate(document.delivery):
        place = _at(names.DELIVERY_DATA_LIST, number)
        if each.certificate is None:
            yield Fault.at(place, "no-certificate", "a recipient without a certificate")
        if each.mac_key is None:
            yield Fault.at(place, "no-mac", "without a MAC key")
        if len(each.document_keys) > 1 and not all(key.encrypts for key in each.document_keys):
            yield Fault.at(place, "document-keys", "several document keys, and one that does not say which it encrypts")
        for kid in sorted({kid for key in each.document_keys for kid in key.encrypts} - known):
            yield Fault.at(place, "unknown-key", f"a document key for {kid}, which is not in the document")


def _keys(document: Document) -> Iterator[Fault]:
    seen: set[KeyId] = set()
    for number, key in enumerate(document.keys):
        place = _at(names.CONTENT_KEY_LIST, number)
        if key.kid in seen:
            yield Fault.at(place, "duplicate-key", f"{key.kid} is there twice")
        seen.add(key.kid)
        for wrong, code, reason in _of_key(document, key):
            if wrong:
                yield Fault.at(place, code, reason)


def _of_key(document: Document, key: KeyEntry) -> Iterator[tuple[bool, str, str]]:
    """Whether something is wrong, and what."""
    iv, value = key.explicit_iv, key.value
    yield iv is not None and len(iv) != IV_BYTES, "bad-iv", f"@explicitIV: an IV has {IV_BYTES} bytes"
    yield key.scheme is not None and key.scheme not in _SCHEMES, "bad-scheme", "no scheme of Common Encryption"
    yield isinstance(value, Sealed) and value.mac is None, "no-mac", "an encrypted key without ValueMAC"
    yield isinstance(value, Sealed) and not document.delivery, "no-delivery-data", "encrypted, and nobody can open it"
    twice = key.content_id is not None and document.content_id is not None
    yield twice, "content-id", "@contentId on the key and on the root"


def _leaves(document: Document) -> Iterator[Fault]:
    leaves = {key.kid for key in document.keys if key.depends_on is not None}
    for number, key in enumerate(document.keys):
        if key.depends_on is None:
            continue
        place = _at(names.CONTENT_KEY_LIST, number)
        if key.depends_on in leaves or key.depends_on == key.kid:
            yield Fault.at(place, "leaf-chain", "a leaf that depends on a leaf")
        of_root = {"commonEncryptionScheme": key.scheme, "contentId": key.content_id, "HDCPData": key.hdcp}
        for name in (name for name, value in of_root.items() if value is not None):
            yield Fault.at(place, "leaf", f"a leaf with {name}: its root's holds")


def _systems(document: Document) -> Iterator[Fault]:
    leaves = {key.kid for key in document.keys if key.depends_on is not None}
    known = {key.kid for key in document.keys} | _roots(document)
    for number, each in enumerate(document.systems):
        place = _at(names.DRM_SYSTEM_LIST, number)
        if document.keys and each.kid not in known:
            yield Fault.at(place, "unknown-key", f"signals {each.kid}, which is not in the document")
        if each.kid in leaves and each.in_manifest:
            yield Fault.at(place, "leaf", "signalling of a leaf for a manifest: only its root stands there")


def _periods(document: Document) -> Iterator[Fault]:
    for number, each in enumerate(document.periods):
        for wrong, code, reason in _of_period(each):
            if wrong:
                yield Fault.at(_at(names.PERIOD_LIST, number), code, reason)


def _of_period(period: Period) -> Iterator[tuple[bool, str, str]]:
    clock, offset = (period.start_us, period.end_us), (period.start_offset_us, period.end_offset_us)
    told, off = any(each is not None for each in clock), any(each is not None for each in offset)
    ends = (period.end_us, period.end_offset_us, period.duration_us)
    yield period.index is not None and not 0 <= period.index <= MAX_INDEX, "bad-index", "@index: 0 to 4294967295"
    yield told and off, "mixed-bounds", "bounds by wall clock and by offset"
    both = period.duration_us is not None and (period.end_us is not None or period.end_offset_us is not None)
    yield both, "end-and-duration", "an end and a duration"
    bounded = clock[0] is not None or offset[0] is not None
    yield bounded is not any(each is not None for each in ends), "half-bounds", "a start without an end, or the reverse"
    first = period.clock or period.offsets
    yield first is not None and first[0] >= first[1], "empty-period", "it ends before it starts"
    named = period.index is not None or period.label is not None
    yield not (bounded or named), "no-bounds", "neither bounds nor @index nor @label"


def _rules(document: Document) -> Iterator[Fault]:
    known, roots = {key.kid for key in document.keys}, _roots(document)
    periods = {period.id for period in document.periods}
    for number, each in enumerate(document.rules):
        for wrong, code, reason in _of_rule(each, known, roots, periods):
            if wrong:
                yield Fault.at(_at(names.RULE_LIST, number), code, reason)


def _of_rule(
    rule: UsageRule, known: set[KeyId], roots: set[KeyId], periods: set[str | None]
) -> Iterator[tuple[bool, str, str]]:
    yield rule.kid in roots, "rule-for-root", f"{rule.kid} is a root: rules name leaves"
    yield rule.kid not in known | roots, "unknown-key", f"a rule for {rule.kid}, which is not in the document"
    lost = [each for each in rule.periods if each not in periods]
    yield bool(lost), "unknown-period", "@periodId of no period of the document"
    yield BitrateFilter() in rule.bitrate, "empty-filter", "a BitrateFilter without a bound"


def _overlaps(document: Document) -> Iterator[Fault]:
    """Periods of one key must not overlap; gaps are clear content."""
    periods: Mapping[str | None, Period] = {period.id: period for period in document.periods}
    used: dict[KeyId, set[str]] = {}
    for rule in document.rules:
        used.setdefault(rule.kid, set()).update(rule.periods)
    for kid, ids in used.items():
        own = [periods[each] for each in ids if each in periods]
        for bounds in ([each.clock for each in own], [each.offsets for each in own]):
            if _overlap(each for each in bounds if each is not None):
                yield Fault.at(f"/CPIX/{names.PERIOD_LIST}", "overlap", f"periods of {kid} overlap")


def _overlap(bounds: Iterable[tuple[int, int]]) -> bool:
    return any(one[1] > two[0] for one, two in pairwise(sorted(bounds)))


def _history(document: Document) -> Iterator[Fault]:
    last = 0
    for number, item in enumerate(document.history):
        if not item.index.isdecimal() or len(item.index) > MAX_DIGITS or int(item.index) <= last:
            yield Fault.at(_at(names.HISTORY_LIST, number), "history", "@index: whole numbers that grow from 1")
            return
        last = int(item.index)


def _roots(document: Document) -> set[KeyId]:
    return {key.depends_on for key in document.keys if key.depends_on is not None}


def _at(list_name: str, number: int) -> str:
    return f"/CPIX/{list_name}/{list_name.removesuffix('List')}" + (f"[{number + 1}]" if number else "")


_LOOKS: Final[tuple[Callable[[Document], Iterator[Fault]], ...]] = (
    _delivery, _keys, _leaves, _systems, _periods, _rules, _overlaps, _history,
)  # fmt: skip
