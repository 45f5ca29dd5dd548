"""Video of every kind of header, as ffmpeg's encoders make it, and what Packager and ffmpeg say of its headers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from player.backend.packager.source import SourceTrack, read_tracks
from player.cenc.subsamples import Mapper, Ranges, mapper
from player.isobmff.segment import parse_media
from tests.cenc.content import KEY, KID, Studio

FADE: Final = ",fade=in:0:12"  # what weighted prediction is for


def picture(size: str = "320x180", frames: int = 12, more: str = "") -> tuple[str, ...]:
    noise = "noise=alls=20:allf=t"
    return "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25,{noise}{more}", "-frames:v", str(frames)


def h264(options: str, *rest: str, pixels: str = "yuv420p", more: str = "") -> tuple[str, ...]:
    return *picture(more=more), "-c:v", "libx264", "-pix_fmt", pixels, "-x264-params", options, *rest


def hevc(
    options: str, *rest: str, pixels: str = "yuv420p", more: str = "", tag: str = "hvc1", frames: int = 12
) -> tuple[str, ...]:
    fixed = ("-c:v", "libx265", "-pix_fmt", pixels, "-tag:v", tag, "-x265-params", f"{options}:log-level=none")
    return *picture(frames=frames, more=more), *fixed, *rest


def vp9(*rest: str, pixels: str = "yuv420p", size: str = "320x180") -> tuple[str, ...]:
    speed = ("-deadline", "good", "-cpu-used", "5", "-g", "8", "-b:v", "200k")
    return *picture(size), "-c:v", "libvpx-vp9", "-pix_fmt", pixels, *speed, *rest


def av1(options: str, pixels: str = "yuv420p", size: str = "320x180", frames: int = 12) -> tuple[str, ...]:
    fixed = ("-c:v", "libsvtav1", "-preset", "9", "-g", "10", "-pix_fmt", pixels)
    return *picture(size, frames), *fixed, "-svtav1-params", options


CONTENT: Final[Mapping[str, tuple[str, ...]]] = {
    "h264, CAVLC, slices": h264("keyint=8:cabac=0:slices=4:bframes=3"),
    "h264, weights, many references": h264("keyint=12:ref=16:bframes=5:weightb=1:weightp=2:slices=3", more=FADE),
    "h264, 10 bit, small slices": h264("keyint=8:slice-max-size=1500", pixels="yuv420p10le"),
    "h264, interlaced": h264("keyint=8:interlaced=1:slices=2:weightp=0"),
    "h264, sets in band": h264("keyint=4:bframes=2", "-tag:v", "avc3", "-bsf:v", "dump_extra"),
    "hevc, slices, weights": hevc("keyint=8:slices=3:wpp=1:bframes=4:weightp=1:weightb=1:ref=5", more=FADE),
    "hevc, no deblocking": hevc("keyint=10:no-deblock=1:no-sao=1:wpp=0", frames=20),
    "hevc, 10 bit, sets in band": hevc("keyint=4:repeat-headers=1:ctu=16", pixels="yuv420p10le", tag="hev1"),
    "vp9, hidden frames": vp9("-auto-alt-ref", "1", "-lag-in-frames", "10"),
    "vp9, tiles": vp9("-tile-columns", "2", "-tile-rows", "1", "-aq-mode", "3", size="1100x120"),
    "av1": av1("lp=2", frames=25),
    "av1, tiles": av1("tile-columns=2:tile-rows=1", size="1100x300", frames=6),
    "av1, 10 bit, film grain": av1("film-grain=20:film-grain-denoise=0", pixels="yuv420p10le"),
}
MORE_CONTENT: Final[Mapping[str, tuple[str, ...]]] = {
    "h264": h264("keyint=8"),
    "h264, baseline": h264("keyint=8:slices=3", "-profile:v", "baseline"),
    "h264, 4:4:4, scaling lists": h264("keyint=8:cqm=jvt:ref=4", pixels="yuv444p"),
    "h264, frames told as fields": h264("keyint=8:fake-interlaced=1:bframes=2"),
    "h264, intra refresh": h264("keyint=8:intra-refresh=1:no-deblock=1"),
    "hevc": hevc("keyint=8"),
    "hevc, 4:4:4, scaling lists": hevc("keyint=8:scaling-list=default", pixels="yuv444p"),
    "hevc, temporal layers, HRD": hevc(
        "keyint=8:temporal-layers=1:hrd=1:vbv-maxrate=500:vbv-bufsize=500", "-b:v", "400k"
    ),
    "hevc, chroma offsets": hevc("keyint=8:tskip=1:cbqpoffs=3:opt-qp-pps=1:opt-ref-list-length-pps=1:amp=1:rect=1"),
    "hevc, open groups": hevc("keyint=6:open-gop=1:bframes=3:b-adapt=0"),
    "hevc, lossless": hevc("keyint=8:lossless=1"),
    "vp9, 4:4:4, error resilient": vp9("-error-resilient", "1", pixels="yuv444p"),
    "vp9, RGB, lossless": vp9("-lossless", "1", pixels="gbrp"),
    "av1, screen content": av1("scm=1:aq-mode=1:enable-overlays=1", frames=25),
    "av1, super-resolution": av1("superres-mode=1:superres-denom=12"),
    "av1, resized": av1("resize-mode=1:resize-denom=10"),
    "av1, low delay": av1("pred-struct=1:rc=2:tbr=100"),
    "av1, switch frames": av1("sframe-dist=4:sframe-mode=1:rc=2:pred-struct=1:tbr=100", frames=25),
    "av1, lossless": av1("lossless=1"),
}
_FIELD: Final = re.compile(r"\] (\d+) +\S.* ([01]+) = ")


@dataclass(slots=True)
class Bitstreams:
    """Each made once."""

    studio: Studio
    _tracks: dict[str, SourceTrack] = field(default_factory=dict)

    def source(self, content: str) -> Path:
        path = self.studio.folder / f"{re.sub(r'[^a-z0-9]+', '-', content.lower())}.mp4"
        if not path.exists():
            options = {**CONTENT, **MORE_CONTENT}[content]
            command = [self.studio.ffmpeg, "-hide_banner", "-loglevel", "quiet", "-nostdin", *options, str(path)]
            subprocess.run(command, check=True, capture_output=True, timeout=60, env={"SVT_LOG": "0"})
        return path

    def track(self, content: str) -> SourceTrack:
        if content not in self._tracks:
            (self._tracks[content],) = read_tracks(self.source(content).read_bytes())
        return self._tracks[content]

    def samples(self, content: str) -> Iterable[bytes]:
        track = self.track(content)
        return (track.data[each.start : each.start + each.size] for each in track.samples)

    def mapper(self, content: str) -> Mapper:
        codec = self.track(content).codec
        return mapper(codec.fourcc, codec.config)

    def by_packager(self, content: str, scheme: str) -> Sequence[Ranges]:
        """The map of each sample that Packager writes into `senc`."""
        output = self.studio.folder / "mapped.mp4"
        command = [self.studio.packager, f"in={self.source(content)},stream=video,output={output}", "--quiet"]
        command += ["--enable_raw_key_encryption", "--keys", f"label=:key_id={KID.hex()}:key={KEY.hex()}"]
        command += ["--protection_scheme", scheme, "--clear_lead", "0"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return [sample.ranges for each in parse_media(output.read_bytes()).fragments for sample in each.samples]

    def headers_by_ffmpeg(self, content: str) -> Sequence[Sequence[int]]:
        """Of each sample the bytes of each slice header, NAL unit header included, as ffmpeg reads its fields.

        Bytes of emulation prevention are not counted."""
        command = [self.studio.ffmpeg, "-hide_banner", "-nostdin", "-i", str(self.source(content)), "-c", "copy"]
        command += ["-bsf:v", "trace_headers", "-f", "null", "-"]
        told = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True).stderr
        samples: list[list[int]] = []
        in_slice = False
        for line in told.splitlines():
            if "] Packet:" in line:
                samples.append([])
            elif found := _FIELD.search(line):
                if in_slice:
                    samples[-1][-1] = (int(found[1]) + len(found[2]) + 7) // 8
            else:
                in_slice = line.endswith(("] Slice Header", "] Slice Segment Header"))
                samples[-1:] = [[*samples[-1], 0]] if in_slice else samples[-1:]
        return samples
