"""`keystorm package`: clear MP4 in, an encrypted DASH presentation out."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeVar

from player.backend.packager.keys import LABELS, HeldPair, KeyBook, by_label
from player.backend.packager.package import MANIFEST, Packaged, package
from player.backend.packager.settings import PsshKind, PsshPlace, SegmentForm, Settings
from player.backend.packager.source import SourceTrack, read_tracks, starts_anew
from player.backend.spec import Rotation
from player.chance import Draw
from player.cli import secrets, values
from player.cli.main import DONE
from player.cli.outputs import check_folder, check_writable
from player.errors import MediaError, UsageError
from player.isobmff.sample import Scheme

T = TypeVar("T")
Labelled = tuple[str, tuple[HeldPair, ...]]

_MAX_SECONDS: Final = 10**9
_MAX_BLOCKS: Final = 15


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "inputs",
        metavar="INPUT",
        type=Path,
        nargs="+",
        help="MP4, fragmented or not; one without a moov continues the last",
    )
    add("--output", metavar="DIR", type=Path, required=True, help=f"where {MANIFEST} and the segments go")
    key = "all, video, audio, SD, HD, UHD or root; KID:KEY in hex; LABEL alone: drawn from --seed; @FILE: one a line"
    add("--key", metavar="LABEL=KID:KEY", type=labelled_keys, action="append", required=True, help=key)
    add("--scheme", choices=list(Scheme), default=Scheme.CENC, help="protection scheme (default: %(default)s)")
    add("--pattern", metavar="C:S", type=pattern, default=(1, 9), help="blocks in cens and cbcs video (default: 1:9)")
    add("--iv-size", type=int, choices=(8, 16), default=0, help="bytes of an IV (default: what the scheme has)")
    add("--form", choices=list(SegmentForm), default=SegmentForm.TEMPLATE, help="how segments are named")
    add("--segment", metavar="S", type=seconds, default=Fraction(2), help="duration of a segment (default: 2)")
    add("--clear-lead", metavar="S", type=seconds, default=Fraction(0), help="leave the first seconds clear")
    add("--rotation", choices=list(Rotation), default=Rotation.NONE, help="where new keys come (default: %(default)s)")
    add("--crypto-period", metavar="S", type=seconds, help="how long a key is used, with --rotation")
    add("--seed", metavar="N", type=values.count_at("$.storm.seed"), help="draw the keys that are not given from this")
    add("--write-keys", metavar="FILE", type=Path, help="write the keys used to a file that only you can read")
    add("--pssh", metavar="KIND,…", type=several(PsshKind), help=f"{', '.join(PsshKind)}; none (default: common)")
    add(
        "--pssh-in",
        metavar="WHERE,…",
        type=several(PsshPlace),
        help=f"{', '.join(PsshPlace)}; none (default: by rotation)",
    )
    add("--license-url", metavar="URL", type=values.url, help="goes into the MPD (dashif:Laurl)")
    add("--period-at", metavar="S", type=seconds, nargs="+", default=(), help="start a new Period at these instants")
    add("--json", action="store_true", help="print a summary as one JSON object")


def run(options: Namespace) -> int:
    settings = _settings(options)
    keys = _key_book(options, settings)
    check_folder(options.output)
    if options.write_keys is not None:
        check_writable(options.write_keys)
    tracks = _read(options.inputs)
    written = _Folder(options.output)
    packaged = package(tracks, settings, keys, written.write)
    if options.write_keys is not None:
        _write_keys(options.write_keys, keys)
    summary = _summary(options, settings, keys, packaged, written)
    print(json.dumps(summary, ensure_ascii=False) if options.json else _told(summary))
    return DONE


# ── option values ────────────────────────────────────────────────────────────────────────────────────────────────────


def seconds(text: str) -> Fraction:
    """A decimal number or a fraction (1001/500), greater than 0."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= _MAX_SECONDS:
        raise ArgumentTypeError(f"expected a number of seconds greater than 0, not {text!r}")
    return value


def pattern(text: str) -> tuple[int, int]:
    crypt, colon, skip = text.partition(":")
    if not (colon and crypt.isdecimal() and skip.isdecimal() and max(int(crypt), int(skip)) <= _MAX_BLOCKS):
        raise ArgumentTypeError(f"expected CRYPT:SKIP, each 0 to {_MAX_BLOCKS}, not {text!r}")
    return int(crypt), int(skip)


def several(names: type[PsshKind | PsshPlace]) -> Callable[[str], tuple[Any, ...]]:
    """Names of a list, separated by commas; `none` alone for no name at all."""
    known = ", ".join(names)

    def read(text: str) -> tuple[Any, ...]:
        if text == "none":
            return ()
        try:
            return tuple(dict.fromkeys(names(part.strip()) for part in text.split(",")))
        except ValueError:
            raise ArgumentTypeError(f"expected some of {known}, separated by commas, not {text!r}") from None

    return read


