"""What an MPD says of the service as a whole: latency, steering, patches, initialization sets, reference times."""

from __future__ import annotations

import math
from typing import Final

from player.clock import MILLISECOND, SECOND
from player.mpd.document import Node
from player.mpd.model import (
    ContentSteering,
    InitializationSet,
    PatchLocation,
    ProducerReferenceTime,
    Resource,
    ServiceDescription,
)
from player.mpd.protection import Definitions, protections
from player.mpd.values import boolean, instant, unsigned

MAX_LATENCY_MS: Final = 24 * 3600 * 1000
MAX_SECONDS: Final = 10 * 366 * 24 * 3600
MAX_RATE: Final = 16.0
_REFERENCE_KINDS: Final = ("encoder", "captured")


def description(root: Node) -> ServiceDescription:
    """The first ServiceDescription that is not for other clients (annex K.3)."""
    for node in root.children("ServiceDescription"):
        if node.child("Scope") is None:
            return _description(node)
    return ServiceDescription()


def steering(root: Node) -> ContentSteering | None:
    """ContentSteering (ETSI TS 103 998); a relative URL counts from the MPD."""
    node = root.child("ContentSteering")
    if node is None or not node.text():
        return None
    return ContentSteering(
        url=node.resolve(root.document.url, node.text()),
        default_locations=tuple(node.string("defaultServiceLocation").split()),
        query_before_start=node.lenient("queryBeforeStart", boolean) or False,
    )


def patches(root: Node) -> tuple[PatchLocation, ...]:
    """Where patches can be had (5.15.2); only an MPD with @id and @publishTime can be patched."""
    if not root.string("id") or not root.string("publishTime"):
        return ()
    return root.whole(root.children("PatchLocation"), lambda node: _patch(root, node))


def initialization_sets(root: Node, defined: Definitions) -> tuple[InitializationSet, ...]:
    """InitializationSet (5.3.12), each with its initialization segment where it names one."""
    return root.whole(root.children("InitializationSet"), lambda node: _initialization_set(root, node, defined))


def reference_times(node: Node) -> tuple[ProducerReferenceTime, ...]:
    """ProducerReferenceTime (5.12); one without a readable time is left out."""
    return node.whole(node.children("ProducerReferenceTime"), _reference_time)


def _description(node: Node) -> ServiceDescription:
    latency, rate = node.child("Latency"), node.child("PlaybackRate")
    return ServiceDescription(
        target_latency_us=None if latency is None else latency.lenient("target", _latency),
        least_latency_us=None if latency is None else latency.lenient("min", _latency),
        most_latency_us=None if latency is None else latency.lenient("max", _latency),
        least_rate=None if rate is None else rate.lenient("min", _rate),
        most_rate=None if rate is None else rate.lenient("max", _rate),
    )


def _patch(root: Node, node: Node) -> PatchLocation | None:
    if not node.text():
        return None
    return PatchLocation(url=node.resolve(root.document.url, node.text()), ttl_us=node.lenient("ttl", _seconds))


def _initialization_set(root: Node, node: Node, defined: Definitions) -> InitializationSet:
    where = node.string("initialization")
    kind = node.string("contentType").strip().lower() or node.string("mimeType").partition("/")[0]
    return InitializationSet(
        id=node.string("id"),
        kind=kind,
        codecs=node.string("codecs"),
        initialization=Resource(url=node.resolve(root.document.url, where)) if where else None,
        protections=protections(node, defined),
    )


def _reference_time(node: Node) -> ProducerReferenceTime | None:
    wall_us, media_time = node.exact("wallClockTime", instant), node.exact("presentationTime", unsigned)
    if wall_us is None or media_time is None:
        return None
    kind = node.string("type", "encoder")
    return ProducerReferenceTime(
        wall_us=wall_us,
        media_time=media_time,
        kind=kind if kind in _REFERENCE_KINDS else "encoder",
        inband=node.lenient("inband", boolean) or False,
    )


def _latency(text: str) -> int:
    """Milliseconds to µs."""
    value = unsigned(text)
    if value > MAX_LATENCY_MS:
        raise ValueError(f"a latency of {value} ms")
    return value * MILLISECOND


def _seconds(text: str) -> int:
    """xs:double seconds to µs."""
    value = float(text) if text.strip().isascii() else math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{text[:40]!r} is no number of seconds")
    return int(value * SECOND)


def _rate(text: str) -> float:
    value = float(text) if text.strip().isascii() else math.nan
    if not 0 < value <= MAX_RATE:
        raise ValueError(f"{text[:40]!r} is no playback rate")
    return value
