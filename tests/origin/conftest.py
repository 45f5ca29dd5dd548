"""An origin without sockets: `origin(content)` gives a function that fetches a target at an instant."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from player.backend.serve import ORIGIN_HOST, in_process
from player.backend.spec import BackendSpec, ContentSpec
from player.clock import us
from player.wire.http import Reply, Request

Fetch = Callable[..., Reply]


@pytest.fixture
def origin() -> Callable[..., Fetch]:
    def make(seed: int = 1, /, **content: object) -> Fetch:
        front, _ = in_process(BackendSpec(content=ContentSpec(**content), seed=seed))  # type: ignore[arg-type]
        ids = count(1)

        def fetch(target: str, at_s: float = 0.0, *, method: str = "GET", **headers: str) -> Reply:
            given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
            front.receive(Request(next(ids), method, ORIGIN_HOST, target, given, b""), us(at_s))
            (reply,) = front.replies()
            return reply

        return fetch

    return make
