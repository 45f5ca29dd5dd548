"""Four schemes, six codecs, every form: our decryption gives the clear twin, and peers undo our encryption.

What is right where peers differ is said at `FFMPEG_DIFFERS` and at the tests of rotation.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from player.ids import ContentKey, KeyId
from player.isobmff.sample import Protection, Scheme
from player.isobmff.segment import parse_media
from tests.cenc.content import KEY, KID, play
from tests.cenc.gallery import AUDIO, CODECS, KEY_A_CODEC, KEYS, Gallery
from tests.cenc.wrap import boxes, find, protect_file, with_tenc

pytestmark = pytest.mark.oracle

ROTATING = ("--crypto_period_duration", "1", "--protection_systems", "CommonSystem")
FORMS: dict[str, tuple[str, ...]] = {
    "one key": (),
    "a key a codec": (),
    "rotating": ROTATING,
    "clear lead": ("--clear_lead", "1"),
    "clear lead, rotating": ("--clear_lead", "1", *ROTATING),
    "several moof": ("--fragment_duration", "0.4", "--nofragment_sap_aligned"),
}
PATTERNS = {"1:9": (1, 9), "5:5": (5, 5), "10:0": (10, 0)}
PATTERNED = (Scheme.CENS, Scheme.CBCS)


def encrypted(gallery: Gallery, scheme: Scheme, form: str, pattern: str = "1:9") -> dict[str, bytes]:
    crypt, skip = PATTERNS[pattern]
    options = ("--crypt_byte_block", str(crypt), "--skip_byte_block", str(skip)) if scheme in PATTERNED else ()
    keys = KEY_A_CODEC if form == "a key a codec" else None
    return dict(gallery.encrypt(*options, *FORMS[form], scheme=scheme, keys=keys))


@pytest.mark.rule("media:M2")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scheme", Scheme)
def test_decryption_equals_the_clear_twin(gallery: Gallery, scheme: Scheme, form: str) -> None:
    for codec, data in encrypted(gallery, scheme, form).items():
        played = play(data, KEYS)
        assert (codec, played.code, played.segment.warnings) == (codec, None, ())
        assert played.samples == gallery.clear(codec), codec


@pytest.mark.parametrize("pattern", ["5:5", "10:0"])
@pytest.mark.parametrize("scheme", PATTERNED)
def test_any_pattern_is_decrypted(gallery: Gallery, scheme: Scheme, pattern: str) -> None:
    for codec, data in encrypted(gallery, scheme, "one key", pattern).items():
        assert play(data, KEYS).samples == gallery.clear(codec), codec


def test_content_with_a_key_a_codec_has_them_and_no_other_opens_it(gallery: Gallery) -> None:
    made = encrypted(gallery, Scheme.CENC, "a key a codec")
    kids = {kid for data in made.values() for each in parse_media(data).fragments for kid in each.kids}
    assert len(kids) == len(CODECS)
    assert all(play(data, {KeyId(KID): ContentKey(KEY)}).code == "no-key" for data in made.values())


# ── where peers differ ───────────────────────────────────────────────────────────────────────────────────────────────

FFMPEG_DIFFERS = {
    # Whole blocks in an incomplete last run of crypt blocks are encrypted (ISO/IEC 23001-7, 10.4.2, the scheme's own
    # clause); only a partial block stays clear. ffmpeg leaves the whole run clear, as the general clause 9.6.1 may be
    # read. Packager, Chromium, GPAC and Bento4 do as we do. In 1:9 a run is one block and both readings are the same.
    ("cens", "5:5", "video"),
    ("cens", "10:0", "video"),
    ("cbcs", "5:5", "video"),
    ("cbcs", "10:0", "video"),
    # Without subsamples cens encrypts whole blocks of the sample, its tail stays clear (10.3 with 9.7): ffmpeg decrypts
    # the tail too. Packager and GPAC do as we do.
    ("cens", "1:9", "audio"),
    ("cens", "5:5", "audio"),
    ("cens", "10:0", "audio"),
}


@pytest.mark.parametrize(
    ("scheme", "pattern"),
    [(scheme, pattern) for scheme in Scheme for pattern in PATTERNS if scheme in PATTERNED or pattern == "1:9"],
)
def test_peers_agree_with_us_except_where_they_are_wrong(gallery: Gallery, scheme: Scheme, pattern: str) -> None:
    made = encrypted(gallery, scheme, "one key", pattern)
    for codec in ("h264", "aac"):  # a peer decrypts all codecs by the same code
        kind = "audio" if codec in AUDIO else "video"
        clear = gallery.clear(codec)
        agrees = (scheme, pattern, kind) not in FFMPEG_DIFFERS
        assert (gallery.by_ffmpeg(made[codec]) == clear) is agrees, (codec, "ffmpeg")
        assert gallery.by_packager(made[codec], codec) == clear, (codec, "packager")
        assert play(made[codec], KEYS).samples == clear


@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_no_peer_follows_a_rotation(gallery: Gallery, scheme: Scheme) -> None:
    """Neither applies a `seig` group, which goes before `tenc` (ISO/IEC 23001-7, 6): so the zero KID of `tenc` stops
    Packager, and ffmpeg hands out garbage from the second period on."""
    data = encrypted(gallery, scheme, "rotating")["h264"]
    clear = gallery.clear("h264")
    assert gallery.by_ffmpeg(data) != clear
    assert gallery.by_packager(data, "h264") == b""
    assert play(data, KEYS).samples == clear


# ── rotation, told to peers without groups ───────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("media:M3")
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_peers_decrypt_a_rotation_whose_groups_are_written_into_tenc(
    gallery: Gallery, scheme: Scheme, codec: str
) -> None:
    """A `seig` entry has the bytes of a `tenc`: each segment gets an init segment that says the same without groups."""
    pieces = list(boxes(encrypted(gallery, scheme, "rotating")[codec]))
    init = b"".join(piece for piece in pieces if piece[4:8] in (b"ftyp", b"moov"))
    by_ffmpeg = by_packager = b""
    kids = []
    for moof, mdat in pairwise(pieces):
        if moof[4:8] != b"moof":
            continue
        record = seig_entry(moof)
        kid = KeyId(record[4:20])
        kids.append(kid)
        one = with_tenc(init, record) + moof + mdat
        by_ffmpeg += gallery.by_ffmpeg(one, KEYS[kid].reveal())
        by_packager += gallery.by_packager(one, codec, kid, KEYS[kid].reveal())
    assert kids == [KID[period:] + KID[:period] for period in range(len(kids))]
    assert len(kids) >= 3
    assert by_ffmpeg == gallery.clear(codec)
    assert by_packager == gallery.clear(codec)


def seig_entry(moof: bytes) -> bytes:
    """The single entry of the `sgpd` of type `seig`, version 1: behind grouping type, length and count."""
    traf = find(moof, (b"moof", b"traf"))
    sgpd = next(each for each in boxes(traf[8:]) if each[4:8] == b"sgpd" and each[12:16] == b"seig")
    return sgpd[24:]


# ── our encryption ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("media:M4")
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("scheme", Scheme)
def test_peers_undo_our_encryption(gallery: Gallery, scheme: Scheme, codec: str) -> None:
    data = protect_file(gallery.fragmented(codec), protection_for(scheme, codec), ContentKey(KEY))
    clear = gallery.clear(codec)
    samples = [sample for each in parse_media(data).fragments for sample in each.samples]
    protected = sum(pair[1] for sample in samples for pair in sample.ranges or ((0, sample.size),))
    assert protected > len(clear) // 2  # else little has been shown
    assert play(data, KEYS).samples == clear
    assert gallery.by_packager(data, codec) == clear
    if (scheme, "1:9", "audio" if codec in AUDIO else "video") not in FFMPEG_DIFFERS:
        assert gallery.by_ffmpeg(data) == clear


def protection_for(scheme: Scheme, codec: str) -> Protection:
    crypt, skip = PATTERNS["1:9"] if scheme in PATTERNED and codec not in AUDIO else (0, 0)
    iv_size = {Scheme.CBC1: 16, Scheme.CBCS: 0}.get(scheme, 8)
    constant = b"" if iv_size else bytes(range(0x40, 0x50))
    kid = KeyId(KID)
    return Protection(scheme=scheme, kid=kid, iv_size=iv_size, constant_iv=constant, crypt=crypt, skip=skip)
