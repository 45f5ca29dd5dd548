"""Live recipes: what ffmpeg and Shaka Packager write in real time from a few seconds of source, pushed to an origin."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.presentations.encoders import KEY, KID, Encoders
from tests.presentations.recipes import ONE_KEY, ROTATED, Keys

_FRAGMENTS: Final = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-flush_packets", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`early`: segments are asked for before they are whole. `ends`: the MPD tells in time that it has ended."""

    tool: str
    options: tuple[str, ...] = ()
    template: str = "$Number$"
    keys: Keys | None = None
    early: bool = False
    ends: bool = False


def _muxed(*options: str, early: bool = False, ends: bool = False) -> Live:
    return Live(tool="ffmpeg", options=options, early=early, ends=ends)


def _packaged(*options: str, template: str = "$Number$", keys: Keys | None = None) -> Live:
    return Live(tool="packager", options=options, template=template, keys=keys)


_RAW: Final = ("--enable_raw_key_encryption", "--keys", f"label=:key_id={KID}:key={KEY}", "--clear_lead", "0")

LIVE: Final[Mapping[str, Live]] = {
    "ffmpeg-numbers": _muxed("-use_timeline", "0"),
    "ffmpeg-numbers-in-a-window": _muxed("-use_timeline", "0", "-window_size", "5", "-extra_window_size", "3"),
    "ffmpeg-timeline": _muxed("-window_size", "20", "-update_period", "1", ends=True),
    "ffmpeg-timeline-by-time": _muxed(
        "-media_seg_name", "$RepresentationID$-$Time$.m4s", "-window_size", "6", ends=True
    ),
    "ffmpeg-timeline-growing": _muxed("-frag_type", "duration", "-frag_duration", "0.2", ends=True),
    "ffmpeg-list": _muxed("-use_template", "0", "-use_timeline", "0", "-window_size", "20", ends=True),
    "ffmpeg-low-latency": _muxed(
        *("-ldash", "1", "-streaming", "1", "-use_timeline", "0", "-target_latency", "2", "-write_prft", "1"),
        *("-frag_type", "duration", "-frag_duration", "0.2"),
        early=True,
    ),
    "packager-timeline": _packaged(),
    "packager-timeline-by-time": _packaged("--time_shift_buffer_depth", "20", template="$Time$"),
    "packager-cenc": _packaged(*_RAW, "--protection_scheme", "cenc", keys=ONE_KEY),
    "packager-rotating-cbcs": _packaged(
        *_RAW, "--protection_scheme", "cbcs", "--crypto_period_duration", "2", keys=ROTATED
    ),
}
"""In segments of one second. Every one is told where the time can be had."""


@dataclass(slots=True)
class Studio:
    """Runs the tools of one recipe."""

    encoders: Encoders
    folder: Path
    url: str

    async def send(self, name: str) -> None:
        """To its end, in real time. Raises: AssertionError where a tool fails."""
        recipe = LIVE[name]
        if recipe.tool == "ffmpeg":
            await self._mux(name, recipe)
        else:
            await self._package(name, recipe)

    async def _mux(self, name: str, recipe: Live) -> None:
        sets = ("-adaptation_sets", "id=0,streams=v id=1,streams=a")
        fixed = ("-f", "dash", "-seg_duration", "1", *sets, "-utc_timing_url", f"{self.url}/time", "-method", "PUT")
        await self._run(*self._paced(), *fixed, *recipe.options, f"{self.url}/{name}/x.mpd")

    async def _package(self, name: str, recipe: Live) -> None:
        pipe = self.folder / f"{name}.pipe"
        os.mkfifo(pipe)
        base = f"{self.url}/{name}"
        streams = [
            f"in={pipe},stream={kind},init_segment={base}/{kind}/init.mp4,"
            f"segment_template={base}/{kind}/{recipe.template}.m4s"
            for kind in ("video", "audio")
        ]
        fixed = ("--segment_duration", "1", "--minimum_update_period", "1", "--suggested_presentation_delay", "3")
        block = ("--io_block_size", "1024")  # else it waits for 64 KiB of media at a time
        timing = ("--utc_timings", f"urn:mpeg:dash:utc:http-xsdate:2014={self.url}/time")
        command = (*self.encoders.packager_command(), *streams, *fixed, *block, *timing, *recipe.options)
        feed = self._run(*self._paced(), "-f", "mp4", *_FRAGMENTS, str(pipe))
        await asyncio.gather(self._run(*command, "--mpd_output", f"{base}/x.mpd"), feed)

    def _paced(self) -> list[str]:
        """ffmpeg's command line up to the output: two tracks as they are, as slowly as they play."""
        paced = ("-re", "-readrate_initial_burst", "1.2")  # so much ahead that a busy machine is not late
        inputs = [word for name in ("low", "en") for word in (*paced, "-i", str(self.encoders.source(name)))]
        return [*self.encoders.ffmpeg_command(), *inputs, "-map", "0", "-map", "1", "-c", "copy"]

    async def _run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        try:
            _, said = await asyncio.wait_for(process.communicate(), 40)
        except BaseException:
            process.kill()
            raise
        assert process.returncode == 0, said.decode()
