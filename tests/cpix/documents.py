"""Documents for hypothesis: all that CPIX can say, without faults."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from player.backend.cpix.model import (
    AudioFilter,
    BitrateFilter,
    Document,
    DrmSystem,
    Hdcp,
    HistoryItem,
    HlsSignalling,
    KeyEntry,
    ListMark,
    Period,
    UsageRule,
    VideoFilter,
)
from player.ids import ContentKey, KeyId, SystemId
from player.isobmff.sample import Scheme

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="\ufffe\uffff"))
ids16 = st.binary(min_size=16, max_size=16)
counts = st.integers(0, 10**9)
instants = st.integers(0, 4 * 10**15)
spans = st.integers(1, 10**13)


keys = st.builds(
    KeyEntry,
    kid=ids16.map(KeyId.cenc),
    value=st.none() | ids16.map(ContentKey),
    explicit_iv=st.none() | ids16,
    scheme=st.none() | st.sampled_from([str(scheme) for scheme in Scheme]),
)
video = st.builds(
    VideoFilter,
    min_pixels=st.none() | counts,
    max_pixels=st.none() | counts,
    hdr=st.none() | st.booleans(),
    wcg=st.none() | st.booleans(),
    min_fps=st.none() | counts,
    max_fps=st.none() | counts,
)
audio = st.builds(AudioFilter, min_channels=st.none() | counts, max_channels=st.none() | counts)
bitrate = st.builds(BitrateFilter, min_bitrate=counts, max_bitrate=st.none() | counts)
hls = st.lists(
    st.builds(HlsSignalling, data=st.binary(max_size=9), playlist=st.sampled_from(["media", "multiVariant"])),
    max_size=2,
    unique_by=lambda each: each.playlist,
)
periods_2_3 = st.builds(lambda start, span: Period(start_us=start, end_us=start + span), instants, spans) | st.builds(
    Period, index=st.integers(0, 2**32 - 1)
)
periods_2_4 = (
    st.builds(Period, start_us=instants, duration_us=spans)
    | st.builds(lambda start, span: Period(start_offset_us=start, end_offset_us=start + span), instants, spans)
    | st.builds(Period, start_offset_us=instants, duration_us=spans)
    | st.builds(Period, label=texts)
)


@st.composite
def documents(draw: st.DrawFn, *, newest: bool = False) -> Document:
    """`newest`: with what only 2.4 can say."""
    entries = draw(st.lists(keys, min_size=1, max_size=4, unique_by=lambda key: key.kid))
    if newest:
        hdcp = st.builds(Hdcp, level=st.none() | texts, data=st.none() | st.binary(max_size=9))
        entries = [replace(each, hdcp=draw(st.none() | hdcp), content_id=draw(st.none() | texts)) for each in entries]
    kids = st.sampled_from([entry.kid for entry in entries])
    periods = draw(st.lists(periods_2_4 if newest else periods_2_3, max_size=3))
    periods = [replace(period, id=f"p{number}") for number, period in enumerate(periods)]
    named = (
        st.sampled_from([period.id or "" for period in periods]).map(lambda each: (each,)) if periods else st.just(())
    )
    rules = st.builds(
        UsageRule,
        kid=kids,
        periods=named,
        labels=st.lists(texts, max_size=2).map(tuple),
        video=st.lists(video, max_size=2).map(tuple),
        audio=st.lists(audio, max_size=2).map(tuple),
        bitrate=st.lists(bitrate, max_size=2).map(tuple),
        intended_track_type=st.none() | texts,
    )
    systems = st.builds(
        DrmSystem,
        system_id=ids16.map(SystemId),
        kid=kids,
        pssh=st.none() | st.binary(max_size=40),
        content_protection=st.none() | st.binary(max_size=9),
        hls=hls.map(tuple),
        smooth=st.none() | texts,
        name=st.none() | texts,
        update_version=st.none() | counts,
    )
    history = st.builds(HistoryItem, update_version=counts, index=st.just("0"), source=texts, date_us=instants)
    items = draw(st.lists(history, max_size=3))
    document = Document(
        keys=tuple(entries),
        systems=tuple(draw(st.lists(systems, max_size=3))),
        periods=tuple(periods),
        rules=tuple(draw(st.lists(rules, max_size=3))),
        history=tuple(replace(item, index=str(number)) for number, item in enumerate(items, 1)),
        marks=(ListMark(name="ContentKeyList", id="keys", update_version=draw(st.none() | counts)),),
        name=draw(st.none() | texts),
        id=draw(st.none() | st.just("whole")),
    )
    return document if newest else replace(document, content_id=draw(st.none() | texts))
