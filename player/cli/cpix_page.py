"""What `keystorm cpix show` tells of a document: one JSON object, or lines for a person. No key is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from player.backend.cpix import names, values
from player.backend.cpix.model import (
    AudioFilter,
    BitrateFilter,
    DeliveryData,
    DrmSystem,
    KeyEntry,
    Period,
    Sealed,
    UsageRule,
    VideoFilter,
)
from player.backend.cpix.read import Read
from player.backend.cpix.signature import signatures_of
from player.backend.cpix.xmlio import Element
from player.crypto import certificate
from player.ids import KeyId

Page = Mapping[str, Any]


def page(found: Read, now_us: int, opened: Collection[KeyId] | None) -> Page:
    """`opened`: the keys that a private key opens, None where none was given."""
    document = found.document
    return {
        "version": document.version,
        "content_id": document.content_id,
        "recipients": [_recipient(each, now_us) for each in document.delivery],
        "keys": [_key(each, opened) for each in document.keys],
        "systems": [_system(each) for each in document.systems],
        "periods": [_period(each) for each in document.periods],
        "rules": [_rule(each) for each in document.rules],
        "updates": [{"index": each.index, "source": each.source} for each in document.history],
        "signatures": [{"covers": _covers(found.root, each)} for each in signatures_of(found.root)],
        "faults": [{"code": each.code, "path": each.path, "reason": each.reason} for each in found.warnings],
    }


def told(shown: Page) -> str:
    return "\n".join(_lines(shown))


def _lines(shown: Page) -> Iterator[str]:
    about = f", content {shown['content_id']}" if shown["content_id"] is not None else ""
    yield f"CPIX {shown['version'] or 'without a version'}{about}"
    for each in shown["recipients"]:
        certain = "" if each["valid"] else ", certificate out of its time"
        yield f"recipient {each['subject'] or 'without a certificate that can be read'}{certain}"
    for each in shown["keys"]:
        yield f"key       {each['kid']} {', '.join(_said_of(each))}"
    for each in shown["systems"]:
        yield f"system    {each['system_id']} for {each['kid']}: {', '.join(each['signals']) or 'nothing'}"
    for each in shown["periods"]:
        yield f"period    {each['id'] or '(no id)'} {each['when']}"
    for each in shown["rules"]:
        yield f"rule      {each['kid']} for {' and '.join(each['filters']) or 'everything'}"
    for each in shown["signatures"]:
        yield f"signature over {each['covers']}, not verified here"
    for each in shown["faults"]:
        yield f"fault     {each['path']}: {each['reason']} ({each['code']})"


def _said_of(key: Page) -> Iterator[str]:
    yield key["value"]
    if key["opens"] is not None:
        yield "opens" if key["opens"] else "does not open"
    if key["scheme"] is not None:
        yield key["scheme"]
    if key["depends_on"] is not None:
        yield f"leaf of {key['depends_on']}"


def _recipient(data: DeliveryData, now_us: int) -> Page:
    try:
        read = certificate.read(data.certificate or b"")
    except ValueError:
        return {"subject": None, "valid": False, "document_keys": len(data.document_keys)}
    valid = read.valid_at(now_us)
    return {"subject": read.subject, "valid": valid, "document_keys": len(data.document_keys)}


def _key(key: KeyEntry, opened: Collection[KeyId] | None) -> Page:
    value = "no value" if key.value is None else "encrypted" if isinstance(key.value, Sealed) else "in the clear"
    return {
        "kid": str(key.kid),
        "value": value,
        "opens": None if opened is None else key.kid in opened,
        "scheme": key.scheme,
        "depends_on": None if key.depends_on is None else str(key.depends_on),
    }


def _system(system: DrmSystem) -> Page:
    signals = {
        "pssh": system.pssh,
        "content protection": system.content_protection,
        "hls": system.hls or None,
        "smooth": system.smooth,
    }
    said = [name for name, value in signals.items() if value is not None]
    return {"system_id": str(system.system_id), "kid": str(system.kid), "signals": said}


def _period(period: Period) -> Page:
    bounds: list[str] = []
    for text, ends in ((values.instant_text, period.clock), (values.duration_text, period.offsets)):
        if ends is not None:
            bounds.append(" to ".join(map(text, ends)))
    named = [f"index {period.index}"] if period.index is not None else []
    labelled = [f"label {period.label}"] if period.label is not None else []
    return {"id": period.id, "when": ", ".join([*bounds, *named, *labelled])}


def _rule(rule: UsageRule) -> Page:
    several: Sequence[tuple[str, Sequence[str]]] = (
        ("period", rule.periods),
        ("label", rule.labels),
        ("video", tuple(map(_bounds, rule.video))),
        ("audio", tuple(map(_bounds, rule.audio))),
        ("bitrate", tuple(map(_bounds, rule.bitrate))),
        ("not known:", rule.unknown),
    )
    filters = [f"{kind} {' or '.join(each or 'any' for each in named)}" for kind, named in several if named]
    return {"kid": str(rule.kid), "filters": filters, "track_type": rule.intended_track_type}


def _bounds(one: VideoFilter | AudioFilter | BitrateFilter) -> str:
    said = ((name, getattr(one, name)) for name in type(one).__slots__)
    return " ".join(f"{name}={value}" for name, value in said if value is not None)


def _covers(root: Element, signature: Element) -> str:
    """The names its references give, unproven."""
    uris = [each.get("URI") or "" for each in signature.iter(names.qname("ds:Reference"))]
    by_id = {f"#{each.get('id')}": names.prefixed(each.tag) for each in root.iterchildren("*") if each.get("id")}
    return ", ".join("the document" if not uri else by_id.get(uri, uri) for uri in uris) or "nothing"
