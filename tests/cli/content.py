"""Bytes of our own origin, without sockets."""

from __future__ import annotations

from typing import Any

from player.backend.serve import ORIGIN_HOST, in_process
from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.clock import us
from player.isobmff.sample import Scheme
from player.wire.http import Request

AT_S = 20.0


def fetched(*targets: str, scheme: str = "cenc", rotation: str = "none", **content: Any) -> tuple[bytes, ...]:
    """What the origin of seed 1 answers 20 s after its start, for each path."""
    spec = ContentSpec(scheme=Scheme(scheme), rotation=Rotation(rotation), **content)
    front, _ = in_process(BackendSpec(content=spec, seed=1))
    bodies: list[bytes] = []
    for number, target in enumerate(targets):
        front.receive(Request(number, "GET", ORIGIN_HOST, f"/{target}", (), b""), us(AT_S))
        (reply,) = front.replies()
        assert reply.status == 200, target
        bodies.append(reply.body)
    return tuple(bodies)
