"""The embedded backend as a whole: origin and license servers, on loopback sockets or called in process.

async with serve(spec) as backend: …           real sockets, each service on its own port
front, backend = in_process(spec, epoch_us)    the same services for virtual time
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from player.backend.front import BACKLOG, Front, listening
from player.backend.in_process import InProcess
from player.backend.license_server.log import Listener
from player.backend.license_server.service import CLEARKEY_PATH, HIERARCHY_PATH, LicenseServer
from player.backend.origin.presentation import Presentation
from player.backend.origin.service import Origin
from player.backend.rotation.keys import KeyRings
from player.backend.spec import BackendSpec, Form
from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.errors import BackendError, UsageError
from player.ids import CLEARKEY, HIERARCHY

LOOPBACK: Final = "127.0.0.1"
ORIGIN_HOST: Final = "origin.test"
LICENSE_HOST: Final = "license.test"
_LOOP_US: Final = 8 * SECOND  # the clip repeats after so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a running backend is. `license_urls` by key system; `t0_epoch_us` is the wall time of run-clock 0."""

    live_url: str
    vod_url: str
    license_urls: Mapping[str, str]
    t0_epoch_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of one backend, and where they are."""

    backend: Backend
    presentations: Mapping[Form, Presentation]
    origin: Origin
    license_server: LicenseServer


def build(spec: BackendSpec, *, origin: str, license: str, epoch_us: int, log: Listener | None = None) -> Services:  # noqa: A002 # the word of the domain
    """The services for these authorities ("127.0.0.1:8080").

    Raises: BackendError for content that cannot be made.
    """
    seed = secrets.randbits(256) if spec.seed is None else spec.seed
    license_urls = {CLEARKEY: f"http://{license}{CLEARKEY_PATH}", HIERARCHY: f"http://{license}{HIERARCHY_PATH}"}
    draw = Draw(seed, "origin")
    presentations = {form: Presentation(spec.content, form, draw, license_urls, epoch_us) for form in Form}
    rings = KeyRings([presentation.ring for presentation in presentations.values()])
    return Services(
        backend=Backend(
            live_url=f"http://{origin}/live/manifest.mpd",
            vod_url=f"http://{origin}/vod/manifest.mpd",
            license_urls=MappingProxyType(license_urls),
            t0_epoch_us=epoch_us,
        ),
        presentations=presentations,
        origin=Origin(presentations, url=f"http://{origin}", epoch_us=epoch_us),
        license_server=LicenseServer(spec.license, rings, Draw(seed, "license"), epoch_us, listen=log),
    )


def in_process(
    spec: BackendSpec | None = None, epoch_us: int = VIRTUAL_EPOCH_US, *, log: Listener | None = None
) -> tuple[InProcess, Backend]:
    """The services behind the hosts `origin.test` and `license.test`, without sockets and without a clock."""
    services = build(spec or BackendSpec(), origin=ORIGIN_HOST, license=LICENSE_HOST, epoch_us=epoch_us, log=log)
    front = InProcess({ORIGIN_HOST: services.origin, LICENSE_HOST: services.license_server})
    return front, services.backend


@asynccontextmanager
async def serve(
    spec: BackendSpec | None = None,
    *,
    log: Listener | None = None,
    listen: str = LOOPBACK,
    token: str | None = None,
    t0_epoch_us: int | None = None,
) -> AsyncIterator[Backend]:
    """Serve on free ports of `listen` until the context is left.

    Run-clock 0 is `t0_epoch_us`, or the start rounded down to the clip's loop, so that there is content at once.

    Raises: UsageError for an address beyond loopback without a token, or a token without such an address.
    """
    if (listen != LOOPBACK) != (token is not None):
        raise UsageError("serving beyond loopback needs an address and a token, both or neither")
    with bound(listen) as origin, bound(listen) as license_server:
        epoch_us = wall_us() // _LOOP_US * _LOOP_US if t0_epoch_us is None else t0_epoch_us
        services = build(
            spec or BackendSpec(),
            origin=authority(origin),
            license=authority(license_server),
            epoch_us=epoch_us,
            log=log,
        )
        async with answering(services, origin, license_server, token=token):
            yield services.backend


@asynccontextmanager
async def answering(
    services: Services, origin: socket.socket, license_server: socket.socket, *, token: str | None = None
) -> AsyncIterator[None]:
    """Answer on two bound sockets until the context is left."""
    now = RunClock(services.backend.t0_epoch_us).now
    async with AsyncExitStack() as fronts:
        await fronts.enter_async_context(listening(Front(services.origin, now, token=token), origin))
        await fronts.enter_async_context(listening(Front(services.license_server, now, token=token), license_server))
        yield


class RunClock:
    """The run clock on this machine: wall time read once, monotonic from then on."""

    def __init__(self, epoch_us: int) -> None:
        self._offset_us = wall_us() - epoch_us - time.monotonic_ns() // 1000

    def now(self) -> int:
        return time.monotonic_ns() // 1000 + self._offset_us


def wall_us() -> int:
    """µs since 1970 UTC."""
    return time.time_ns() // 1000


def bound(address: str) -> socket.socket:
    """A socket on a free port, listening already: who connects before it is served waits.

    Raises: BackendError (`no-address`).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.bind((address, 0))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise BackendError("no-address", f"cannot listen on {address}: {error.strerror}") from None
    opened.setblocking(False)
    return opened


def authority(opened: socket.socket) -> str:
    """Host and port as they stand in a URL."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
