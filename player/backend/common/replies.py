"""Answers that every service gives alike: JSON, problems, cross-origin headers, and the reply to a wrong route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final

from player.wire import problem
from player.wire.http import Reply, Request
from player.wire.strict import MAX_DOCUMENT_BYTES, JsonObject, write_object

Headers = tuple[tuple[str, str], ...]
Handler = Callable[[Request, int], Reply | None]
"""Answers at once, or gives None and answers later."""

CORS: Final[Headers] = (
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "date, etag, retry-after"),
)
NO_STORE: Final = ("cache-control", "no-store")  # whatever carries a token, a license or a key
JSON: Final = "application/json"


def reply(request: Request, status: int, body: bytes = b"", content_type: str = "", *, headers: Headers = ()) -> Reply:
    """An answer any page may read (cross-origin)."""
    kind = (("content-type", content_type),) if content_type else ()
    return Reply(request.id, status, (*kind, *CORS, *headers), body)


def json_reply(request: Request, value: JsonObject, *, headers: Headers = ()) -> Reply:
    return reply(request, 200, write_object(value), JSON, headers=headers)


def problem_reply(request: Request, record: problem.Problem, *, headers: Headers = ()) -> Reply:
    return reply(request, record.status, problem.write(record), problem.CONTENT_TYPE, headers=(NO_STORE, *headers))


def health_reply(request: Request, service: str) -> Reply:
    """The answer to `GET /v1/health`."""
    return json_reply(request, {"up": True, "service": service, "version": version("keystorm")})


def closed(request: Request) -> Reply:
    """The server closes the connection without an answer."""
    return Reply(request.id, 0, (), b"")


def preflight(request: Request, methods: str) -> Reply:
    """The answer to OPTIONS (Fetch standard, CORS-preflight)."""
    allow: Headers = (
        ("access-control-allow-methods", methods),
        ("access-control-allow-headers", "authorization, content-type, range"),
        ("access-control-max-age", "86400"),
    )
    return reply(request, 204, headers=allow)


def route(routes: Mapping[str, Mapping[str, Handler]], request: Request, now: int) -> Reply | None:
    """Hands a request to its handler (path → method → handler), or answers 404, 405, 413 or OPTIONS itself."""
    handlers = routes.get(request.target.partition("?")[0])
    if handlers is None:
        return problem_reply(request, problem.Problem(type="about:blank", title="Not Found", status=404))
    methods = ", ".join((*handlers, "OPTIONS"))
    if request.method == "OPTIONS":
        return preflight(request, methods)
    if request.method not in handlers:
        wrong = problem.Problem(type="about:blank", title="Method Not Allowed", status=405)
        return problem_reply(request, wrong, headers=(("allow", methods),))
    if len(request.body) > MAX_DOCUMENT_BYTES:
        return problem_reply(request, problem.Problem(type="about:blank", title="Content Too Large", status=413))
    return handlers[request.method](request, now)
