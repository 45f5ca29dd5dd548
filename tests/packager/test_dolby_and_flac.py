"""AC-3, Enhanced AC-3 and FLAC, packaged from what ffmpeg makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import pytest
from mpegdash.parser import MPEGDASHParser

from player.backend.packager.settings import SegmentForm, Settings
from player.backend.packager.sound import Sound, read_sound
from player.backend.packager.source import read_tracks
from player.errors import MediaError
from player.isobmff.init import parse_init
from player.isobmff.sample import Scheme
from player.isobmff.segment import parse_media
from tests.cenc.content import play
from tests.packager.studio import KEY, KID, TONE, Studio, made

SOUNDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ac-3": (*TONE, "-c:a", "ac3", "-ac", "6"),
    "ec-3": (*TONE, "-c:a", "eac3", "-ac", "2", "-ar", "44100"),
    "flac": (*TONE, "-c:a", "flac", "-ac", "3", "-ar", "96000", "-sample_fmt", "s32"),
}
DOLBY: Final = "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
MPEG: Final = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
TOLD: Final = {"ac-3": (48_000, DOLBY, "F801"), "ec-3": (44_100, DOLBY, "A000"), "flac": (96_000, MPEG, "3")}


def source(studio: Studio, codec: str) -> bytes:
    path = studio.folder / f"{codec}.mp4"
    if not path.exists():
        studio.ffmpeg(*SOUNDS[codec], str(path))
    return path.read_bytes()


@pytest.mark.oracle
@pytest.mark.rule("media:M4")
@pytest.mark.parametrize("codec", SOUNDS)
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_they_are_packaged_and_decrypted_to_their_source(scheme: Scheme, codec: str, studio: Studio) -> None:
    data = source(studio, codec)
    settings = Settings(scheme=scheme, segment=Fraction(1), form=SegmentForm.BASE)
    presentation = made(read_tracks(data), settings)
    (rendition,) = presentation.packaged.renditions
    file = presentation.files["audio-1.mp4"]
    assert all(not sample.ranges for each in parse_media(file).fragments for sample in each.samples)  # whole samples
    clear = play(file, {KID: KEY}).samples
    assert studio.sha256(studio.folder / f"{codec}.mp4") == rendition.sha256 == studio.by_ffmpeg(file)
    assert studio.by_packager(file) == rendition.sha256
    assert len(clear) == sum(sample.size for sample in rendition.track.samples)
    assert clear[:200] not in file


@pytest.mark.oracle
@pytest.mark.parametrize("codec", SOUNDS)
def test_the_mpd_tells_codec_rate_and_channels(codec: str, studio: Studio) -> None:
    presentation = made(read_tracks(source(studio, codec)), Settings(segment=Fraction(1)))
    (adaptation,) = MPEGDASHParser.parse(presentation.mpd.decode()).periods[0].adaptation_sets
    (representation,) = adaptation.representations
    (channels,) = representation.audio_channel_configurations
    told = (int(representation.audio_sampling_rate), channels.scheme_id_uri, channels.value)
    assert (representation.codecs, told) == (codec, TOLD[codec])
    assert parse_init(presentation.files["audio-1/init.mp4"]).tracks[0].entries[0].fourcc.lower() == codec


@pytest.mark.parametrize(
    ("mode", "low", "channels", "mask"),
    [(0, 0, 2, 0xA000), (1, 0, 1, 0x4000), (2, 1, 3, 0xA001), (5, 0, 4, 0xE100), (6, 0, 4, 0xB800), (7, 1, 6, 0xF801)],
)
def test_channels_of_dolby_are_those_of_its_coding_mode(mode: int, low: int, channels: int, mask: int) -> None:
    wanted = Sound(channels=channels, sampling_rate=32_000, channel_mask=mask)
    ac3 = (2 << 22 | 8 << 17 | mode << 11 | low << 10).to_bytes(3, "big")
    eac3 = b"\x12\x00" + (2 << 22 | 16 << 17 | mode << 9 | low << 8).to_bytes(3, "big")
    assert read_sound(b"ac-3", bytes(28), ac3) == read_sound(b"ec-3", bytes(28), eac3) == wanted


@pytest.mark.oracle
@pytest.mark.parametrize(("codec", "box"), [("ac-3", b"dac3"), ("ec-3", b"dec3")])
def test_a_rate_there_is_not_is_refused(codec: str, box: bytes, studio: Studio) -> None:
    data = bytearray(source(studio, codec))
    at = data.index(box)
    data[at + 4 : at + 7] = b"\xff" * 3  # fscod and, in `dec3`, data_rate before it
    with pytest.raises(MediaError, match=rf"{box.decode()} @ {at - 4}: . bytes are too few, or say what cannot be"):
        read_tracks(bytes(data))
