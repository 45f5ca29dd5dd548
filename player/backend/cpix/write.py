"""From a Document to XML that the schemas of 2.3 and 2.4 both take, unless it says what only 2.4 can say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from player.backend.cpix import names, values
from player.backend.cpix.check import rule_faults
from player.backend.cpix.elements import MASTER, MULTI_VARIANT
from player.backend.cpix.faults import refuse
from player.backend.cpix.model import (
    AudioFilter,
    BitrateFilter,
    DeliveryData,
    Document,
    DocumentKey,
    DrmSystem,
    Hdcp,
    HistoryItem,
    HlsSignalling,
    KeyEntry,
    Period,
    Sealed,
    UsageRule,
    VideoFilter,
)
from player.backend.cpix.schema import schema_faults
from player.backend.cpix.xmlio import Element, child, element, serialise
from player.errors import CpixError
from player.ids import ContentKey

_MAIN: Final[Mapping[str, str]] = {"2.3": MASTER, "2.4": MULTI_VARIANT}  # what a version calls the HLS main playlist


def write(document: Document) -> bytes:
    """Raises: CpixError where it breaks the grammar of its version, or a rule."""
    refuse(rule_faults(document))
    root = tree(document)
    refuse(schema_faults(root, version_of(document)))
    return serialise(root)


def tree(document: Document) -> Element:
    """The root element. Raises: CpixError for a text that XML cannot carry."""
    try:
        return _Writer(version_of(document)).document(document)
    except ValueError as error:
        raise CpixError("bad-value", "/CPIX", str(error)) from None


def version_of(document: Document) -> str:
    """The version it names, else the lower one that will do."""
    return document.version or ("2.4" if needs_2_4(document) else "2.3")


def needs_2_4(document: Document) -> bool:
    return any(chain.from_iterable(_new_in_2_4(document)))


def _new_in_2_4(document: Document) -> Iterator[Iterable[object]]:
    yield (len(each.document_keys) > 1 or each.document_keys[0].encrypts for each in document.delivery)
    yield (each.hdcp or each.content_id is not None for each in document.keys)
    yield (each.robustness is not None or each.hls_allowed_cpc is not None for each in document.systems)
    yield (hls.allowed_cpc is not None for each in document.systems for hls in each.hls)
    newer = ("label", "start_offset_us", "end_offset_us", "duration_us")
    yield (getattr(each, name) is not None for each in document.periods for name in newer)


class _Writer:
    """Writes elements in the words of one version."""

    def __init__(self, version: str) -> None:
        self._version = version

    def document(self, document: Document) -> Element:
        said = {"id": document.id, "contentId": document.content_id, "name": document.name, "version": self._version}
        root = element("CPIX", _said(said))
        marks = {mark.name: mark for mark in document.marks}
        for name, items in self._lists(document).items():
            if items:
                mark = marks.get(name)
                told = {} if mark is None else {"id": mark.id, "updateVersion": _number(mark.update_version)}
                parent = child(root, name, _said(told))
                for item in items:
                    self._item(parent, item)
        return root

    @staticmethod
    def _lists(document: Document) -> Mapping[str, tuple[object, ...]]:
        parts = (
            document.delivery, document.keys, document.systems, document.periods, document.rules, document.history,
        )  # fmt: skip
        return dict(zip(names.LISTS, parts, strict=True))

    def _item(self, parent: Element, item: object) -> None:
        match item:
            case DeliveryData():
                _delivery(parent, item)
            case KeyEntry():
                _key(parent, item)
            case DrmSystem():
                self._system(parent, item)
            case Period():
                _period(parent, item)
            case UsageRule():
                _rule(parent, item)
            case HistoryItem():
                _history(parent, item)
            case _:
                raise TypeError(type(item).__name__)

    def _system(self, parent: Element, system: DrmSystem) -> None:
        said = {
            "id": system.id,
            "updateVersion": _number(system.update_version),
            "systemId": str(system.system_id),
            "kid": str(system.kid),
            "name": system.name,
            "HLSAllowedCPC": system.hls_allowed_cpc,
        }
        made = child(parent, "DRMSystem", _said(said))
        _base64(made, "PSSH", system.pssh)
        _base64(made, "ContentProtectionData", system.content_protection, robustness=system.robustness)
        for each in system.hls:
            self._hls(made, each)
        _texts(made, {"SmoothStreamingProtectionHeaderData": system.smooth})

    def _hls(self, parent: Element, hls: HlsSignalling) -> None:
        playlist = _MAIN.get(self._version, MULTI_VARIANT) if hls.playlist == MULTI_VARIANT else hls.playlist
        _base64(parent, "HLSSignalingData", hls.data, playlist=playlist, allowedCPC=hls.allowed_cpc)


def _delivery(parent: Element, data: DeliveryData) -> None:
    said = {"id": data.id, "updateVersion": _number(data.update_version), "name": data.name}
    made = child(parent, "DeliveryData", _said(said))
    key = child(made, "DeliveryKey")
    if data.certificate is not None:
        _base64(child(key, "ds:X509Data"), "ds:X509Certificate", data.certificate)
    for each in data.document_keys:
        _document_key(made, each)
    if data.mac_algorithm is not None:
        method = child(made, "MACMethod", {"Algorithm": data.mac_algorithm})
        if data.mac_key is not None:
            _encrypted(child(method, "pskc:MACKey"), data.mac_key)
    told = {
        "Description": data.description,
        "SendingEntity": data.sending_entity,
        "SenderPointOfContact": data.sender_point_of_contact,
        "ReceivingEntity": data.receiving_entity,
    }
    _texts(made, told)


def _document_key(parent: Element, key: DocumentKey) -> None:
    said = {"id": key.id, "encryptsKey": " ".join(map(str, key.encrypts)) or None}
    _secret(child(parent, "DocumentKey", _said(said)), key.sealed)


def _key(parent: Element, key: KeyEntry) -> None:
    said = {
        "id": key.id,
        "contentId": key.content_id,
        "kid": str(key.kid),
        "explicitIV": None if key.explicit_iv is None else values.base64_text(key.explicit_iv),
        "dependsOnKey": None if key.depends_on is None else str(key.depends_on),
        "commonEncryptionScheme": key.scheme,
    }
    made = child(parent, "ContentKey", _said(said))
    if key.hdcp is not None:
        _hdcp(made, key.hdcp)
    if key.value is not None:
        _secret(made, key.value)


def _hdcp(parent: Element, hdcp: Hdcp) -> None:
    made = child(parent, "HDCPData", _said({"HLSHDCPLevel": hdcp.level}))
    _base64(made, "HDCPOutputProtectionData", hdcp.data)


def _secret(parent: Element, value: ContentKey | Sealed) -> None:
    secret = child(child(parent, "Data"), "pskc:Secret")
    fill_secret(secret, value)


def fill_secret(secret: Element, value: ContentKey | Sealed) -> None:
    """What a `pskc:Secret` holds: a plain value, or an encrypted one and its MAC."""
    if isinstance(value, ContentKey):
        _base64(secret, "pskc:PlainValue", value.reveal())
        return
    _encrypted(child(secret, "pskc:EncryptedValue"), value)
    _base64(secret, "pskc:ValueMAC", value.mac)


def _encrypted(parent: Element, sealed: Sealed) -> None:
    child(parent, "xenc:EncryptionMethod", {"Algorithm": sealed.algorithm})
    _base64(child(parent, "xenc:CipherData"), "xenc:CipherValue", sealed.cipher)


def _period(parent: Element, period: Period) -> None:
    said = {
        "id": period.id,
        "index": _number(period.index),
        "label": period.label,
        "start": None if period.start_us is None else values.instant_text(period.start_us),
        "end": None if period.end_us is None else values.instant_text(period.end_us),
        "startOffset": _duration(period.start_offset_us),
        "endOffset": _duration(period.end_offset_us),
        "duration": _duration(period.duration_us),
    }
    child(parent, "ContentKeyPeriod", _said(said))


def _rule(parent: Element, rule: UsageRule) -> None:
    said = {"id": rule.id, "kid": str(rule.kid), "intendedTrackType": rule.intended_track_type}
    made = child(parent, "ContentKeyUsageRule", _said(said))
    for period in rule.periods:
        child(made, "KeyPeriodFilter", {"periodId": period})
    for label in rule.labels:
        child(made, "LabelFilter", {"label": label})
    bounded: tuple[VideoFilter | AudioFilter | BitrateFilter, ...] = (*rule.video, *rule.audio, *rule.bitrate)
    for each in bounded:
        child(made, type(each).__name__, _bounds(each))
    if rule.unknown:
        raise ValueError("a filter that is not known cannot be written")


def _bounds(each: VideoFilter | AudioFilter | BitrateFilter) -> Mapping[str, str]:
    return _said({_camel(name): _plain(getattr(each, name)) for name in type(each).__slots__})


def _history(parent: Element, item: HistoryItem) -> None:
    said = {
        "id": item.id,
        "updateVersion": str(item.update_version),
        "index": item.index,
        "source": item.source,
        "date": values.instant_text(item.date_us),
    }
    child(parent, "UpdateHistoryItem", _said(said))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _base64(parent: Element, name: str, data: bytes | None, **attributes: str | None) -> None:
    if data is not None:
        child(parent, name, _said(attributes), values.base64_text(data))


def _texts(parent: Element, texts: Mapping[str, str | None]) -> None:
    for name, text in texts.items():
        if text is not None:
            child(parent, name, {}, text)


def _said(attributes: Mapping[str, str | None]) -> Mapping[str, str]:
    return {name: value for name, value in attributes.items() if value is not None}


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _duration(duration_us: int | None) -> str | None:
    return None if duration_us is None else values.duration_text(duration_us)


def _plain(value: bool | int | None) -> str | None:
    return values.boolean_text(value) if isinstance(value, bool) else _number(value)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.capitalize() for part in more)
