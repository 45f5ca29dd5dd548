"""What `package` makes of ffmpeg's files, ffmpeg and Shaka Packager decrypt to the samples of those files."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from hashlib import sha256

import pytest

from player.backend.packager.settings import SegmentForm, Settings
from player.backend.spec import Rotation
from player.isobmff.sample import Scheme
from tests.packager.studio import CODECS, Studio, made
from tests.packager.test_oracles import seig_entry, with_tenc

pytestmark = pytest.mark.oracle
one_file = partial(Settings, segment=Fraction(1), form=SegmentForm.BASE)


@pytest.mark.rule("media:M4")
@pytest.mark.parametrize("scheme", Scheme)
def test_every_codec_is_decrypted_to_its_source(scheme: Scheme, studio: Studio) -> None:
    """ffmpeg decrypts the clear tail of cens audio too, so it is not asked there."""
    tracks = studio.tracks(*CODECS)
    presentation = made(
        tracks,
        one_file(
            scheme=scheme,
        ),
    )
    for codec, each in zip(CODECS, presentation.packaged.renditions, strict=True):
        data = presentation.files[f"{each.id}.mp4"]
        wanted = studio.sha256(studio.source(codec))
        assert (codec, each.sha256) == (codec, wanted)
        assert (codec, studio.by_packager(data)) == (codec, wanted)
        if not (scheme is Scheme.CENS and each.track.kind == "audio"):
            assert (codec, studio.by_ffmpeg(data)) == (codec, wanted)


@pytest.mark.parametrize(
    ("scheme", "pattern"),
    [
        (Scheme.CENS, (5, 5)),
        (Scheme.CENS, (10, 0)),
        (Scheme.CBCS, (5, 5)),
        (Scheme.CBCS, (10, 0)),
        (Scheme.CBCS, (0, 0)),
    ],
)
def test_every_pattern_is_decrypted_by_packager(scheme: Scheme, pattern: tuple[int, int], studio: Studio) -> None:
    presentation = made(
        studio.tracks("h264"),
        one_file(
            scheme=scheme,
            pattern=pattern,
        ),
    )
    assert studio.by_packager(presentation.files["video-1.mp4"]) == presentation.sha256("video-1")


@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CENS])
def test_ivs_of_16_bytes_are_understood(scheme: Scheme, studio: Studio) -> None:
    presentation = made(
        studio.tracks("h264"),
        one_file(
            scheme=scheme,
            iv_size=16,
        ),
    )
    data = presentation.files["video-1.mp4"]
    assert [studio.by_ffmpeg(data), studio.by_packager(data)] == [presentation.sha256("video-1")] * 2


@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_a_clear_lead_is_understood(scheme: Scheme, studio: Studio) -> None:
    presentation = made(studio.tracks("h264", "aac"), one_file(scheme=scheme, clear_lead=Fraction(2)))
    for track in ("video-1", "audio-1"):
        data = presentation.files[f"{track}.mp4"]
        assert [studio.by_ffmpeg(data), studio.by_packager(data)] == [presentation.sha256(track)] * 2


@pytest.mark.rule("media:M3")
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_rotating_keys_are_decrypted_segment_by_segment(scheme: Scheme, studio: Studio) -> None:
    """No tool applies sample groups: each segment gets an init segment whose `tenc` says what its `seig` says."""
    settings = Settings(
        scheme=scheme, segment=Fraction(1), rotation=Rotation.IN_BAND, crypto_period=Fraction(2), form=SegmentForm.TIME
    )
    presentation = made(studio.tracks("aac"), settings, {"all": ()}, seed=7)
    (rendition,) = presentation.packaged.renditions
    segments = [data for name, data in presentation.files.items() if name.endswith(".m4s")]
    assert len(segments) == 4
    for number, segment in enumerate(segments):
        pair = presentation.keys.key("all", number // 2)
        one = with_tenc(presentation.files["audio-1/init.mp4"], seig_entry(segment)) + segment
        wanted = sha256(rendition.track.join(*rendition.pieces[number])).hexdigest()
        assert [studio.by_ffmpeg(one, pair), studio.by_packager(one, pair)] == [wanted] * 2


def test_b_frames_keep_their_composition_times(studio: Studio) -> None:
    presentation = made(studio.tracks("h264"), one_file())
    key = presentation.keys.key("all").key.reveal().hex()
    path = studio.folder / "times.mp4"
    path.write_bytes(presentation.files["video-1.mp4"])
    ours = studio.ffmpeg("-decryption_key", key, "-i", str(path), "-map", "0", "-c", "copy", "-f", "framehash", "-")
    theirs = studio.ffmpeg("-i", str(studio.source("h264")), "-map", "0", "-c", "copy", "-f", "framehash", "-")
    assert ours.splitlines()[-100:] == theirs.splitlines()[-100:]


def test_what_comes_out_decodes_without_a_message(studio: Studio) -> None:
    presentation = made(
        studio.tracks("h264"),
        one_file(
            scheme=Scheme.CBCS,
        ),
    )
    path = studio.folder / "decodes.mp4"
    path.write_bytes(presentation.files["video-1.mp4"])
    key = presentation.keys.key("all").key.reveal().hex()
    command = ("-xerror", "-decryption_key", key, "-i", str(path), "-f", "null", "-")
    assert studio.ffmpeg(*command) == b""
