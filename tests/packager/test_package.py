"""What `package` writes: files, MPD, keys and their signalling, read back by our own parsers and by mpegdash."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpegdash.parser import MPEGDASHParser

from player.backend.packager.cut import Cut, cuts, pieces
from player.backend.packager.keys import HeldPair
from player.backend.packager.settings import PsshKind, PsshPlace, SegmentForm, Settings
from player.backend.packager.source import SourceSample, SourceTrack, read_tracks
from player.backend.spec import Rotation
from player.errors import MediaError, UsageError
from player.ids import CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM, ContentKey
from player.isobmff.init import parse_init
from player.isobmff.pssh import read
from player.isobmff.sample import Scheme
from player.isobmff.segment import parse_media
from player.isobmff.sidx import parse_sidx
from player.mpd.model import SegmentBase, SegmentTemplate
from player.mpd.parse import parse
from player.wire import blob
from tests.cenc.content import play
from tests.packager.studio import KEY, KID, Made, Studio, made

short = partial(Settings, segment=Fraction(1))
drawn = partial(made, given={"all": (), "root": ()}, seed=7)


def segments_of(presentation: Made, track: str) -> list[bytes]:
    return [data for name, data in presentation.files.items() if re.fullmatch(rf"{track}/\d+\.m4s", name)]


# ── the MPD ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", SegmentForm)
@pytest.mark.parametrize("period_at", [(), (Fraction(2),)])
def test_our_reader_and_mpegdash_read_the_mpd(
    form: SegmentForm, period_at: tuple[Fraction, ...], studio: Studio
) -> None:
    presentation = made(studio.tracks("h264", "aac"), short(form=form, period_at=period_at))
    ours = parse(presentation.mpd, "http://o.example/manifest.mpd")
    theirs = MPEGDASHParser.parse(presentation.mpd.decode())
    assert len(ours.periods) == len(theirs.periods) == presentation.packaged.periods == 1 + len(period_at)
    assert ours.warnings == ()
    for our_period, their_period in zip(ours.periods, theirs.periods, strict=True):
        for our_set, their_set in zip(our_period.adaptation_sets, their_period.adaptation_sets, strict=True):
            (our_track,), (their_track,) = our_set.representations, their_set.representations
            assert our_track.id == their_track.id
            assert isinstance(our_track.source, SegmentBase if form is SegmentForm.BASE else SegmentTemplate)


def test_even_segments_are_told_by_a_duration_and_uneven_ones_by_a_timeline(studio: Studio) -> None:
    tracks = studio.tracks("h264")
    assert b"SegmentTimeline" not in made(tracks, short()).mpd
    uneven = made(tracks, Settings(segment=Fraction(3, 5)))  # there is a sync sample each second
    assert b"SegmentTimeline" in uneven.mpd
    assert b"$Number$" in uneven.mpd


def test_a_segment_index_leads_to_every_segment(studio: Studio) -> None:
    presentation = made(studio.tracks("h264"), short(form=SegmentForm.BASE))
    data = presentation.files["video-1.mp4"]
    found = re.search(rb'indexRange="(\d+)-(\d+)"', presentation.mpd)
    assert found
    first, last = int(found[1]), int(found[2])
    assert data[first + 4 : first + 8] == b"sidx"
    index = parse_sidx(data[first : last + 1], first)
    assert [data[each.first_byte + 4 : each.first_byte + 8] for each in index.segments] == [b"styp"] * 4
    assert index.segments[-1].first_byte + index.segments[-1].size == len(data)
    assert sum(each.duration for each in index.segments) == 4 * index.timescale


def test_tracks_with_keys_of_their_own_have_sets_of_their_own(studio: Studio) -> None:
    tracks = studio.tracks("h264", "vp9", "aac", "opus")
    keys = {"SD": (), "audio": (HeldPair(KID, KEY),)}
    presentation = made(tracks, short(), keys, seed=1)
    (period,) = parse(presentation.mpd, "http://o.example/manifest.mpd").periods
    assert len(period.adaptation_sets) == 4  # one a codec
    assert {each.label for each in presentation.packaged.renditions} == {"SD", "audio"}
    assert set(presentation.keys.used) == {("SD", 0), ("audio", 0)}


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("media:M31")
def test_a_rotation_in_band_names_no_key_but_in_the_moof(studio: Studio) -> None:
    presentation = drawn(studio.tracks("h264"), short(rotation=Rotation.IN_BAND, crypto_period=Fraction(2)))
    init = parse_init(presentation.files["video-1/init.mp4"])
    kids = [presentation.keys.key("all", period).kid for period in (0, 0, 1, 1)]
    assert (init.default_kids, init.init_data) == ((), ())
    assert b"default_KID" not in presentation.mpd
    fragments = [parse_media(data, init).fragments[0] for data in segments_of(presentation, "video-1")]
    assert [each.kids for each in fragments] == [(kid,) for kid in kids]
    assert [read(each.init_data[0])[0].key_ids for each in fragments] == [(kid,) for kid in kids]


def test_a_rotation_by_periods_names_each_key_in_its_init_segment(studio: Studio) -> None:
    presentation = drawn(studio.tracks("h264"), short(rotation=Rotation.NEW_PERIOD, crypto_period=Fraction(1)))
    kids = [presentation.keys.key("all", period).kid for period in range(4)]
    inits = [parse_init(presentation.files[f"video-1/init-p{period}.mp4"]) for period in range(4)]
    assert [init.default_kids for init in inits] == [(kid,) for kid in kids]
    assert [str(kid) for kid in kids] == re.findall(r'default_KID="([^"]+)"', presentation.mpd.decode())


def test_a_hierarchy_brings_wrapped_keys_in_the_moof(studio: Studio) -> None:
    presentation = drawn(studio.tracks("aac"), short(rotation=Rotation.HIERARCHY, crypto_period=Fraction(2)))
    root = presentation.keys.key("root")
    init = parse_init(presentation.files["audio-1/init.mp4"])
    assert init.default_kids == (root.kid,)
    for number, data in enumerate(segments_of(presentation, "audio-1")):
        (fragment,) = parse_media(data, init).fragments
        (box,) = read(fragment.init_data[0])
        (leaf,) = blob.open_blob(box.data, root.key)
        assert (box.system_id, box.key_ids) == (HIERARCHY_SYSTEM, fragment.kids)
        assert (leaf.kid, leaf.key) == presentation.keys.key("all", number // 2)


def test_pssh_boxes_of_every_kind_lie_where_they_were_wanted(studio: Studio) -> None:
    chosen = short(kinds=tuple(PsshKind), places=frozenset(PsshPlace), license_url="https://l.example/?a=1&b=2")
    presentation = made(studio.tracks("aac"), chosen)
    init = parse_init(presentation.files["audio-1/init.mp4"])
    systems = {COMMON_SYSTEM, CLEARKEY_DASH_SYSTEM, HIERARCHY_SYSTEM}
    assert {box.system_id for box in read(init.init_data[0])} == systems
    (fragment,) = parse_media(segments_of(presentation, "audio-1")[0], init).fragments
    assert {box.system_id for box in read(fragment.init_data[0])} == systems
    (adaptation,) = parse(presentation.mpd, "http://o.example/m.mpd").periods[0].adaptation_sets
    told = {each.scheme: each for each in adaptation.protections}
    assert all(told[f"urn:uuid:{system}"].pssh for system in systems)
    assert told[f"urn:uuid:{CLEARKEY_DASH_SYSTEM}"].license_urls == ("https://l.example/?a=1&b=2",)


def test_a_clear_lead_is_clear_and_names_a_clear_entry(studio: Studio) -> None:
    presentation = made(studio.tracks("h264", "aac"), short(clear_lead=Fraction(2)))
    for track in ("video-1", "audio-1"):
        init = parse_init(presentation.files[f"{track}/init.mp4"])
        fragments = [parse_media(data, init).fragments[0] for data in segments_of(presentation, track)]
        assert [bool(each.kids) for each in fragments] == [False, False, True, True]


@pytest.mark.rule("media:M30")
def test_the_same_input_gives_the_same_bytes_and_another_input_no_shared_iv(studio: Studio) -> None:
    h264, vp9 = studio.tracks("h264"), studio.tracks("vp9")
    assert made(h264, short()).files == made(h264, short()).files
    ivs = []
    for tracks in (h264, vp9):
        presentation = made(tracks, short())
        init = parse_init(presentation.files["video-1/init.mp4"])
        samples = (parse_media(data, init).fragments[0].samples for data in segments_of(presentation, "video-1"))
        ivs.append({sample.iv for run in samples for sample in run})
    assert len(ivs[0]) == len(ivs[1]) == 100
    assert not ivs[0] & ivs[1]


def test_keys_given_go_before_keys_drawn(studio: Studio) -> None:
    rotating = short(rotation=Rotation.IN_BAND, crypto_period=Fraction(2))
    one_key = {"all": (HeldPair(KID, KEY),)}
    presentation = made(studio.tracks("aac"), rotating, one_key, seed=7)
    assert presentation.keys.key("all", 0) == (KID, KEY)
    assert presentation.keys.key("all", 1) == drawn(studio.tracks("aac"), rotating).keys.key("all", 1)
    with pytest.raises(UsageError, match="1 keys for 2 crypto periods"):
        made(studio.tracks("aac"), rotating, one_key)


def test_a_track_without_a_key_is_refused(studio: Studio) -> None:
    with pytest.raises(UsageError, match="no key for video: expected one with the label SD or video or all"):
        made(studio.tracks("h264"), short(), {"audio": (HeldPair(KID, ContentKey(bytes(16))),)})


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"scheme": Scheme.CBCS, "iv_size": 8}, "cbcs has IVs of 16 bytes"),
        ({"pattern": (0, 1)}, "something must be encrypted"),
        ({"pattern": (16, 0)}, "at most 15:15"),
        ({"rotation": Rotation.IN_BAND}, "go together"),
        ({"crypto_period": Fraction(4)}, "go together"),
        (
            {
                "rotation": Rotation.IN_BAND,
                "crypto_period": Fraction(4),
                "places": frozenset({PsshPlace.MPD}),
            },
            "named in the moof",
        ),
        (
            {"rotation": Rotation.HIERARCHY, "crypto_period": Fraction(4), "places": frozenset({PsshPlace.MPD})},
            "travel in the moof",
        ),
        (
            {"rotation": Rotation.HIERARCHY, "crypto_period": Fraction(4), "kinds": (PsshKind.COMMON,)},
            "lab key system",
        ),
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(Settings(), **choices)  # type: ignore[arg-type] # a table of different fields


@given(
    scheme=st.sampled_from(Scheme),
    pattern=st.sampled_from([(1, 9), (5, 5), (10, 0), (1, 0), (15, 15)]),
    rotation=st.sampled_from(Rotation),
    segment=st.fractions(Fraction(1, 4), 5),
    crypto_period=st.fractions(Fraction(1, 2), 5),
    clear_lead=st.sampled_from([Fraction(0), Fraction(1), Fraction(7, 3)]),
    period_at=st.sets(st.fractions(0, 5), max_size=2).map(tuple),
    long_iv=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_chosen_our_own_decryptor_gives_the_source(studio: Studio, **choices: Any) -> None:
    long_iv, scheme = choices.pop("long_iv"), choices["scheme"]
    if choices["rotation"] is Rotation.NONE:
        choices["crypto_period"] = None
    iv_size = 16 if long_iv or scheme in (Scheme.CBC1, Scheme.CBCS) else 8
    chosen = Settings(form=SegmentForm.BASE, iv_size=iv_size, **choices)
    presentation = drawn(studio.tracks("h264", "aac"), chosen)
    held = {pair.kid: pair.key for pair in presentation.keys.used.values()}
    for each in presentation.packaged.renditions:
        parts = [data for name, data in presentation.files.items() if name.startswith(each.id)]
        clear = [play(data, held) for data in parts]
        assert {part.code for part in clear} == {None}
        assert sha256(b"".join(part.samples for part in clear)).hexdigest() == each.sha256


# ── input ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_protected_already_is_refused(studio: Studio) -> None:
    protected = made(studio.tracks("aac"), short(form=SegmentForm.BASE)).files["audio-1.mp4"]
    with pytest.raises(MediaError, match="protected already"):
        read_tracks(protected)


@pytest.mark.parametrize("codec", ["h264", "aac"])
def test_a_file_without_fragments_is_read_like_one_with(codec: str, studio: Studio) -> None:
    plain = studio.folder / f"{codec}-plain.mp4"
    studio.ffmpeg("-i", str(studio.source(codec)), "-c", "copy", str(plain))
    (ours,), (theirs,) = read_tracks(plain.read_bytes()), studio.tracks(codec)
    assert ours.join(0, len(ours.samples)) == theirs.join(0, len(theirs.samples))
    assert [each.sync for each in ours.samples] == [each.sync for each in theirs.samples]
    shift = ours.samples[0].time_offset - theirs.samples[0].time_offset  # as the edit lists differ
    ticks = Fraction(ours.timescale, theirs.timescale)
    assert [each.time_offset - shift for each in ours.samples] == [each.time_offset * ticks for each in theirs.samples]


def test_a_file_without_samples_is_refused(studio: Studio) -> None:
    data = studio.source("aac").read_bytes()
    with pytest.raises(MediaError, match="no samples"):
        read_tracks(data[: data.index(b"moof") - 4])


@pytest.mark.parametrize("size", [0, 7, 100, 600, 1500, 20_000])
def test_a_cut_file_is_one_clear_error(size: int, studio: Studio) -> None:
    with pytest.raises(MediaError):
        read_tracks(studio.source("h264").read_bytes()[:size])


def test_every_byte_of_a_header_may_be_wrong(studio: Studio) -> None:
    """A fault, or other content; never anything but a MediaError."""
    data = studio.source("aac").read_bytes()
    for position in range(0, data.index(b"mdat"), 3):
        broken = bytearray(data)
        broken[position] ^= 0xFF
        with suppress(MediaError):
            read_tracks(bytes(broken))


def track(times: list[int], sync: list[int], timescale: int = 10) -> SourceTrack:
    """A track of no bytes with samples at these ticks."""
    samples = tuple(
        SourceSample(0, 0, time, after - time, time in sync, 0)
        for time, after in zip(times, [*times[1:], times[-1] + 1], strict=True)
    )
    return SourceTrack(
        kind="video",
        timescale=timescale,
        language=0,
        edits=b"",
        sample_entry=b"",
        codec=None,  # type: ignore[arg-type] # nobody asks for it
        data=b"",
        samples=samples,
    )


@pytest.mark.rule("media:M32")
@pytest.mark.parametrize(
    ("sync", "starts"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 9, 21, 30], [0, 9, 21, 30]),  # the nearest one, before or after
        ([0, 20], [0, 20]),  # no more segments than sync samples
        ([0, 10, 20, 38], [0, 10, 20]),  # a stump goes with the segment before it
    ],
)
def test_segments_start_at_the_nearest_sync_sample(sync: list[int], starts: list[int]) -> None:
    one = track(list(range(40)), sync)
    found = cuts([one], Fraction(1), ())
    assert [each.at * 10 for each in found] == starts
    assert [piece.first for piece in pieces(one, found, Fraction(0))] == starts


def test_a_track_that_cannot_be_cut_where_another_was_is_refused() -> None:
    one = track(list(range(40)), [0, 20])
    with pytest.raises(UsageError, match=r"no sync sample of its own near 1 s"):
        pieces(one, [Cut(Fraction(k), Fraction(k)) for k in range(4)], Fraction(0))


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sample_whose_header_cannot_be_read_is_refused_with_its_place(studio: Studio) -> None:
    (h264,) = studio.tracks("h264")
    third = h264.samples[2]
    data = bytearray(h264.data)
    data[third.start + 5 : third.start + 13] = bytes(8)  # the slice header: a code of more zeros than there can be
    with pytest.raises(MediaError, match=rf"mdat @ {third.start}: .*\(23001-7, 9.5\)"):
        made([replace(h264, data=bytes(data))], short())


def test_a_parameter_set_that_cannot_be_read_is_refused_with_its_place(studio: Studio) -> None:
    (h264,) = studio.tracks("h264")
    codec = replace(h264.codec, config=h264.codec.config[:12] + bytes(8) + h264.codec.config[20:])
    at = h264.data.index(h264.sample_entry)
    with pytest.raises(MediaError, match=rf"stsd/avc1 @ {at}: an Exp-Golomb code of more than 32 zeros"):
        made([replace(h264, codec=codec)], short())


@pytest.mark.oracle
def test_a_track_is_mapped_as_one_whatever_its_lead_and_periods(studio: Studio) -> None:
    """A header may refer to any frame before it, in a clear lead and in another Period too."""
    (av1,) = studio.tracks("av1")
    presentation = made([av1], short(form=SegmentForm.BASE, clear_lead=Fraction(1), period_at=(Fraction(2),)))
    files = [data for name, data in presentation.files.items() if name.endswith(".mp4")]
    assert len(files) == 2
    assert b"".join(play(each, {KID: KEY}).samples for each in files) == bytes(av1.join(0, len(av1.samples)))
