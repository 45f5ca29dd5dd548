"""What the elements of a tree say, as values of the model; nothing is judged that can be understood.

What cannot be is refused with its place: a KID that is none, a key of another size, base64 that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from player.backend.cpix import names, values
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
    ListMark,
    Period,
    Sealed,
    UsageRule,
    VideoFilter,
)
from player.backend.cpix.xmlio import Element, elements, place, text_of
from player.errors import CpixError
from player.ids import ContentKey

T = TypeVar("T")

MASTER: Final = "master"  # up to 2.3
MULTI_VARIANT: Final = "multiVariant"  # from 2.4 on, and here
_FILTERS: Final = {
    "KeyPeriodFilter": {"periodId"},
    "LabelFilter": {"label"},
    "VideoFilter": {"minPixels", "maxPixels", "hdr", "wcg", "minFps", "maxFps"},
    "AudioFilter": {"minChannels", "maxChannels"},
    "BitrateFilter": {"minBitrate", "maxBitrate"},
}


def of_tree(root: Element) -> Document:
    """What a tree says, faults or not. Raises: CpixError where it cannot be said."""
    return Document(
        delivery=tuple(map(_delivery, _items(root, names.DELIVERY_DATA_LIST, "DeliveryData"))),
        keys=tuple(map(_key, _items(root, names.CONTENT_KEY_LIST, "ContentKey"))),
        systems=tuple(map(_system, _items(root, names.DRM_SYSTEM_LIST, "DRMSystem"))),
        periods=tuple(map(_period, _items(root, names.PERIOD_LIST, "ContentKeyPeriod"))),
        rules=tuple(map(_rule, _items(root, names.RULE_LIST, "ContentKeyUsageRule"))),
        history=tuple(map(_history, _items(root, names.HISTORY_LIST, "UpdateHistoryItem"))),
        marks=tuple(_marks(root)),
        content_id=root.get("contentId"),
        name=root.get("name"),
        version=root.get("version"),
        id=root.get("id"),
    )


def _marks(root: Element) -> Iterator[ListMark]:
    for each in elements(root):
        name = names.prefixed(each.tag)
        if name in names.LISTS and (each.get("id") is not None or each.get("updateVersion") is not None):
            yield ListMark(name=name, id=each.get("id"), update_version=_value(each, "updateVersion", values.integer))


def _delivery(element: Element) -> DeliveryData:
    method = _first(element, "MACMethod")
    return DeliveryData(
        certificate=_certificate(element),
        document_keys=tuple(map(_document_key, _all(element, "DocumentKey"))),
        mac_algorithm=None if method is None else method.get("Algorithm"),
        mac_key=None if method is None else _mac_key(method),
        description=_text(element, "Description"),
        sending_entity=_text(element, "SendingEntity"),
        sender_point_of_contact=_text(element, "SenderPointOfContact"),
        receiving_entity=_text(element, "ReceivingEntity"),
        name=element.get("name"),
        update_version=_value(element, "updateVersion", values.integer),
        id=element.get("id"),
    )


def _certificate(element: Element) -> bytes | None:
    found = _down(element, "DeliveryKey", "ds:X509Data", "ds:X509Certificate")
    return None if found is None else _bytes(found)


def _document_key(element: Element) -> DocumentKey:
    value = _secret(element)
    if not isinstance(value, Sealed):
        raise CpixError("bad-value", place(element), "without an EncryptedValue")
    return DocumentKey(
        sealed=value, encrypts=_value(element, "encryptsKey", values.key_ids) or (), id=element.get("id")
    )


def _mac_key(method: Element) -> Sealed | None:
    """Where the schema has it, or in a `cpix:Key`, there perhaps inside an EncryptedValue."""
    found = next((each for each in (_first(method, "pskc:MACKey"), _first(method, "Key")) if each is not None), None)
    if found is None:
        return None
    inner = _first(found, "pskc:EncryptedValue")
    return _sealed(found if inner is None else inner, None)


def _key(element: Element) -> KeyEntry:
    hdcp = _first(element, "HDCPData")
    return KeyEntry(
        kid=_needed(element, "kid", values.key_id),
        value=_secret(element),
        explicit_iv=_value(element, "explicitIV", values.base64_bytes),
        depends_on=_value(element, "dependsOnKey", values.key_id),
        scheme=element.get("commonEncryptionScheme"),
        content_id=element.get("contentId"),
        hdcp=None if hdcp is None else _hdcp(hdcp),
        id=element.get("id"),
    )


def _hdcp(element: Element) -> Hdcp:
    data = _first(element, "HDCPOutputProtectionData")
    return Hdcp(level=element.get("HLSHDCPLevel"), data=None if data is None else _bytes(data))


def _secret(element: Element) -> ContentKey | Sealed | None:
    secret = _down(element, "Data", "pskc:Secret")
    if secret is None:
        return None
    plain, sealed, mac = (_first(secret, f"pskc:{name}") for name in ("PlainValue", "EncryptedValue", "ValueMAC"))
    if plain is not None and sealed is not None:
        raise CpixError("bad-value", place(secret), "a key both plain and encrypted")
    if sealed is not None:
        return _sealed(sealed, None if mac is None else _bytes(mac))
    return None if plain is None else _plain(plain)


def _plain(element: Element) -> ContentKey:
    try:
        return ContentKey(_bytes(element))
    except ValueError as error:
        raise CpixError("bad-value", place(element), str(error)) from None


def _sealed(element: Element, mac: bytes | None) -> Sealed:
    method, value = _first(element, "xenc:EncryptionMethod"), _down(element, "xenc:CipherData", "xenc:CipherValue")
    if value is None:
        raise CpixError("bad-value", place(element), "without a CipherValue")
    algorithm = "" if method is None else method.get("Algorithm") or ""
    return Sealed(algorithm=algorithm, cipher=_bytes(value), mac=mac)


def _system(element: Element) -> DrmSystem:
    pssh, data = _first(element, "PSSH"), _first(element, "ContentProtectionData")
    return DrmSystem(
        system_id=_needed(element, "systemId", values.system_id),
        kid=_needed(element, "kid", values.key_id),
        pssh=None if pssh is None else _bytes(pssh),
        content_protection=None if data is None else _bytes(data),
        robustness=None if data is None else data.get("robustness"),
        hls=tuple(map(_hls, _all(element, "HLSSignalingData"))),
        smooth=_text(element, "SmoothStreamingProtectionHeaderData"),
        name=element.get("name"),
        hls_allowed_cpc=element.get("HLSAllowedCPC"),
        update_version=_value(element, "updateVersion", values.integer),
        id=element.get("id"),
    )


def _hls(element: Element) -> HlsSignalling:
    playlist = element.get("playlist")
    return HlsSignalling(
        data=_bytes(element),
        playlist=MULTI_VARIANT if playlist == MASTER else playlist,
        allowed_cpc=element.get("allowedCPC"),
    )


def _period(element: Element) -> Period:
    return Period(
        id=element.get("id"),
        index=_value(element, "index", values.integer),
        label=element.get("label"),
        start_us=_value(element, "start", values.instant),
        end_us=_value(element, "end", values.instant),
        start_offset_us=_value(element, "startOffset", values.duration),
        end_offset_us=_value(element, "endOffset", values.duration),
        duration_us=_value(element, "duration", values.duration),
    )


def _rule(element: Element) -> UsageRule:
    return UsageRule(
        kid=_needed(element, "kid", values.key_id),
        periods=tuple(_needed(each, "periodId", str) for each in _all(element, "KeyPeriodFilter")),
        labels=tuple(_needed(each, "label", str) for each in _all(element, "LabelFilter")),
        video=tuple(map(_video, _all(element, "VideoFilter"))),
        audio=tuple(map(_audio, _all(element, "AudioFilter"))),
        bitrate=tuple(map(_bitrate, _all(element, "BitrateFilter"))),
        unknown=tuple(_unknown(element)),
        intended_track_type=element.get("intendedTrackType"),
        id=element.get("id"),
    )


def _unknown(rule: Element) -> Iterator[str]:
    """Filters of another name, and attributes of known filters that nobody here can judge."""
    for each in elements(rule):
        name = names.prefixed(each.tag)
        if name not in _FILTERS:
            yield name
            continue
        more = (key for key in each.attrib if key not in _FILTERS[name] and not key.startswith(f"{{{names.XSI}}}"))
        yield from (f"{name}/@{key}" for key in more)


def _video(element: Element) -> VideoFilter:
    return VideoFilter(
        min_pixels=_value(element, "minPixels", values.integer),
        max_pixels=_value(element, "maxPixels", values.integer),
        hdr=_value(element, "hdr", values.boolean),
        wcg=_value(element, "wcg", values.boolean),
        min_fps=_value(element, "minFps", values.integer),
        max_fps=_value(element, "maxFps", values.integer),
    )


def _audio(element: Element) -> AudioFilter:
    low, high = (_value(element, name, values.integer) for name in ("minChannels", "maxChannels"))
    return AudioFilter(min_channels=low, max_channels=high)


def _bitrate(element: Element) -> BitrateFilter:
    low, high = (_value(element, name, values.integer) for name in ("minBitrate", "maxBitrate"))
    return BitrateFilter(min_bitrate=low, max_bitrate=high)


def _history(element: Element) -> HistoryItem:
    return HistoryItem(
        update_version=_needed(element, "updateVersion", values.integer),
        index=_needed(element, "index", str),
        source=_needed(element, "source", str),
        date_us=_needed(element, "date", values.instant),
        id=element.get("id"),
    )


# ── access ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _all(parent: Element, name: str) -> Iterator[Element]:
    tag = names.qname(name)
    return (each for each in elements(parent) if each.tag == tag)


def _items(root: Element, many: str, one: str) -> Iterator[Element]:
    return (item for each in _all(root, many) for item in _all(each, one))


def _first(parent: Element, name: str) -> Element | None:
    return next(_all(parent, name), None)


def _down(parent: Element, *path: str) -> Element | None:
    here: Element | None = parent
    for name in path:
        here = None if here is None else _first(here, name)
    return here


def _text(parent: Element, name: str) -> str | None:
    found = _first(parent, name)
    return None if found is None else text_of(found)


def _bytes(element: Element) -> bytes:
    try:
        return values.base64_bytes(text_of(element))
    except ValueError as error:
        raise CpixError("bad-value", place(element), str(error)) from None


def _value(element: Element, name: str, read_value: Callable[[str], T]) -> T | None:
    text = element.get(name)
    try:
        return None if text is None else read_value(text)
    except ValueError as error:
        raise CpixError("bad-value", place(element), f"@{name}: {error}") from None


def _needed(element: Element, name: str, read_value: Callable[[str], T]) -> T:
    value = _value(element, name, read_value)
    if value is None:
        raise CpixError("bad-value", place(element), f"without @{name}")
    return value
