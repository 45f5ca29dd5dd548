"""The grammar of CPIX 2.3 and 2.4 as a table, and the walk that compares a document with it.

Our own reading of the published schemas: which child stands where and how often, which attribute of which type. What
XML Signature and foreign namespaces put in is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from player.backend.cpix import names, values
from player.backend.cpix.faults import Fault
from player.backend.cpix.xmlio import Element, elements, place, text_of

MANY: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`children`: name → (least, most), in order. `text`: a simple type, None for elements only.

    `foreign`: elements of other namespaces may follow. Attributes with `!` must be there.
    """

    children: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    foreign: bool = False


def _some(*children: str, **attributes: str) -> Shape:
    """Children `Name` once at most, `Name!` once, `Name*` any number, `Name+` one at least."""
    counts = {"!": (1, 1), "*": (0, MANY), "+": (1, MANY)}
    read = {each.rstrip("!*+"): counts.get(each[-1], (0, 1)) for each in children}
    return Shape(children=read, attributes={"id": "id", **attributes})


_TEXT: Final = Shape(text="string")
_BASE64: Final = Shape(text="base64")
_PERIOD_2_3: Final = {"index": "integer", "start": "dateTime", "end": "dateTime"}
_PERIOD_2_4: Final = {"label": "string", "startOffset": "duration", "endOffset": "duration", "duration": "duration"}
_KEY_2_3: Final = ("Issuer", "AlgorithmParameters", "KeyProfileId", "KeyReference", "FriendlyName", "Data", "UserId")
_DRM: Final = {"updateVersion": "integer", "systemId!": "uuid", "kid!": "uuid", "name": "string"}
_ENTRY: Final = {
    "kid!": "uuid", "explicitIV": "base64", "dependsOnKey": "uuid", "commonEncryptionScheme": "string",
}  # fmt: skip
_BITS: Final = {"minPixels": "integer", "maxPixels": "integer", "minFps": "integer", "maxFps": "integer"}
_TOLD: Final = ("MACMethod", "Description", "SendingEntity", "SenderPointOfContact", "ReceivingEntity")

_BOTH: Final[Mapping[str, Shape]] = {
    "CPIX": _some(*names.LISTS, "ds:Signature*", contentId="string", name="string", version="string"),
    "MACMethod": Shape(
        children={"pskc:MACKey": (0, 1), "pskc:MACKeyReference": (0, 1)}, attributes={"Algorithm!": "string"},
        foreign=True,
    ),
    "Data": Shape(children={"pskc:Secret": (0, 1)}, foreign=True),
    "pskc:Secret": Shape(children={"pskc:PlainValue": (0, 1), "pskc:EncryptedValue": (0, 1), "pskc:ValueMAC": (0, 1)}),
    "pskc:PlainValue": _BASE64,
    "pskc:ValueMAC": _BASE64,
    "xenc:CipherValue": _BASE64,
    "ContentKeyUsageRule": Shape(
        children={f"{each}Filter": (0, MANY) for each in ("KeyPeriod", "Label", "Video", "Audio", "Bitrate")},
        attributes={"id": "id", "kid!": "uuid", "intendedTrackType": "string"}, foreign=True,
    ),
    "KeyPeriodFilter": Shape(attributes={"periodId!": "id"}),
    "LabelFilter": Shape(attributes={"label!": "string"}),
    "VideoFilter": Shape(attributes={**_BITS, "hdr": "boolean", "wcg": "boolean"}),
    "AudioFilter": Shape(attributes={"minChannels": "integer", "maxChannels": "integer"}),
    "BitrateFilter": Shape(attributes={"minBitrate": "integer", "maxBitrate": "integer"}),
    "UpdateHistoryItem": Shape(
        attributes={
            "id": "id", "updateVersion!": "integer", "index!": "string", "source!": "string", "date!": "dateTime",
        }
    ),
    "PSSH": _BASE64,
    "SmoothStreamingProtectionHeaderData": _TEXT,
    **dict.fromkeys(_TOLD[1:], _TEXT),
}  # fmt: skip


def _lists(least: str) -> Mapping[str, Shape]:
    """The six lists: from 2.4 on none may be empty."""
    versioned = {name: {"updateVersion": "integer"} for name in names.LISTS[:-1]}
    return {name: _some(name.removesuffix("List") + least, **versioned.get(name, {})) for name in names.LISTS}


_SHAPES_2_3: Final[Mapping[str, Shape]] = {
    **_BOTH,
    **_lists("*"),
    "DeliveryData": _some("DeliveryKey!", "DocumentKey!", *_TOLD, updateVersion="integer", name="string"),
    "DocumentKey": _some(*_KEY_2_3, "Policy", "Extensions*", Algorithm="string"),
    "ContentKey": _some(*_KEY_2_3, "Policy", "Extensions*", Algorithm="string", **_ENTRY),
    "ContentKeyPeriod": _some(**_PERIOD_2_3),
    "DRMSystem": Shape(
        children={
            **dict.fromkeys(("PSSH", "ContentProtectionData", "URIExtXKey"), (0, 1)),
            "HLSSignalingData": (0, 2), "SmoothStreamingProtectionHeaderData": (0, 1), "HDSSignalingData": (0, 1),
        },
        attributes={"id": "id", **_DRM}, foreign=True,
    ),
    "ContentProtectionData": _BASE64,
    "HLSSignalingData": Shape(text="base64", attributes={"playlist": "master|media"}),
}  # fmt: skip

