"""An MPD as XML: the one door to mpegdash.

mpegdash writes the plain tree. What it cannot carry is added here: the namespace of the root, and the Laurl of a
ContentProtection. Its other gaps are not met: no boolean that could be read back wrongly, no INF, ids that are integers
where it wants integers. It is never given a document to read.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.dom.minidom import Element

from mpegdash import nodes
from mpegdash.parser import MPEGDASHParser

from player.backend.origin import mpd_tree as tree
from player.clock import SECOND

_MPD_NAMESPACE: Final = "urn:mpeg:dash:schema:mpd:2011"
_CENC_NAMESPACE: Final = "urn:mpeg:cenc:2013"
_DASHIF_NAMESPACE: Final = "https://dashif.org/CPS"
_HTTP_ISO: Final = "urn:mpeg:dash:utc:http-iso:2014"
_CHANNELS: Final = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_DOLBY_CHANNELS: Final = "tag:dolby.com,2014:dash:audio_channel_configuration:2011"  # ETSI TS 102 366, I.1.2.1
_EVENT_TIMESCALE: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def write(mpd: tree.Mpd) -> bytes:
    """The MPD as UTF-8 XML; equal trees give equal bytes."""
    document = MPEGDASHParser.get_as_doc(_root(mpd))
    document.documentElement.setAttribute("xmlns:dashif", _DASHIF_NAMESPACE)
    xml: bytes = document.toprettyxml(indent=" ", newl="\n", encoding="utf-8")
    return xml


def date_time(wall_us: int) -> str:
    """An xs:dateTime in UTC with milliseconds."""
    return (_EPOCH + timedelta(microseconds=wall_us)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(us: int) -> str:
    """An xs:duration in seconds, with no more digits than it needs."""
    whole, rest = divmod(us, SECOND)
    return f"PT{whole}S" if not rest else f"PT{whole}.{rest:06d}".rstrip("0") + "S"


class _ContentProtection(nodes.ContentProtection):  # type: ignore[misc] # mpegdash carries no types
    """mpegdash's ContentProtection with the license URL of DASH-IF (IOP part 6: dashif:Laurl)."""

    def __init__(self, license_url: str) -> None:
        super().__init__()
        self._license_url = license_url

    def write(self, element: Element) -> None:
        super().write(element)
        if self._license_url and (document := element.ownerDocument) is not None:
            laurl = document.createElement("dashif:Laurl")
            laurl.setAttribute("licenseType", "EME-1.0")
            laurl.appendChild(document.createTextNode(self._license_url))
            element.appendChild(laurl)


def _node(kind: Any, **fields: object) -> Any:
    """A node of mpegdash with its fields set: its constructors take none."""
    node = kind()
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _root(mpd: tree.Mpd) -> Any:
    return _node(
        nodes.MPEGDASH,
        xmlns=_MPD_NAMESPACE,
        cenc=_CENC_NAMESPACE,
        profiles=mpd.profile,
        type="static" if mpd.live is None else "dynamic",
        media_presentation_duration=None if mpd.duration is None else duration(mpd.duration),
        min_buffer_time=duration(mpd.min_buffer),
        max_segment_duration=duration(mpd.max_segment),
        periods=[_period(period) for period in mpd.periods],
        **({} if mpd.live is None else _live(mpd.live)),
    )


def _live(live: tree.Live) -> dict[str, object]:
    return {
        "availability_start_time": date_time(live.availability_start_wall),
        "publish_time": date_time(live.publish_wall),
        "minimum_update_period": duration(live.minimum_update),
        "time_shift_buffer_depth": duration(live.time_shift),
        "suggested_presentation_delay": duration(live.suggested_delay),
        "utc_timings": [_node(nodes.Descriptor, scheme_id_uri=_HTTP_ISO, value=live.time_url)],
    }


def _period(period: tree.Period) -> Any:
    return _node(
        nodes.Period,
        id=period.id,
        start=duration(period.start),
        duration=None if period.duration is None else duration(period.duration),
        event_streams=[_event_stream(stream) for stream in period.event_streams],
        adaptation_sets=[_adaptation_set(each) for each in period.adaptation_sets],
    )


def _event_stream(stream: tree.EventStream) -> Any:
    events = [
        _node(nodes.Event, id=event.id, presentation_time=event.at, duration=event.duration, event_value=event.text)
        for event in stream.events
    ]
    return _node(nodes.EventStream, scheme_id_uri=stream.scheme, timescale=_EVENT_TIMESCALE, events=events)


def _adaptation_set(adaptation: tree.AdaptationSet) -> Any:
    return _node(
        nodes.AdaptationSet,
        id=adaptation.id,
        content_type=adaptation.kind,
        mime_type=f"{adaptation.kind}/mp4",
        lang=adaptation.lang,
        segment_alignment=True,
        start_with_sap=1,
        content_protections=[_protection(each) for each in adaptation.protections],
        representations=[_representation(each) for each in adaptation.representations],
    )


def _protection(protection: tree.Protection) -> Any:
    node = _ContentProtection(protection.license_url)
    node.scheme_id_uri = protection.scheme
    node.value = protection.value
    node.cenc_default_kid = None if protection.default_kid is None else str(protection.default_kid)
    if protection.pssh:
        node.pssh = [_node(nodes.PSSH, pssh=base64.b64encode(protection.pssh).decode("ascii"))]
    return node


def _representation(each: tree.Representation) -> Any:
    return _node(
        nodes.Representation,
        id=each.id,
        bandwidth=each.bandwidth,
        codecs=each.codecs,
        width=each.width,
        height=each.height,
        frame_rate=each.frame_rate,
        audio_sampling_rate=each.sampling_rate,
        audio_channel_configurations=_channels(each),
        **_segments(each.segments),
    )


def _channels(each: tree.Representation) -> list[Any] | None:
    if each.channel_mask:
        return [_node(nodes.Descriptor, scheme_id_uri=_DOLBY_CHANNELS, value=f"{each.channel_mask:04X}")]
    return [_node(nodes.Descriptor, scheme_id_uri=_CHANNELS, value=str(each.channels))] if each.channels else None


def _segments(segments: tree.Template | tree.OneFile) -> dict[str, object]:
    match segments:
        case tree.Template():
            return {"segment_templates": [_template(segments)]}
        case tree.OneFile():
            base_url = _node(nodes.BaseURL, base_url_value=segments.url)
            return {"base_urls": [base_url], "segment_bases": [_segment_base(segments)]}


def _segment_base(file: tree.OneFile) -> Any:
    return _node(
        nodes.SegmentBase,
        timescale=file.timescale,
        presentation_time_offset=file.presentation_time_offset or None,
        index_range=_byte_range(file.index),
        initializations=[_node(nodes.URL, range=_byte_range(file.initialization))],
    )


def _byte_range(of: tuple[int, int]) -> str:
    first, last = of
    return f"{first}-{last}"


def _template(template: tree.Template) -> Any:
    runs = [_node(nodes.S, t=time, d=length, r=repeat or None) for time, length, repeat in template.runs]
    return _node(
        nodes.SegmentTemplate,
        timescale=template.timescale,
        presentation_time_offset=template.presentation_time_offset or None,
        start_number=template.start_number,
        duration=template.duration,
        initialization=template.initialization,
        media=template.media,
        segment_timelines=[_node(nodes.SegmentTimeline, Ss=runs)] if runs else None,
    )
