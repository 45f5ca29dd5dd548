"""The backend as a child process: `python -m player.backend`, one a storm.

stdin: a line with the BackendSpec, a line `{"t0":EPOCH_US}`, then nothing; its end ends the child.
stdout: `{"ready":{…}}` with the URLs, a line a license request, `{"end":{…}}` with the counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import queue
import resource
import signal
import sys
import threading
import time
from dataclasses import asdict
from typing import Final, TextIO

from player.backend.license_server.log import LicenseLogEntry
from player.backend.serve import LOOPBACK, Services, answering, authority, bound, build
from player.backend.spec import BackendSpec
from player.backend.spec_json import spec_from_json
from player.errors import KeystormError, UsageError
from player.trace.histogram import Histogram

_MAX_LINE: Final = 1 << 20  # characters of a line on stdin
_PROBE_NS: Final = 10_000_000


def main() -> int:
    """Exit code 0, or 2 with one line on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this child by stdin
    _raise_file_limit()
    try:
        asyncio.run(_serve(sys.stdin, Ledger(sys.stdout)))
    except KeystormError as error:
        print(f"player.backend: {error}", file=sys.stderr)
        return 2
    return 0


class Ledger:
    """Lines of JSON written by a thread of its own, so that a reader who is slow never holds up the services."""

    def __init__(self, out: TextIO) -> None:
        self.license_requests = 0
        self._out = out
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def put(self, document: dict[str, object]) -> None:
        self._lines.put(json.dumps(document, separators=(",", ":")))

    def license(self, entry: LicenseLogEntry) -> None:
        """A license request that has ended."""
        self.license_requests += 1
        self.put(asdict(entry) | {"kids": [str(kid) for kid in entry.kids]})

    def close(self) -> None:
        """Write what is left."""
        self._lines.put(None)
        self._thread.join()

    def _write(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # the reader has gone, and the end of stdin is near
            while (line := self._lines.get()) is not None:
                self._out.write(line + "\n")
                if self._lines.empty():
                    self._out.flush()
            self._out.flush()


async def _serve(stdin: TextIO, ledger: Ledger) -> None:
    spec = spec_from_json(await _line(stdin))
    with bound(LOOPBACK) as origin, bound(LOOPBACK) as license_server:
        authorities = (authority(origin), authority(license_server))
        ledger.put({"ready": _urls(_build(spec, authorities, 0, ledger))})  # made once to refuse what cannot be served
        services = _build(spec, authorities, _t0(await _line(stdin)), ledger)
        gc.collect()
        gc.freeze()
        late = Histogram()
        probe = asyncio.create_task(_probe(late), name="lateness probe")
        async with answering(services, origin, license_server):
            await asyncio.to_thread(_drain, stdin)
        probe.cancel()
    counts = {"license_requests": ledger.license_requests, "late_us_p99": late.percentile(99) or 0}
    ledger.put({"end": counts | asdict(services.origin.counts)})
    ledger.close()


async def _probe(late: Histogram) -> None:
    """How late the loop is, every 10 ms: a backend that is starved makes viewers stall for no reason of theirs."""
    while True:
        due_ns = time.monotonic_ns() + _PROBE_NS
        await asyncio.sleep(_PROBE_NS / 1e9)
        late.add(max(0, time.monotonic_ns() - due_ns) // 1_000)


def _build(spec: BackendSpec, authorities: tuple[str, str], epoch_us: int, ledger: Ledger) -> Services:
    origin, license_server = authorities
    return build(spec, origin=origin, license=license_server, epoch_us=epoch_us, log=ledger.license)


def _urls(services: Services) -> dict[str, object]:
    backend = services.backend
    return {"live_url": backend.live_url, "vod_url": backend.vod_url, "license_urls": dict(backend.license_urls)}


def _t0(line: str) -> int:
    try:
        t0 = json.loads(line)["t0"]
    except (ValueError, KeyError, TypeError):
        t0 = None
    if not isinstance(t0, int):
        raise UsageError('expected a line {"t0":EPOCH_US} on stdin')
    return t0


async def _line(stdin: TextIO) -> str:
    return await asyncio.to_thread(stdin.readline, _MAX_LINE)


def _drain(stdin: TextIO) -> None:
    """Until end of file; what else is said is not heard."""
    while stdin.read(_MAX_LINE):
        pass


def _raise_file_limit() -> None:
    """Every connection is a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS names a hard limit that it does not accept
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
