"""Segments and MPDs that do not come at once: waits, attempts, validators."""

from __future__ import annotations

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Form
from player.clock import SECOND
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
from player.engine.fetching import is_final, validators, wait_us
from player.stream.events import SegmentFailed, Stalled
from player.wire.http import Reply, Request, Service
from tests.engine.conftest import Watch
from tests.engine.test_failures import Meddled

Headers = tuple[tuple[str, str], ...]

LIVE = BackendSpec(content=ContentSpec(tracks=("video-180p", "audio")), seed=1)
VOD = BackendSpec(content=ContentSpec(form=Form.VOD, tracks=("video-180p", "audio")), seed=1)
FETCH = Fetch(kind=FetchKind.MEDIA, url="http://origin.test/x")


def _answer(status: int, *headers: tuple[str, str]) -> Fetched:
    return Fetched(action=FETCH, status=status, url=FETCH.url, headers=headers)


class Refusing:
    """Answers the first requests for one resource otherwise; `times` are the instants of all of them."""

    def __init__(self, part: str, status: int, count: int, headers: Headers = ()) -> None:
        self.part, self.status, self.count, self.headers = part, status, count, headers
        self.times: list[int] = []

    def __call__(self, service: Service) -> Meddled:
        return Meddled(service, self.meddle)

    def meddle(self, request: Request, now: int) -> Reply | None:
        if self.part not in request.target:
            return None
        self.times.append(now)
        return Reply(request.id, self.status, self.headers, b"") if len(self.times) <= self.count else None

    @property
    def waits_s(self) -> list[float]:
        return [(after - before) / SECOND for before, after in zip(self.times, self.times[1:], strict=False)]


@pytest.mark.rule("dash:N4")
@pytest.mark.parametrize(("status", "headers", "least_s"), [(503, (("retry-after", "4"),), 4.0), (429, (), 0.5)])
def test_a_segment_refused_for_load_is_asked_for_again_when_the_server_says(
    watch: Watch, status: int, headers: Headers, least_s: float
) -> None:
    refusing = Refusing("video-180p/1.m4s", status, 1, headers)
    watched = watch(VOD, wrap=refusing)
    assert watched.error is None
    assert not watched.of(SegmentFailed)
    [wait_s] = refusing.waits_s
    assert least_s <= wait_s < least_s + 0.1


@pytest.mark.rule("dash:N4")
def test_a_segment_missing_at_the_live_edge_is_asked_for_again_before_it_is_given_up(watch: Watch) -> None:
    refusing = Refusing("video-180p/14.m4s", 404, 1)
    watched = watch(LIVE, wrap=refusing)
    assert len(refusing.times) == 2
    assert not watched.of(SegmentFailed)
    assert not watched.of(Stalled)


def test_an_mpd_without_an_etag_is_validated_by_its_date(watch: Watch) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    seen: list[str | None] = []

    class Dated(Meddled):
        def replies(self) -> list[Reply]:
            return [reply._replace(headers=tuple(map(_dated, reply.headers))) for reply in super().replies()]

    def _dated(header: tuple[str, str]) -> tuple[str, str]:
        return ("last-modified", date) if header[0] == "etag" else header

    def note(request: Request, _now: int) -> Reply | None:
        if "manifest.mpd" in request.target:
            seen.append(request.header("if-modified-since"))
            if len(seen) > 1:
                return Reply(request.id, 304, (), b"")
        return None

    watched = watch(LIVE, wrap=lambda service: Dated(service, note))
    assert watched.error is None
    assert seen[0] is None
    assert set(seen[1:]) == {date}


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ((("etag", 'W/"1"'), ("last-modified", "x")), (("if-none-match", 'W/"1"'),)),
        ((("etag", '"1"'), ("etag", '"2"')), (("if-none-match", '"1"'),)),
        ((("last-modified", "x"),), (("if-modified-since", "x"),)),
        ((), ()),
    ],
)
def test_validators(headers: Headers, sent: Headers) -> None:
    assert validators(headers) == sent


@pytest.mark.parametrize(
    ("result", "final"),
    [
        (_answer(200), True),
        (_answer(404), True),
        (_answer(416), True),
        *((_answer(status), False) for status in (408, 425, 429, 500, 502, 503, 504)),
        (FetchFailed(action=FETCH, code="refused-url", reason=""), True),
        *((FetchFailed(action=FETCH, code=code, reason=""), False) for code in ("timeout", "broken", "unreachable")),
    ],
)
def test_what_would_come_again_is_not_asked_for_again(result: Fetched | FetchFailed, final: bool) -> None:
    assert is_final(result) is final


@pytest.mark.rule("dash:N4")
@pytest.mark.parametrize(
    ("failed", "result", "wait_s"),
    [
        (1, None, 0.5),
        (2, _answer(500, ("retry-after", "9")), 1.0),
        (99, None, 2.0),
        (1, _answer(503, ("retry-after", "9")), 9.0),
        (3, _answer(429, ("retry-after", "1")), 2.0),
        (1, _answer(503, ("retry-after", "999999999")), 60.0),
        (1, _answer(503, ("retry-after", "soon")), 0.5),
        (1, _answer(503, ("retry-after", "Thu, 01 Jan 1970 00:00:07 GMT")), 7.0),
    ],
)
def test_the_wait_is_the_servers_where_it_names_one(failed: int, result: Fetched | None, wait_s: float) -> None:
    assert wait_us(failed, result, wall_us=0) == wait_s * SECOND
