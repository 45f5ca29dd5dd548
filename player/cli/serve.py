"""`keystorm serve`: the embedded backend by itself, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from player.backend.license_server.log import LicenseLogEntry
from player.backend.serve import LOOPBACK, Backend, serve
from player.backend.spec import BackendSpec
from player.cli import secrets, values
from player.cli.interrupt import on_interrupt
from player.cli.main import DONE
from player.cli.talk import talk
from player.errors import UsageError
from player.scenario.load import find, load
from player.scenario.specs import to_backend

_MIN_TOKEN = 16  # characters: beyond loopback it is all that keeps others out
_MAX_TOKEN = 4096


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("scenario", metavar="SCENARIO", nargs="?", help="name or .toml file (default: one key, four tracks)")
    add("--listen", metavar="ADDR", help="address beyond loopback; needs --token-file")
    add("--token-file", metavar="FILE", type=Path, help="a token that every request must bear; needs --listen")
    add("--seed", metavar="N", type=values.count_at("$.storm.seed"), help="keys from here, not from the system")
    add("--json", action="store_true", help="print the URLs as one JSON object")


def run(options: Namespace) -> int:
    if (options.listen is None) != (options.token_file is None):
        raise UsageError("--listen and --token-file go together")
    token = None if options.token_file is None else _token(options.token_file)
    spec = BackendSpec() if options.scenario is None else to_backend(load(find(options.scenario)))
    asyncio.run(_serve(replace(spec, seed=options.seed), options.listen or LOOPBACK, token, as_json=options.json))
    return DONE


def _token(path: Path) -> str:
    token = secrets.read_text(path).strip()
    if not (_MIN_TOKEN <= len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(f"{path}: expected a token of {_MIN_TOKEN} to {_MAX_TOKEN:,} characters without blanks")
    return token


async def _serve(spec: BackendSpec, listen: str, token: str | None, *, as_json: bool) -> None:
    log = talk()

    def tell(entry: LicenseLogEntry) -> None:
        attribution = {} if entry.cause is None else {"client": entry.client, "cause": entry.cause}
        log.info("license request", status=entry.status, kids=" ".join(map(str, entry.kids)), **attribution)

    over = asyncio.Event()
    with on_interrupt(over.set):
        async with serve(spec, listen=listen, token=token, log=tell) as backend:
            print(json.dumps(_urls(backend)) if as_json else _told(backend), flush=True)
            await over.wait()


def _urls(backend: Backend) -> dict[str, object]:
    return {
        "live_url": backend.live_url,
        "vod_url": backend.vod_url,
        "license_urls": dict(backend.license_urls),
        "t0_epoch_us": backend.t0_epoch_us,
    }


def _told(backend: Backend) -> str:
    licenses = (f"license  {url}  ({key_system})" for key_system, url in backend.license_urls.items())
    return "\n".join((f"live     {backend.live_url}", f"vod      {backend.vod_url}", *licenses))
