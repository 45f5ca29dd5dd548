"""The sinks `annexb` and `fmp4` against ffmpeg: what they write plays, and is what was played."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from player.cenc.decrypt import Decryptor
from player.engine.actions import Deliver
from player.errors import UsageError
from player.isobmff.init import parse_init
from player.isobmff.model import InitSegment
from player.isobmff.segment import parse_media
from player.runtime.file_sink import FileSink, sink_named
from player.runtime.sinks import Sink
from tests.cenc.content import KEYS, Studio, open_studio

pytestmark = pytest.mark.oracle

CLEAR_LEAD = ("--clear_lead", "4")
ENCODERS = {
    "h264": ("-c:v", "libx264", "-bf", "2", "-g", "25", "-sc_threshold", "0", "-x264-params", "aud=1"),
    "h265": ("-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=error:keyint=25"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "25"),
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module", params=["h264", "h265"])
def pictures(request: pytest.FixtureRequest, studio: Studio) -> tuple[str, Path]:
    """Two seconds with B pictures, in fragments; the suffix that `annexb` gives them."""
    codec: str = request.param
    return codec, encoded(studio, codec)


def encoded(studio: Studio, codec: str) -> Path:
    path = studio.folder / f"{codec}.mp4"
    flags = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
    source = ("-f", "lavfi", "-i", "testsrc2=size=128x72:rate=25:duration=2")
    studio.run_ffmpeg(*source, "-pix_fmt", "yuv420p", *ENCODERS[codec], *flags, str(path))
    return path


def deliver(
    sink: Sink, data: bytes, *, track: int = 0, cut: int | None = None, init: InitSegment | None = None
) -> None:
    """All that a file holds, decrypted, as the player would hand it over; `cut`: each fragment in two deliveries."""
    init = init or parse_init(data)
    for fragment in parse_media(data).fragments:
        buffer = bytearray(data[slice(*fragment.data)])
        assert Decryptor().decrypt(buffer, fragment.samples, KEYS.get).stopped_by is None
        middle = cut or 0
        for start, stop in ((0, middle), (middle, len(fragment.samples))):
            if stop > start:
                action = Deliver(0, track, buffer, init, fragment, start, stop)
                sink.write(0, track, buffer, fragment.samples[start:stop], action)


def decoded(studio: Studio, path: Path) -> bytes:
    """Every picture or sound of a file that ffmpeg decodes without a message."""
    told = subprocess.run(
        [studio.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-i", str(path), "-f", "md5", "-"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert told.stderr == b""
    return told.stdout


def times(studio: Studio, path: Path) -> list[str]:
    """Decode time, presentation time, duration, size and digest of every packet."""
    lines = studio.run_ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-copyts", "-f", "framemd5", "-")
    return [line for line in lines.decode().splitlines() if not line.startswith("#")]


def test_fmp4_keeps_times_of_pictures_out_of_order(studio: Studio, pictures: tuple[str, Path], tmp_path: Path) -> None:
    _, source = pictures
    sink = sink_named("fmp4", tmp_path)
    deliver(sink, source.read_bytes(), cut=7)
    sink.close()
    assert times(studio, tmp_path / "0-0.mp4") == times(studio, source)
    assert decoded(studio, tmp_path / "0-0.mp4") == decoded(studio, source)


def test_annexb_can_be_decoded_from_its_first_byte(studio: Studio, pictures: tuple[str, Path], tmp_path: Path) -> None:
    codec, source = pictures
    sink = sink_named("annexb", tmp_path)
    deliver(sink, source.read_bytes(), cut=7)
    sink.close()
    assert decoded(studio, tmp_path / f"0-0.{codec}") == decoded(studio, source)


@pytest.mark.rule("decisions:D59")
@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_a_clear_lead_goes_on_in_one_clear_file(studio: Studio, tmp_path: Path, scheme: str) -> None:
    encrypted = studio.encrypt(*CLEAR_LEAD, scheme=scheme)
    sink = sink_named("fmp4", tmp_path)
    for track, kind in enumerate(("video", "audio")):
        deliver(sink, encrypted.track(kind), track=track)
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-0.mp4", "0-1.mp4"]
    for track, kind in enumerate(("video", "audio")):
        path = tmp_path / f"0-{track}.mp4"
        assert studio.run_ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-") == studio.clear(kind)
        assert {len(t.entries) for t in parse_init(path.read_bytes()).tracks} == {1}
        decoded(studio, path)


def test_aac_becomes_adts(studio: Studio, tmp_path: Path) -> None:
    sink = sink_named("annexb", tmp_path)
    deliver(sink, studio.encrypt(scheme="cbcs").audio)
    sink.close()
    path, boxed = tmp_path / "0-0.aac", tmp_path / "boxed.mp4"
    studio.run_ffmpeg("-i", str(path), "-c", "copy", str(boxed))  # takes the headers off
    assert studio.run_ffmpeg("-i", str(boxed), "-map", "0", "-c", "copy", "-f", "data", "-") == studio.clear("audio")
    decoded(studio, path)


def test_another_init_segment_begins_another_mp4_and_no_other_stream(studio: Studio, tmp_path: Path) -> None:
    first, second = studio.encrypt().video, encoded(studio, "h264").read_bytes()
    for name in ("fmp4", "annexb"):
        sink = sink_named(name, tmp_path)
        for data in (first, second, first):
            deliver(sink, data)
        sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-0-1.mp4", "0-0.h264", "0-0.mp4"]


def test_of_an_init_segment_with_two_tracks_one_is_left(studio: Studio, tmp_path: Path) -> None:
    both = tmp_path / "both.mp4"
    inputs = [part for kind in ("video", "audio") for part in ("-i", str(studio.source(kind)))]
    flags = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
    studio.run_ffmpeg(*inputs, "-map", "0", "-map", "1", "-c", "copy", *flags, str(both))
    data = both.read_bytes()
    init = parse_init(data)
    sink = sink_named("fmp4", tmp_path)
    for fragment in parse_media(data).fragments:
        if fragment.track_id == init.tracks[1].id:
            buffer = bytearray(data[slice(*fragment.data)])
            sink.write(0, 1, buffer, fragment.samples, Deliver(0, 1, buffer, init, fragment, 0, len(fragment.samples)))
    sink.close()
    path = tmp_path / "0-1.mp4"
    assert studio.run_ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-") == studio.clear("audio")


def test_annexb_says_what_it_does_not_know(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HEVC and AAC, not vp09"):
        deliver(sink_named("annexb", tmp_path), encoded(studio, "vp9").read_bytes())


def test_samples_without_what_explains_them_are_refused(tmp_path: Path) -> None:
    sink = sink_named("fmp4", tmp_path)
    assert isinstance(sink, FileSink)
    with pytest.raises(ValueError, match="without their init segment"):
        sink.write(0, 0, bytearray(), ())
