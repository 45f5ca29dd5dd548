"""`keystorm play`: one presentation, its keys, and what came of it."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from player.cdm.make import KEY_SYSTEMS
from player.cdm.spec import EMBEDDED_KEYS, CdmSpec
from player.cli import secrets, values
from player.cli.interrupt import on_interrupt
from player.cli.main import DONE, FAILED, WRONG_USAGE, complain
from player.cli.outputs import check_folder, check_writable
from player.cli.status_line import status_line
from player.cli.told import told
from player.drm.profile import LicenseScope
from player.errors import UsageError
from player.mpd.document import UNREADABLE
from player.runtime.file_sink import FILE_SINKS, SINKS, sink_named
from player.runtime.player import Player
from player.runtime.profiles import profile_names
from player.runtime.result import PlayResult
from player.wire.cmcd import Transmission

NOT_PLAYED = UNREADABLE | {"usage"}  # what came is no MPD, or cannot be played in the way asked for


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("mpd", metavar="MPD", type=values.url, help="URL of the manifest")
    add("--license-url", metavar="URL", type=values.url, help="license server (default: what the manifest names)")
    add("--license-header", metavar="K:V", type=values.header, action="append", help="sent with license requests")
    add("--key", metavar="KID:KEY", type=secrets.keys, action="append", help="a key in hex, or @FILE with one a line")
    key_system = values.one_of("key system", KEY_SYSTEMS)
    add("--key-system", metavar="NAME", type=key_system, help=f"{' or '.join(KEY_SYSTEMS)} (default: by the content)")
    add("--profile", metavar="NAME|FILE", default="ideal", help=f"whose key logic: {', '.join(profile_names())}")
    scope = values.one_of("license scope", LicenseScope)
    add("--license-scope", metavar="SCOPE", type=scope, help=f"{', '.join(LicenseScope)} (default: the profile's)")
    add("--representation", metavar="WHICH", default="auto", help="auto, highest, lowest, an @id, or script:0=ID,12=ID")
    add("--start", metavar="S|live", type=values.position, help="where to start (default: at the start, or live)")
    add("--rate", metavar="R", type=values.rate, default=1.0, help="of playback, from 0.5 to 2 (default: 1)")
    add("--duration", metavar="S", type=values.duration_s, help="seconds of media to play (default: to the end)")
    add("--as-fast-as-possible", action="store_true", help="do not wait for the clock (VOD only)")
    add("--out", metavar="DIR", type=Path, help=f"where the sinks {', '.join(FILE_SINKS)} write")
    add("--sink", choices=SINKS, default="hash", help="what becomes of the clear samples (default: %(default)s)")
    add("--cmcd", choices=tuple(Transmission), help="tell servers of the player with each request (CTA-5004)")
    add("--seed", metavar="N", type=values.count_at("$.storm.seed"), help="chance from here, not from the system")
    add("--trace", metavar="FILE", type=Path, help="write every event as a line of JSON")
    add("--json", action="store_true", help="print the result as one JSON object")


def run(options: Namespace) -> int:
    """0, or by the error that ended the playback."""
    _check(options)
    result = asyncio.run(_play(options))
    print(json.dumps(result.as_json(), ensure_ascii=False) if options.json else told(result))
    if result.error is None:
        return DONE
    not_played = result.error.code in NOT_PLAYED
    return complain(result.error.code, result.error.message, WRONG_USAGE if not_played else FAILED)


def _check(options: Namespace) -> None:
    """Raises: UsageError for what would be found out only after a while."""
    if (options.sink in FILE_SINKS) != (options.out is not None):
        raise UsageError(f"--out DIR and a sink that writes files ({', '.join(FILE_SINKS)}) go together")
    if options.out is not None:
        check_folder(options.out)
    if options.trace is not None:
        check_writable(options.trace)


async def _play(options: Namespace) -> PlayResult:
    player = Player(
        options.mpd,
        license_url=options.license_url,
        license_headers=dict(options.license_header or ()),
        keys=dict(pair for pairs in options.key or () for pair in pairs),
        key_system=options.key_system,
        profile=options.profile,
        license_scope=options.license_scope,
        representation=options.representation,
        start=options.start,
        rate=options.rate,
        cdm=CdmSpec(features=(EMBEDDED_KEYS,)),
        sink=sink_named(options.sink, options.out),
        seed=options.seed,
        trace=options.trace,
        cmcd=options.cmcd,
    )
    async with player, status_line(player):
        with on_interrupt(player.stop):
            return await player.play(duration_s=options.duration, as_fast_as_possible=options.as_fast_as_possible)
