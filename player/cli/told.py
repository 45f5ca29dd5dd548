"""What a playback came to, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from player.runtime.result import PlayedTrack, PlayResult


def told(result: PlayResult) -> str:
    """A few lines: how it went, tracks, keys, licenses, waits."""
    return "\n".join((_how(result), *map(_track, result.tracks), *_keys(result), _licenses(result), *_waits(result)))


def _how(result: PlayResult) -> str:
    end = "to the end" if result.ended else "not to the end"
    start = "" if result.startup_s is None else f", started after {result.startup_s:.2f} s"
    return f"{result.mpd}\nplayed    {result.played_s:.2f} s, {end}{start}"


def _track(track: PlayedTrack) -> str:
    digest = "" if track.sha256 is None else f", sha256 {track.sha256}"
    made_of = f"{track.codec}, {', '.join(track.representations)}"
    return f"{track.kind:<9} {made_of}: {track.samples:,} samples, {track.bytes:,} bytes{digest}"


def _keys(result: PlayResult) -> Iterator[str]:
    return (f"key       {kid} {status}" for kid, status in result.keys.items())


def _licenses(result: PlayResult) -> str:
    counts = [
        _many(result.license_requests, "request"),
        _many(result.licenses, "license"),
        _many(result.sessions, "session"),
        _many(result.encrypted_events, "encrypted event"),
    ]
    if result.local_licenses:
        counts.append(f"{result.local_licenses} answered from --key")
    if result.license_failures:
        counts.append(f"{result.license_failures} failed")
    return f"licenses  {', '.join(counts)}"


def _waits(result: PlayResult) -> Iterator[str]:
    for stall in result.stalls:
        yield f"stall     at {stall.at_s:.2f} s for {stall.for_s:.2f} s: waited for the {stall.cause}"
    for wait in result.blocked:
        yield f"blocked   at {wait.at_s:.2f} s for {wait.for_s:.2f} s: waited for key {wait.kid}"
    if not result.stalls and not result.blocked:
        yield "stalls    none"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