_SHAPES_2_4: Final[Mapping[str, Shape]] = {
    **_BOTH,
    **_lists("+"),
    "DeliveryData": _some("DeliveryKey!", "DocumentKey+", *_TOLD, updateVersion="integer", name="string"),
    "DocumentKey": _some("Data!", encryptsKey="uuid"),
    "ContentKey": _some("HDCPData", "Data", contentId="string", **_ENTRY),
    "HDCPData": Shape(children={"HDCPOutputProtectionData": (0, 1)}, attributes={"HLSHDCPLevel": "string"}),
    "HDCPOutputProtectionData": _BASE64,
    "ContentKeyPeriod": _some(**_PERIOD_2_3, **_PERIOD_2_4),
    "DRMSystem": Shape(
        children={
            **dict.fromkeys(("PSSH", "ContentProtectionData"), (0, 1)),
            "HLSSignalingData": (0, 2), "SmoothStreamingProtectionHeaderData": (0, 1),
        },
        attributes={"id": "id", **_DRM, "HLSAllowedCPC": "string"}, foreign=True,
    ),
    "ContentProtectionData": Shape(text="base64", attributes={"robustness": "string"}),
    "HLSSignalingData": Shape(text="base64", attributes={"playlist": "multiVariant|media", "allowedCPC": "string"}),
}  # fmt: skip

SHAPES: Final[Mapping[str, Mapping[str, Shape]]] = {"2.3": _SHAPES_2_3, "2.4": _SHAPES_2_4}


def schema_faults(root: Element, version: str) -> Iterator[Fault]:
    """Where a document breaks the grammar of a version; elements below what is not known are not looked at."""
    shapes = SHAPES[version]
    ids: set[str] = set()
    waiting = [root]
    while waiting:
        element = waiting.pop()
        shape = shapes.get(names.prefixed(element.tag))
        if shape is None:
            continue
        yield from _content(element, shape)
        yield from _attributes(element, shape)
        yield from _twice(element, ids)
        waiting.extend(reversed(list(elements(element))))


def _content(element: Element, shape: Shape) -> Iterator[Fault]:
    """Children in order and number, then text."""
    yield from _order(element, shape)
    text = text_of(element)
    if shape.text is None and text.strip():
        yield Fault.at(place(element), "schema", "text where only elements may be")
    elif shape.text is not None and (reason := _wrong(text, shape.text)):
        yield Fault.at(place(element), "schema", reason)


def _order(element: Element, shape: Shape) -> Iterator[Fault]:
    order = {name: number for number, name in enumerate(shape.children)}
    counts: dict[str, int] = {}
    last = -1
    for each in elements(element):
        name = names.prefixed(each.tag)
        if name not in order:
            if not (shape.foreign and name[:1] == "{") and not _known_elsewhere(name, shape):
                yield Fault.at(place(each), "schema", "no such element may stand here")
            last = len(order) if name[:1] == "{" else last
            continue
        counts[name] = counts.get(name, 0) + 1
        if order[name] < last:
            yield Fault.at(place(each), "schema", "out of the order of the schema")
        elif counts[name] == shape.children[name][1] + 1:
            yield Fault.at(place(each), "schema", f"more than {shape.children[name][1]} of them")
        last = max(last, order[name])
    missing = [name for name, (least, _) in shape.children.items() if counts.get(name, 0) < least]
    yield from (Fault.at(place(element), "schema", f"without {name}") for name in missing)


def _known_elsewhere(name: str, shape: Shape) -> bool:
    """PSKC, XML Encryption and XML Signature in a place that is open to others."""
    return shape.foreign and ":" in name


def _attributes(element: Element, shape: Shape) -> Iterator[Fault]:
    kinds = {name.rstrip("!"): kind for name, kind in shape.attributes.items()}
    for name, value in element.attrib.items():
        if name.startswith(f"{{{names.XSI}}}"):
            continue
        if name not in kinds:
            yield Fault.at(place(element), "schema", f"no attribute {name} may stand here")
        elif reason := _wrong(value, kinds[name]):
            yield Fault.at(place(element), "schema", f"@{name}: {reason}")
    needed = [name[:-1] for name in shape.attributes if name.endswith("!")]
    missing = [name for name in needed if element.get(name) is None]
    yield from (Fault.at(place(element), "schema", f"without @{name}") for name in missing)


def _twice(element: Element, ids: set[str]) -> Iterator[Fault]:
    own = element.get("id")
    if own is not None and own in ids:
        yield Fault.at(place(element), "schema", "@id: there is another element with it")
    elif own is not None:
        ids.add(own)


def _wrong(text: str, kind: str) -> str:
    if "|" in kind:
        return "" if text in kind.split("|") else f"none of {kind.replace('|', ', ')}"
    try:
        values.CHECKS[kind](text)
    except ValueError as error:
        return str(error)
    return ""
