from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from player.backend.spec import Addressing, Rotation
from player.errors import BackendError
from player.wire.http import Reply

MakeOrigin = Callable[..., Callable[..., Reply]]

MPD = "/live/manifest.mpd"


def header(reply: Reply, name: str) -> str | None:
    return next((value for key, value in reply.headers if key == name), None)


@pytest.mark.rule("decisions:D62")
def test_an_mpd_is_revalidated_by_its_etag(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.NEW_PERIOD, crypto_period_s=8)
    first = fetch(MPD, 1)
    etag = header(first, "etag")
    assert (first.status, header(first, "cache-control")) == (200, "max-age=2")
    assert etag is not None
    for tags in (etag, f'"other", W/{etag}', "*"):
        same = fetch(MPD, 1.5, if_none_match=tags)
        assert (same.status, same.body, header(same, "etag")) == (304, b"", etag)
    changed = fetch(MPD, 20, if_none_match=etag)
    assert changed.status == 200
    assert changed.body != first.body


@pytest.mark.rule("decisions:D62")
def test_segments_never_change(origin: MakeOrigin) -> None:
    fetch = origin()
    first, again = fetch("/live/audio/3.m4s", 0), fetch("/live/audio/3.m4s", 9)
    assert first.body == again.body
    assert header(first, "cache-control") == "public, max-age=31536000, immutable"


def test_a_segment_exists_from_its_availability_to_the_end_of_the_window(origin: MakeOrigin) -> None:
    fetch = origin()
    early = fetch("/live/audio/12.m4s", 1.999999)
    assert (early.status, header(early, "cache-control")) == (404, "no-store")
    assert json.loads(early.body)["detail"] == "this segment is not available yet: 0.000 s to go"
    assert [fetch("/live/audio/12.m4s", at).status for at in (2, 26, 35.9, 36)] == [200, 200, 200, 404]


def test_a_segment_is_found_by_its_time_as_by_its_number(origin: MakeOrigin) -> None:
    fetch = origin(addressing=Addressing.TIME)
    assert fetch("/live/audio/time-96256.m4s").body == fetch("/live/audio/1.m4s").body
    assert fetch("/live/audio/time-96257.m4s").status == 404


def test_equal_seeds_give_equal_bytes(origin: MakeOrigin) -> None:
    paths = [MPD, "/vod/manifest.mpd", "/live/audio/init.mp4", "/live/video-180p/4.m4s", "/vod/video-180p/4.m4s"]
    assert [origin(5)(path).body for path in paths] == [origin(5)(path).body for path in paths]
    assert all(origin(5)(path).body != origin(6)(path).body for path in paths)


def test_live_and_vod_share_no_key(origin: MakeOrigin) -> None:
    fetch = origin()
    assert fetch("/live/audio/1.m4s").body != fetch("/vod/audio/1.m4s").body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/live",
        "/live/manifest.mpd/",
        "/live/../vod/manifest.mpd",
        "/live/text/1.m4s",
        "/live/audio/01x.m4s",
        "/live/audio/99999999999999999999.m4s",
        "/live/audio/init-p0.mp4",
        "/vod/audio/8.m4s",
        "/live/audio/time-1.m4s",
        "/live/%61udio/1.m4s",
        "/live/aud\x00io/1.m4s",
    ],
)
def test_what_does_not_exist_is_not_found(origin: MakeOrigin, path: str) -> None:
    assert origin()(path).status == 404


def test_the_init_segment_of_a_period_comes_with_the_period(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.NEW_PERIOD, crypto_period_s=8)
    assert [fetch("/live/audio/init-p2.mp4", at).status for at in (7.9, 8)] == [404, 200]
    assert fetch("/live/audio/init-p999999999.mp4").status == 404
    assert fetch("/live/audio/init.mp4").status == 404


def test_query_strings_change_nothing(origin: MakeOrigin) -> None:
    assert origin()(MPD + "?a=1").body == origin()(MPD).body


def test_head_says_what_get_would_bring(origin: MakeOrigin) -> None:
    fetch = origin()
    head, get = fetch(MPD, method="HEAD"), fetch(MPD)
    assert (head.status, head.body, header(head, "content-length")) == (200, b"", str(len(get.body)))


def test_any_page_may_read_and_nobody_may_write(origin: MakeOrigin) -> None:
    fetch = origin()
    preflight = fetch(MPD, method="OPTIONS", origin="https://page.example")
    assert preflight.status == 204
    assert header(preflight, "access-control-allow-methods") == "GET, HEAD, OPTIONS"
    assert all(header(fetch(path), "access-control-allow-origin") == "*" for path in (MPD, "/time", "/nothing"))
    assert fetch(MPD, method="POST").status == 405


def test_the_time_is_the_instant(origin: MakeOrigin) -> None:
    reply = origin()("/time", 1.2345)
    assert reply.body == b"2026-01-01T00:00:01.234Z"
    assert header(reply, "cache-control") == "no-store"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tracks": ("video-180p", "text")},
        {"tracks": ()},
        {"tracks": ("audio", "audio")},
        {"clip": "other"},
        {"scheme": "cens"},
        {"segment_s": 3},
        {"duration_s": 3},
        {"rotation": Rotation.IN_BAND, "crypto_period_s": 9},
    ],
)
def test_content_that_cannot_be_made_is_refused(origin: MakeOrigin, wrong: dict[str, object]) -> None:
    with pytest.raises(BackendError):
        origin(**wrong)
