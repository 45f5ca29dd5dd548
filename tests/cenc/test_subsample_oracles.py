"""Where headers end, by two tools that read them on their own: Shaka Packager encrypts, ffmpeg traces fields.

Packager's maps equal ours but for the bytes that do not fill a block. Packager 3.5 to 3.8 leave them clear behind
the protected range; we, and Packager before, leave them in front. So rule the bindings of AV1 (in `cenc` a range
ends on the last byte of `decode_tile`) and of VP9 (alignment by the clear bytes that precede); ISO/IEC 23001-7 leaves
it open for NAL units, where one subsample a NAL unit is what devices expect.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import pytest

from player.cenc.nal_units import Payload, nal_units
from player.cenc.subsamples import Ranges
from player.ids import ContentKey
from player.isobmff.sample import Scheme
from tests.cenc.bitstreams import CONTENT, MORE_CONTENT, Bitstreams
from tests.cenc.content import KEY
from tests.cenc.test_codec_matrix import protection_for
from tests.cenc.wrap import protect_file

pytestmark = pytest.mark.oracle
LONG = [pytest.param(content, marks=pytest.mark.long) for content in MORE_CONTENT]  # 20 s in all
EVERY = [*CONTENT, *LONG]
NAL_CONTENT = [each for each in CONTENT if each.startswith("h")] + [
    each for each, content in zip(LONG, MORE_CONTENT, strict=True) if content.startswith("h")
]
PACKAGER_DIFFERS = {
    # slice_deblocking_filter_disabled_flag is inferred from the picture parameter set (H.265, 7.4.7.1). Packager takes
    # it for 0, and reads a slice_loop_filter_across_slices_enabled_flag that is not there. ffmpeg reads as we do.
    "hevc, no deblocking",
}


@pytest.mark.rule("media:M1")
@pytest.mark.parametrize("content", EVERY)
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_we_protect_what_packager_protects(scheme: Scheme, content: str, bitstreams: Bitstreams) -> None:
    track, payloads_of = bitstreams.mapper(content), bitstreams.mapper(content).payloads
    assert payloads_of is not None
    ours, behind = [], []
    for sample in bitstreams.samples(content):
        ours.append(track.ranges(sample, scheme))
        whole_blocks = track.whole_blocks or scheme is Scheme.CENC
        behind.append(padded_behind(len(sample), payloads_of(sample)) if whole_blocks else ours[-1])
    theirs = bitstreams.by_packager(content, scheme)
    assert (theirs in (ours, behind)) is (content not in PACKAGER_DIFFERS)


def padded_behind(size: int, payloads: Iterable[Payload]) -> Ranges:
    """Whole blocks from the start of each payload on."""
    ranges: list[tuple[int, int]] = []
    position = 0
    for start, end in payloads:
        if blocks := (end - start) // 16 * 16:
            ranges.append((start - position, blocks))
            position = start + blocks
    return (*ranges, (size - position, 0)) if position < size else tuple(ranges)


@pytest.mark.rule("media:M1")
@pytest.mark.parametrize("content", NAL_CONTENT)
def test_slice_headers_end_where_ffmpeg_reads_their_last_field(content: str, bitstreams: Bitstreams) -> None:
    payloads_of = bitstreams.mapper(content).payloads
    assert payloads_of is not None
    ours = []
    for sample in bitstreams.samples(content):
        starts = {end: start for start, end in nal_units(sample, 4)}
        headers = [sample[starts[end] : start] for start, end in payloads_of(sample)]
        ours.append([len(header.replace(b"\0\0\3", b"\0\0")) for header in headers])
    assert ours == bitstreams.headers_by_ffmpeg(content)
    assert sum(map(len, ours)) >= len(ours) > 5


@pytest.mark.rule("media:M4")
@pytest.mark.parametrize("content", EVERY)
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_ffmpeg_decrypts_and_decodes_to_the_same_pictures(scheme: Scheme, content: str, bitstreams: Bitstreams) -> None:
    folder = bitstreams.studio.folder
    clear, protected = folder / "fragmented.mp4", folder / "protected-by-us.mp4"
    flags = ("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "1000000")
    bitstreams.studio.run_ffmpeg("-i", str(bitstreams.source(content)), "-c", "copy", *flags, str(clear))
    protected.write_bytes(protect_file(clear.read_bytes(), protection_for(scheme, "h264"), ContentKey(KEY)))
    decode = ("-c", "copy") if content.startswith("av1") else ()  # ffmpeg has no decoder of its own
    command = [bitstreams.studio.ffmpeg, "-loglevel", "error", "-xerror"]
    pictures = [
        subprocess.run(
            [*command, *options, "-i", str(path), *decode, "-f", "framemd5", "-"],
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout.splitlines()
        for options, path in ((("-decryption_key", KEY.hex()), protected), ((), clear))
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) > 10
