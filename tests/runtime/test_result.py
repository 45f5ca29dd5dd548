"""The result as a fold over events."""

from __future__ import annotations

import json

from player.drm.cause import Cause
from player.drm.events import KeyStatusChanged, LicenseAnswered, LicenseFailed, LicenseRequested, SessionCreated
from player.eme.events import Encrypted
from player.errors import LicenseError
from player.ids import KeyId
from player.isobmff.sample import Sample
from player.runtime.result import PlayResult, ResultFold
from player.runtime.sinks import HashSink
from player.stream.events import Blocked, Ended, RepresentationChosen, Resumed, SegmentLoaded, Started, TrackOpened
from player.trace.event import Event

A, B = KeyId(bytes(15) + b"\x01"), KeyId(bytes(15) + b"\x02")
MPD = "http://origin.test/manifest.mpd"


def _folded(*events: Event, sink: HashSink | None = None, error: LicenseError | None = None) -> PlayResult:
    fold = ResultFold(MPD)
    for event in events:
        fold.take(event)
    return fold.result(sink or HashSink(), error)


def _requested(sequence: int, attempt: int = 1, *, local: bool = False) -> LicenseRequested:
    return LicenseRequested(
        slot=0,
        sequence=sequence,
        attempt=attempt,
        cause=Cause.START,
        origin=Cause.START,
        kids=(A,),
        intended_us=0,
        local=local,
    )


def _answered(sequence: int, outcome: str = "ok") -> LicenseAnswered:
    return LicenseAnswered(slot=0, sequence=sequence, attempt=1, outcome=outcome, sent_us=0, duration_us=1)


def test_nothing_played_is_a_result_too() -> None:
    result = _folded()
    assert (result.ended, result.played_s, result.startup_s, result.tracks, result.error) == (
        False,
        0.0,
        None,
        (),
        None,
    )
    assert json.loads(json.dumps(result.as_json()))["mpd"] == MPD


def test_requests_licenses_retries_and_local_ones_are_told_apart() -> None:
    result = _folded(
        SessionCreated(slot=0, kids=(A,)),
        _requested(0),
        _answered(0, "http-503"),
        _requested(1, attempt=2),
        _answered(1),
        _requested(2, local=True),
        _answered(2),
        LicenseFailed(slot=1, kids=(B,), code="http-403", reason="no"),
    )
    assert (result.license_requests, result.retries, result.licenses) == (2, 1, 1)
    assert (result.local_licenses, result.license_failures, result.sessions) == (1, 1, 1)


def test_the_last_status_of_a_key_counts_and_keys_are_sorted() -> None:
    changes = [(B, "requested"), (A, "requested"), (B, "usable"), (A, "failed")]
    result = _folded(*(KeyStatusChanged(kid=kid, old="", new=new, why="") for kid, new in changes))
    assert list(result.keys.items()) == [(A, "failed"), (B, "usable")]
    assert list(result.as_json()["keys"]) == [str(A), str(B)]


def test_tracks_join_what_events_and_sink_say() -> None:
    sink = HashSink()
    sink.write(0, 0, bytearray(b"abc"), [Sample(0, 3, 1, None, b"", ())])
    result = _folded(
        TrackOpened(period=0, track=0, kind="video", adaptation_set="v", codecs="avc1"),
        RepresentationChosen(track=0, representation="low", bandwidth=1),
        SegmentLoaded(track=0, number=1, start_us=0, end_us=1, bytes=3, kids=(A,)),
        RepresentationChosen(track=0, representation="high", bandwidth=2),
        SegmentLoaded(track=0, number=2, start_us=1, end_us=2, bytes=3, kids=(A,)),
        SegmentLoaded(track=0, number=3, start_us=2, end_us=3, bytes=3, kids=(B,)),
        TrackOpened(period=1, track=0, kind="video", adaptation_set="v2", codecs="avc1"),
        sink=sink,
    )
    (track,) = result.tracks
    assert (track.id, track.representations, track.samples, track.bytes) == ("v", ("low", "high"), 1, 3)
    assert (result.periods, result.crypto_periods) == (2, 2)


def test_stalls_waits_and_the_end_are_in_seconds() -> None:
    result = _folded(
        Started(position_us=0, startup_us=250_000),
        Resumed(position_us=4_000_000, for_us=1_500_000, cause="key"),
        Blocked(position_us=8_000_000, kid=A, for_us=20_000),
        Encrypted(track=0, init_data_type="cenc", init_data=b"1"),
        Encrypted(track=1, init_data_type="cenc", init_data=b"1"),
        Encrypted(track=1, init_data_type="keyids", init_data=b"1"),
        Ended(position_us=16_000_000, played_us=16_000_000, ended=True),
    )
    plain = result.as_json()
    assert plain["stalls"] == [{"at_s": 4.0, "for_s": 1.5, "cause": "key"}]
    assert plain["blocked"] == [{"at_s": 8.0, "for_s": 0.02, "kid": str(A)}]
    assert (result.startup_s, result.played_s, result.ended) == (0.25, 16.0, True)
    assert (result.encrypted_events, result.init_data_distinct) == (3, 2)


def test_the_error_that_ended_the_machine_is_told() -> None:
    result = _folded(error=LicenseError("no-license-url", "no license URL"))
    assert result.as_json()["error"] == {"code": "no-license-url", "message": "no license URL"}
