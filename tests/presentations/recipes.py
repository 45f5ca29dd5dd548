"""What the two tools are told to make: a table of presentations on demand. `quick` ones stand for their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.presentations.encoders import KEY, KID, Encoders

_NUMBER: Final = "init_segment={0}/init.mp4,segment_template={0}/$Number$.m4s"
_PADDED: Final = "init_segment={0}/init.mp4,segment_template={0}/part-$Number%05d$.m4s"
_TIME: Final = "init_segment={0}/init.mp4,segment_template={0}/$Time$.m4s"
_FILE: Final = "output={0}.mp4"
_PARTS: Final = "output={0}-$Number$.mp4"

Keys = Mapping[str, str]
ONE_KEY: Final = {KID: KEY}
OTHER_KEY: Final = {"0f" * 16: "1e" * 16}


def rotated(digits: str, places: int) -> str:
    """As Shaka Packager makes the KID and the key of a crypto period from those of the first: turned left by bytes."""
    return digits[2 * places :] + digits[: 2 * places]


ROTATED: Final = {rotated(KID, period): rotated(KEY, period) for period in range(4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """`tracks`: names of sources, in order. `wish`: which Representation is played."""

    tool: str
    tracks: tuple[str, ...] = ("low", "high", "en")
    form: str = _NUMBER
    options: tuple[str, ...] = ()
    keys: Keys | None = None
    wish: str = "lowest"
    quick: bool = False

    def make(self, encoders: Encoders, folder: Path) -> Path:
        """Write the presentation; its MPD."""
        folder.mkdir()
        (_by_packager if self.tool == "packager" else _by_ffmpeg)(self, encoders, folder)
        return folder / "x.mpd"


_LANGUAGES: Final = ("en", "de")
_KINDS: Final[Mapping[str, str]] = {"en": "audio", "de": "audio", "opus": "audio", "words": "text"}


def kind(track: str) -> str:
    return _KINDS.get(track, "video")


def _by_packager(recipe: Recipe, encoders: Encoders, folder: Path) -> None:
    streams = [_stream(recipe, encoders, track) for track in recipe.tracks]
    static = ("--generate_static_live_mpd",) if "segment_template" in recipe.form else ()
    given = (*static, *recipe.options, "--segment_duration", "2", "--mpd_output", "x.mpd")
    encoders.packager(*streams, *given, cwd=folder)


def _stream(recipe: Recipe, encoders: Encoders, track: str) -> str:
    source = encoders.words() if track == "words" else encoders.source(track)
    language = f",lang={track}" if track in _LANGUAGES else ""
    label = f",drm_label={kind(track)}" if "label=audio" in " ".join(recipe.options) else ""
    return f"in={source},stream={kind(track)}{language}{label},{recipe.form.format(track)}"


def _by_ffmpeg(recipe: Recipe, encoders: Encoders, folder: Path) -> None:
    for number, _ in enumerate(recipe.tracks):
        (folder / str(number)).mkdir()
    inputs = [word for track in recipe.tracks for word in ("-i", encoders.source(track))]
    maps = [word for number, _ in enumerate(recipe.tracks) for word in ("-map", str(number))]
    sets = () if "-adaptation_sets" in recipe.options else ("-adaptation_sets", "id=0,streams=v id=1,streams=a")
    fixed = ("-c", "copy", "-f", "dash", "-seg_duration", "2", *sets)
    encoders.ffmpeg(*inputs, *maps, *fixed, *recipe.options, "x.mpd", cwd=folder)


# ── Shaka Packager ───────────────────────────────────────────────────────────────────────────────────────────────────


def _raw_key(scheme: str, *more: str, lead: str = "0") -> tuple[str, ...]:
    keys = ("--enable_raw_key_encryption", "--keys", f"label=:key_id={KID}:key={KEY}")
    return (*keys, "--protection_scheme", scheme, "--clear_lead", lead, *more)


def _two_keys(scheme: str) -> tuple[str, ...]:
    ((kid, key),) = OTHER_KEY.items()
    keys = f"label=video:key_id={KID}:key={KEY},label=audio:key_id={kid}:key={key}"
    return ("--enable_raw_key_encryption", "--keys", keys, "--protection_scheme", scheme, "--clear_lead", "0")


def _packager(
    form: str,
    *options: str,
    tracks: tuple[str, ...] = ("low", "high", "en"),
    keys: Keys | None = None,
    wish: str = "lowest",
    quick: bool = False,
) -> Recipe:
    return Recipe(tool="packager", form=form, options=options, tracks=tracks, keys=keys, wish=wish, quick=quick)


_MANY: Final = ("low", "high", "en", "de", "words")

# not here: --low_latency_dash_mode, whose MPD counts from 1 while its files count from 0 (Packager 3.8)
PACKAGED: Final[Mapping[str, Recipe]] = {
    "number": _packager(_NUMBER, quick=True),
    "padded number": _packager(_PADDED, wish="highest"),
    "number from 7": _packager(_NUMBER, "--start_segment_number", "7"),
    "time": _packager(_TIME, tracks=_MANY, wish="highest", quick=True),
    "one file": _packager(_FILE, tracks=_MANY, quick=True),
    "one file, highest": _packager(_FILE, wish="highest"),
    "list of parts": _packager(_FILE, "--dash_force_segment_list", quick=True),
    "chosen by throughput": _packager(_NUMBER, wish="auto", quick=True),
    "one file, chosen by throughput": _packager(_FILE, wish="auto"),
    "fragments of half a second": _packager(_NUMBER, "--fragment_duration", "0.5", "--nofragment_sap_aligned"),
    "segments that start anywhere": _packager(
        _TIME, "--nosegment_sap_aligned", "--nofragment_sap_aligned", "--fragment_duration", "0.3"
    ),
    "no sidx in segments": _packager(_NUMBER, "--nogenerate_sidx_in_media_segments"),
    "approximate timeline": _packager(_NUMBER, "--allow_approximate_segment_timeline"),
    "Base URLs": _packager(_TIME, "--base_urls", "./,../"),
    "not as DASH-IF has it": _packager(_NUMBER, "--nogenerate_dash_if_iop_compliant_mpd"),
    "switching between codecs": _packager(_NUMBER, "--allow_codec_switching", tracks=("low", "hevc", "en")),
    "three Periods": _packager(_NUMBER, "--ad_cues", "2;6", quick=True),
    "three Periods by time": _packager(_TIME, "--ad_cues", "3;5", wish="highest"),
    "three Periods of files": _packager(_PARTS, "--ad_cues", "2;6"),
    "three Periods under keys": _packager(_TIME, "--ad_cues", "2;6", *_raw_key("cenc"), keys=ONE_KEY),
    "text only beside": _packager(_NUMBER, tracks=("low", "words")),
    "sound alone": _packager(_NUMBER, tracks=("en", "de")),
    "HEVC": _packager(_FILE, tracks=("hevc", "en")),
    "AV1": _packager(_TIME, tracks=("av1", "en")),
    "VP9 and Opus": _packager(_NUMBER, tracks=("vp9", "opus")),
    "HEVC, cbcs": _packager(_NUMBER, *_raw_key("cbcs"), tracks=("hevc", "en"), keys=ONE_KEY),
    "AV1, cenc": _packager(_NUMBER, *_raw_key("cenc"), tracks=("av1", "en"), keys=ONE_KEY),
    "VP9 and Opus, cenc": _packager(_FILE, *_raw_key("cenc"), tracks=("vp9", "opus"), keys=ONE_KEY),
    "number, cenc": _packager(_NUMBER, *_raw_key("cenc"), keys=ONE_KEY, quick=True),
    "number, cbcs": _packager(_NUMBER, *_raw_key("cbcs"), keys=ONE_KEY),
    "number, cens": _packager(_NUMBER, *_raw_key("cens"), keys=ONE_KEY),
    "number, cbc1": _packager(_NUMBER, *_raw_key("cbc1"), keys=ONE_KEY),
    "time, cbcs": _packager(_TIME, *_raw_key("cbcs"), tracks=_MANY, keys=ONE_KEY, wish="highest"),
    "time, cenc": _packager(_TIME, *_raw_key("cenc"), keys=ONE_KEY, wish="auto"),
    "one file, cbcs": _packager(_FILE, *_raw_key("cbcs"), tracks=_MANY, keys=ONE_KEY, quick=True),
    "one file, cenc": _packager(_FILE, *_raw_key("cenc"), keys=ONE_KEY),
    "list of parts, cenc": _packager(_FILE, "--dash_force_segment_list", *_raw_key("cenc"), keys=ONE_KEY),
    "two seconds of clear lead": _packager(_NUMBER, *_raw_key("cenc", lead="2"), keys=ONE_KEY, quick=True),
    "four seconds of clear lead, one file": _packager(_FILE, *_raw_key("cbcs", lead="4"), keys=ONE_KEY),
    "a key of its own for sound": _packager(_NUMBER, *_two_keys("cenc"), keys=ONE_KEY | OTHER_KEY),
    "a key of its own for sound, one file": _packager(_FILE, *_two_keys("cbcs"), keys=ONE_KEY | OTHER_KEY),
    "four crypto periods, cenc": _packager(
        _NUMBER, *_raw_key("cenc", "--crypto_period_duration", "2"), keys=ROTATED, quick=True
    ),
    "four crypto periods, cbcs": _packager(_TIME, *_raw_key("cbcs", "--crypto_period_duration", "2"), keys=ROTATED),
    "crypto periods after a clear lead": _packager(
        _NUMBER, *_raw_key("cenc", "--crypto_period_duration", "2", lead="2"), keys=ROTATED
    ),
    "every system": _packager(
        _NUMBER, *_raw_key("cenc", "--protection_systems", "CommonSystem,Widevine,PlayReady"), keys=ONE_KEY
    ),
    "no pssh in segments": _packager(_NUMBER, *_raw_key("cenc", "--nomp4_include_pssh_in_stream"), keys=ONE_KEY),
}


# ── ffmpeg ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _muxed(
    *options: str,
    tracks: tuple[str, ...] = ("low", "high", "en"),
    keys: Keys | None = None,
    wish: str = "lowest",
    quick: bool = False,
) -> Recipe:
    return Recipe(tool="ffmpeg", options=options, tracks=tracks, keys=keys, wish=wish, quick=quick)


_BY_TIME: Final = ("-media_seg_name", "$RepresentationID$/$Time$.m4s")
_FOLDERS: Final = ("-media_seg_name", "$RepresentationID$/b$Bandwidth$-$Number%03d$.m4s")
_CENC: Final = (
    "-format_options",
    f"encryption_scheme=cenc-aes-ctr:encryption_key={KEY}:encryption_kid={KID}",
)

MUXED: Final[Mapping[str, Recipe]] = {
    "timeline by number": _muxed(quick=True),
    "timeline by time": _muxed(*_BY_TIME, wish="highest", quick=True),
    "timeline in folders": _muxed(*_FOLDERS),
    "duration by number": _muxed("-use_timeline", "0", quick=True),
    "duration in folders": _muxed("-use_timeline", "0", *_FOLDERS, wish="highest"),
    "list of files": _muxed("-use_template", "0", "-use_timeline", "0", quick=True),
    "list of files with a timeline": _muxed("-use_template", "0", "-use_timeline", "1"),
    "one file": _muxed("-single_file", "1", wish="highest", quick=True),
    "one file with a timeline": _muxed("-single_file", "1", "-use_template", "0", "-use_timeline", "1"),
    "one file with one sidx": _muxed("-single_file", "1", "-global_sidx", "1"),
    "one file by name": _muxed("-single_file_name", "all-$RepresentationID$.mp4"),
    "every frame a fragment": _muxed("-streaming", "1", wish="auto"),
    "fragments of half a second": _muxed("-frag_type", "duration", "-frag_duration", "0.5"),
    "fragments by frame": _muxed("-frag_type", "every_frame", "-use_timeline", "0"),
    "low latency, over": _muxed(
        *("-ldash", "1", "-streaming", "1", "-use_timeline", "0", "-frag_type", "duration", "-frag_duration", "0.5"),
        *("-target_latency", "3", "-write_prft", "1"),
    ),
    "as DVB has it": _muxed("-mpd_profile", "dvb_dash"),
    "with playback rates": _muxed("-min_playback_rate", "0.9", "-max_playback_rate", "1.1"),
    "segments of a second in sets of their own": _muxed(
        "-adaptation_sets", "id=0,seg_duration=1,streams=0 id=1,seg_duration=2,streams=1 id=2,streams=2"
    ),
    "languages": _muxed(
        *("-adaptation_sets", "id=0,streams=0 id=1,streams=1 id=2,streams=2"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"),
        tracks=("low", "en", "de"),
    ),
    "chosen by throughput": _muxed(wish="auto"),
    "sound alone": _muxed("-adaptation_sets", "id=0,streams=a", tracks=("en",)),
    "picture alone": _muxed("-adaptation_sets", "id=0,streams=v", *_BY_TIME, tracks=("low",)),
    "HEVC": _muxed(tracks=("hevc", "en")),
    "AV1 and Opus": _muxed("-dash_segment_type", "mp4", *_BY_TIME, tracks=("av1", "opus")),
    "VP9": _muxed("-dash_segment_type", "mp4", "-use_timeline", "0", tracks=("vp9", "en")),
    "cenc by number": _muxed(*_CENC, keys=ONE_KEY, quick=True),
    "cenc by time": _muxed(*_CENC, *_BY_TIME, keys=ONE_KEY, wish="highest"),
    "cenc in one file": _muxed(*_CENC, "-single_file", "1", keys=ONE_KEY),
    "cenc by duration": _muxed(*_CENC, "-use_timeline", "0", keys=ONE_KEY),
}

UNPLAYABLE: Final[Mapping[str, Recipe]] = {
    "WebM": _muxed("-dash_segment_type", "webm", tracks=("vp9", "opus")),
    "WebM in one file": _packager("output={0}.webm", tracks=("vp9", "opus")),
    "text alone": _packager(_NUMBER, tracks=("words",)),
}
"""What holds no track that is played."""
