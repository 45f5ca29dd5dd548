"""Our decryptor gives the bytes of the clear source, and our encryptor the bytes of the packaged file."""

from __future__ import annotations

import pytest

from player.cenc.encrypt import Encryptor
from player.ids import KeyId
from player.isobmff.boxes import top_level
from player.isobmff.init import parse_init
from player.isobmff.segment import parse_media
from tests.cenc.content import KEYS, KID, OTHER_KID, PATTERN, ROTATING, TWO_KEYS, Studio, play

pytestmark = pytest.mark.oracle

FORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cenc": ("cenc", ()),
    "cens": ("cens", PATTERN),
    "cbc1": ("cbc1", ()),
    "cbcs": ("cbcs", ()),
    "cens 5:5": ("cens", ("--crypt_byte_block", "5", "--skip_byte_block", "5")),
    "cbcs 5:5": ("cbcs", ("--crypt_byte_block", "5", "--skip_byte_block", "5")),
    "cbcs 10:0": ("cbcs", ("--crypt_byte_block", "10", "--skip_byte_block", "0")),
    "cenc, 16-byte IV": ("cenc", ("--iv", "00112233445566778899aabbccddeeff")),
    "cenc, counter wraps": ("cenc", ("--iv", "fffffffffffffffffffffffffffffff0")),
    "cens, counter wraps": ("cens", (*PATTERN, "--iv", "fffffffffffffffffffffffffffffff0")),
    "cenc, rotating": ("cenc", ROTATING),
    "cbcs, rotating": ("cbcs", ROTATING),
    "cens, rotating": ("cens", (*PATTERN, *ROTATING)),
    "cbc1, rotating": ("cbc1", ROTATING),
    "cenc, rotating without pssh": ("cenc", (*ROTATING, "--nomp4_include_pssh_in_stream")),
    "cenc, clear lead": ("cenc", ("--clear_lead", "4")),
    "cbcs, clear lead": ("cbcs", ("--clear_lead", "4")),
    "cenc, clear lead and rotating": ("cenc", ("--clear_lead", "6", *ROTATING)),
    "cenc, several moof a segment": ("cenc", ("--fragment_duration", "0.5", "--nofragment_sap_aligned")),
    "cbcs, several moof a segment": ("cbcs", (*ROTATING, "--fragment_duration", "0.5", "--nofragment_sap_aligned")),
}


@pytest.mark.rule("R018")
@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("form", FORMS)
def test_decrypted_samples_are_those_of_the_source(studio: Studio, form: str, kind: str) -> None:
    scheme, options = FORMS[form]
    played = play(studio.encrypt(*options, scheme=scheme).track(kind))
    assert played.code is None
    assert not played.segment.warnings
    assert played.samples == studio.clear(kind)


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("form", FORMS)
def test_encrypting_again_gives_the_packaged_bytes(studio: Studio, form: str, kind: str) -> None:
    scheme, options = FORMS[form]
    data = studio.encrypt(*options, scheme=scheme).track(kind)
    segment = parse_media(data)
    clear = bytearray(play(data).samples)
    position = 0
    for fragment in segment.fragments:
        end = position + fragment.data[1] - fragment.data[0]
        buffer = clear[position:end]
        for kid in fragment.kids:
            Encryptor().encrypt(buffer, fragment.samples, KEYS[kid])
        assert buffer == data[slice(*fragment.data)]
        position = end


def test_each_track_is_decrypted_with_its_own_key(studio: Studio) -> None:
    made = studio.encrypt(keys=TWO_KEYS)
    assert [parse_init(made.track(kind)).default_kids for kind in ("video", "audio")] == [(OTHER_KID,), (KID,)]
    assert all(play(made.track(kind)).samples == studio.clear(kind) for kind in ("video", "audio"))


def test_a_track_whose_key_is_missing_yields_nothing(studio: Studio) -> None:
    made = studio.encrypt(keys=TWO_KEYS)
    other = {key: value for key, value in KEYS.items() if key != OTHER_KID}
    played = play(made.video, other)
    assert (played.code, played.stopped_by, played.samples) == ("no-key", OTHER_KID, b"")


@pytest.mark.rule("decisions:D13")
@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_a_key_missing_from_the_second_period_stops_there(studio: Studio, scheme: str) -> None:
    data = studio.encrypt(*ROTATING, scheme=scheme).video
    played = play(data, {KeyId(KID): KEYS[KeyId(KID)]})
    assert played.stopped_by == KID[1:] + KID[:1]
    assert 0 < len(played.samples) < len(studio.clear("video"))
    assert studio.clear("video").startswith(played.samples)


@pytest.mark.rule("P002")
@pytest.mark.rule("P007")
def test_rotating_content_has_init_data_in_each_moof_and_names_no_default_key(studio: Studio) -> None:
    data = studio.encrypt(*ROTATING).video
    assert parse_init(data).default_kids == ()
    fragments = parse_media(data).fragments
    assert [fragment.kids for fragment in fragments] == [(KID[p:] + KID[:p],) for p in (0, 0, 1, 1, 2, 2)]
    assert [len(fragment.init_data) for fragment in fragments] == [1] * 6  # both systems' boxes are adjacent: one run
    assert len({fragment.init_data for fragment in fragments}) == 3


def test_a_clear_lead_asks_for_no_key(studio: Studio) -> None:
    fragments = parse_media(studio.encrypt("--clear_lead", "4").video).fragments
    assert [fragment.kids for fragment in fragments] == [(), ()] + [(KID,)] * 4


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_ranges_that_end_in_mid_block_are_decrypted(studio: Studio, kind: str) -> None:
    path = studio.folder / f"unaligned-{kind}.mp4"
    studio.run_ffmpeg(
        *("-i", str(studio.source(kind)), "-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
        *("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEYS[KeyId(KID)].reveal().hex()),
        *("-encryption_kid", KID.hex(), str(path)),
    )
    played = play(path.read_bytes())
    assert played.code is None
    assert played.samples == studio.clear(kind)


def test_segments_may_come_one_by_one_behind_their_init_segment(studio: Studio) -> None:
    data = studio.encrypt(*ROTATING).video
    whole = parse_media(data)
    init = parse_init(data)
    starts = [box.start for box in top_level(data) if box.type == b"moof"]
    pieces = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    apart = [parse_media(piece, init).fragments for piece in pieces]
    assert [[fragment.samples for fragment in each] for each in apart] == [
        [fragment.samples] for fragment in whole.fragments
    ]