def labelled_keys(text: str) -> tuple[Labelled, ...]:
    """`LABEL=KID:KEY`, `LABEL=@FILE`, `LABEL` alone, or `@FILE` with one of the first and the third on each line."""
    if not text.startswith("@"):
        return (_labelled(text, ""),)
    lines = enumerate(secrets.read_text(Path(text[1:])).splitlines(), 1)
    told = ((number, line.strip()) for number, line in lines if line.strip() and not line.lstrip().startswith("#"))
    return tuple(_labelled(line, f"{text[1:]} line {number}: ") for number, line in told)


def _labelled(text: str, place: str) -> Labelled:
    """The label is not repeated in a fault: it may be a key whose label was forgotten."""
    label, equals, pair = text.partition("=")
    known = {name.lower(): name for name in LABELS}
    if label.strip().lower() not in known:
        raise ArgumentTypeError(f"{place}expected LABEL=KID:KEY with a label of {', '.join(LABELS)}")
    try:
        pairs = tuple(HeldPair(*each) for each in secrets.keys(pair.strip())) if equals else ()
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{place}{error}") from None
    if any(each.kid.is_zero for each in pairs):
        raise ArgumentTypeError(f"{place}the zero KID names no key")
    return known[label.strip().lower()], pairs


# ── in and out ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(options: Namespace) -> Settings:
    return Settings(
        scheme=Scheme(options.scheme),
        pattern=options.pattern,
        iv_size=options.iv_size,
        form=SegmentForm(options.form),
        segment=options.segment,
        clear_lead=options.clear_lead,
        rotation=Rotation(options.rotation),
        crypto_period=options.crypto_period,
        period_at=tuple(sorted(set(options.period_at))),
        kinds=options.pssh,
        places=None if options.pssh_in is None else frozenset(options.pssh_in),
        license_url=options.license_url or "",
    )


def _key_book(options: Namespace, settings: Settings) -> KeyBook:
    given = by_label(pair for labelled in options.key for pair in labelled)
    if settings.rotation is Rotation.NONE and any(len(keys) > 1 for keys in given.values()):
        raise UsageError("several keys of one label are for a rotation")
    return KeyBook(given, None if options.seed is None else Draw(options.seed, "package"))


def _read(paths: Sequence[Path]) -> tuple[SourceTrack, ...]:
    """Every track of every input. Raises: UsageError, MediaError with the name of the file."""
    joined: list[tuple[Path, bytes]] = []
    for path in paths:
        data = _bytes(path)
        if joined and not _in_file(path, starts_anew, data):
            joined[-1] = joined[-1][0], joined[-1][1] + data
        else:
            joined.append((path, data))
    return tuple(track for path, data in joined for track in _in_file(path, read_tracks, data))


def _in_file(path: Path, read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return read(data)
    except MediaError as error:
        raise MediaError(error.code, f"{path} {error.path}", error.offset, error.reason, error.source) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


class _Folder:
    """Writes files and counts them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files = 0
        self.bytes = 0

    def write(self, name: str, data: bytes) -> None:
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        self.files += 1
        self.bytes += len(data)


def _write_keys(path: Path, keys: KeyBook) -> None:
    """Lines of KID:KEY, as `keystorm play --key @FILE` reads them; nobody else may read the file, new or old."""
    lines = ["# KID:KEY of each label and crypto period"]
    for (label, period), pair in keys.used.items():
        lines += [f"# {label} {period}", f"{pair.kid.hex()}:{pair.key.reveal().hex()}"]
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            path.chmod(0o600)
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _summary(
    options: Namespace, settings: Settings, keys: KeyBook, packaged: Packaged, written: _Folder
) -> Mapping[str, Any]:
    """`sha256` of a track is over its clear samples in decode order, as `keystorm play` tells it."""
    tracks = [
        {
            "id": each.id,
            "kind": each.track.kind,
            "codec": each.track.codec.codecs,
            "label": each.label,
            "samples": len(each.track.samples),
            "sha256": each.sha256,
        }
        for each in packaged.renditions
    ]
    return {
        "mpd": str(options.output / MANIFEST),
        "scheme": settings.scheme,
        "form": settings.form,
        "rotation": settings.rotation,
        "duration_s": round(float(packaged.duration), 6),
        "periods": packaged.periods,
        "crypto_periods": packaged.crypto_periods,
        "segments": packaged.segments,
        "tracks": tracks,
        "kids": [
            {"label": label, "crypto_period": period, "kid": str(pair.kid)}
            for (label, period), pair in keys.used.items()
        ],
        "files": written.files,
        "bytes": written.bytes,
    }


def _told(summary: Mapping[str, Any]) -> str:
    made = f"{summary['scheme']}, {summary['files']} files, {summary['bytes']:,} bytes"
    lines = [f"{summary['mpd']}  {summary['duration_s']:.2f} s, {made}"]
    lines += (f"{it['id']:<9} {it['codec']}, {it['samples']} samples, key {it['label']}" for it in summary["tracks"])
    lines += (f"key       {it['kid']} {it['label']}, crypto period {it['crypto_period']}" for it in summary["kids"])
    return "\n".join(lines)
