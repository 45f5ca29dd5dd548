"""What the player tells of itself with its requests (CMCD): in virtual time, beside the embedded backend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Form, Rotation
from player.engine.profile import Profile
from player.runtime.links import Link, LinkChange
from player.stream.events import Stalled
from player.wire.cmcd import Transmission
from player.wire.http import Reply, Request, Service
from tests.engine.conftest import Watch, Watched

LIVE = BackendSpec(seed=1, content=ContentSpec(rotation=Rotation.IN_BAND))
VOD = BackendSpec(seed=1, content=ContentSpec(form=Form.VOD))


class Recorder:
    """A service, and the requests that came to it."""

    def __init__(self, inner: Service) -> None:
        self.inner = inner
        self.seen: list[Request] = []

    def receive(self, request: Request, now: int) -> None:
        self.seen.append(request)
        self.inner.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        self.inner.gone(request_id, now)

    def replies(self) -> Iterable[Reply]:
        return self.inner.replies()

    def deadline(self) -> int | None:
        return self.inner.deadline()

    def handle_deadline(self, now: int) -> None:
        self.inner.handle_deadline(now)


def _said(request: Request) -> dict[str, str]:
    """Key to value, from the argument or the headers."""
    [argument] = parse_qs(urlsplit(request.target).query).get("CMCD", [""])
    headers = [value for name, value in request.headers if name.startswith("cmcd-")]
    pairs = [pair.partition("=") for text in (argument, *headers) for pair in text.split(",") if pair]
    return {key: value for key, _, value in pairs}


def _play(watch: Watch, backend: BackendSpec = LIVE, **options: object) -> tuple[Watched, list[Request]]:
    recorders: list[Recorder] = []

    def record(service: Service) -> Service:
        recorders.append(Recorder(service))
        return recorders[0]

    watched = watch(backend, wrap=record, **({"cmcd": Transmission.QUERY} | options))
    return watched, recorders[0].seen


def _of(requests: list[Request], path: str) -> list[dict[str, str]]:
    return [_said(request) for request in requests if path in request.target.partition("?")[0]]


def test_nothing_is_told_where_nobody_asked(watch: Watch) -> None:
    _, seen = _play(watch, cmcd=None)
    assert seen
    assert not any(_said(request) for request in seen)


@pytest.mark.rule("dash:N5")
def test_each_request_tells_what_is_asked_for_and_whose_session_it_is(watch: Watch) -> None:
    _, seen = _play(watch)
    mpds, inits, licenses = _of(seen, "manifest.mpd"), _of(seen, "init"), _of(seen, "/license")
    media = _of(seen, ".m4s")
    assert {said["ot"] for said in mpds} == {"m"}
    assert {said["ot"] for said in inits} == {"i"}
    assert {said["ot"] for said in licenses} == {"k"}
    assert {said["ot"] for said in media} == {"v", "a"}
    everything = [_said(request) for request in seen]
    assert len({said["sid"] for said in everything}) == len({said["cid"] for said in everything}) == 1
    assert len(everything[0]["sid"]) == len('"6e2fb550-c457-11e9-bb97-0800200c9a66"')
    assert [said.get("st") for said in mpds][:2] == [None, "l"]
    assert {said["sf"] for said in everything} == {"d"}


def test_a_segment_request_tells_of_buffer_rate_and_what_comes_next(watch: Watch) -> None:
    _, seen = _play(watch)
    first, *others = _of(seen, "video-180p/")[1:]
    assert {"su", "br", "tb", "d", "nor"} <= first.keys()
    assert not {"dl", "bs"} & first.keys()
    assert (first["d"], first["br"]) == ("2000", "50")
    later = others[-1]
    assert "su" not in later
    assert 0 <= int(later["dl"]) <= int(later["bl"]) + 100
    assert {int(said[key]) % 100 for said in others for key in ("bl", "dl", "mtp", "rtp") if key in said} == {0}
    targets = [request.target for request in seen if "180p/" in request.target and ".m4s" in request.target]
    numbers = [int(target.partition(".m4s")[0].rpartition("/")[2]) for target in targets]
    assert [said["nor"] for said in (first, *others)] == [f'"{number + 1}.m4s"' for number in numbers]


def test_a_track_that_starved_says_so_once(watch: Watch) -> None:
    link = Link(
        changes=(
            LinkChange(at_us=8_000_000, bits_per_second=0),
            LinkChange(at_us=16_000_000, bits_per_second=20_000_000),
        )
    )
    watched, seen = _play(watch, link=link)
    assert watched.of(Stalled)
    starved = [said for said in _of(seen, ".m4s") if "bs" in said]
    assert 1 <= len(starved) <= 6  # attempts while nothing comes, and the first request after them
    assert "bs" not in _of(seen, ".m4s")[-1]


@pytest.mark.parametrize("transmission", Transmission)
def test_both_ways_say_the_same(watch: Watch, transmission: Transmission) -> None:
    _, seen = _play(watch, cmcd=transmission)
    plain = Transmission.QUERY is transmission
    assert all(("CMCD=" in request.target) is plain for request in seen)
    assert all(any(name.startswith("cmcd-") for name, _ in request.headers) is not plain for request in seen)
    _, other = _play(watch, cmcd=next(way for way in Transmission if way is not transmission))
    assert [_said(request) for request in seen] == [_said(request) for request in other]


def test_a_profile_may_keep_it_from_license_servers(watch: Watch, ideal: Profile) -> None:
    silent = replace(ideal, network=replace(ideal.network, cmcd_on_license=False))
    _, seen = _play(watch, profile=silent)
    assert not any(_of(seen, "/license"))
    assert all(_of(seen, ".m4s"))


@pytest.mark.rule("dash:N5")
def test_nothing_secret_is_told(watch: Watch) -> None:
    headers = (("authorization", "Bearer s3cret-header"),)
    for way in Transmission:
        _, seen = _play(
            watch,
            mpd_url="http://user:s3cret-login@origin.test/live/manifest.mpd?token=s3cret-query",
            license_headers=headers,
            cmcd=way,
        )
        for request in seen:
            assert "s3cret" not in str(_said(request))
            assert "s3cret" not in request.target.replace("token=s3cret-query", "")


def test_playing_is_not_changed_by_telling_of_it(watch: Watch) -> None:
    silent, _ = _play(watch, cmcd=None)
    for way in Transmission:
        telling, _ = _play(watch, cmcd=way)
        assert telling.events == silent.events
