"""The license server from request to reply, through the five verbs of a service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from player.backend.common.faults import MODES
from player.backend.common.keys import HeldKey, KeyKind, KeyTable
from player.backend.license_server.log import LicenseLogEntry
from player.backend.license_server.service import CLEARKEY_PATH, HIERARCHY_PATH, LicenseServer
from player.backend.license_server.tickets import Tickets
from player.backend.spec import Admission, Fault, LicenseSpec, Overload
from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.errors import BackendError
from player.ids import ContentKey, KeyId
from player.wire import clearkey, hierarchy, keyids, problem, release
from player.wire.hierarchy import LicenseRequest, Use
from player.wire.http import Reply, Request
from player.wire.release import Release, Times

EPOCH_MS = VIRTUAL_EPOCH_US // 1000
TIERS = ("video", "audio")
PERIODS = 4


def kid(tier: str, period: int) -> KeyId:
    return KeyId.cenc(f"kid-{tier}-{period}".ljust(16, ".").encode())


def held(tier: str, period: int, **changes: Any) -> HeldKey:
    fields: dict[str, Any] = {
        "kid": kid(tier, period),
        "key": ContentKey(f"KEY-{tier}-{period}".ljust(16, "!").encode()),
        "group": f"g-{period}",
        "tier": tier,
        "period": period,
    }
    return HeldKey(**(fields | changes))


CONTENT = [held(tier, period) for period in range(PERIODS) for tier in TIERS]
ROOT = held("root", 0, kind=KeyKind.ROOT, group="g-root")


class Served:
    """A license server with its replies and its log, on a clock that stands where it is put."""

    def __init__(self, spec: LicenseSpec | None = None, keys: list[HeldKey] | None = None) -> None:
        self.log: list[LicenseLogEntry] = []
        source = KeyTable(keys or [*CONTENT, ROOT])
        self.server = LicenseServer(
            spec or LicenseSpec(), source, Draw(1, "license"), VIRTUAL_EPOCH_US, listen=self.log.append
        )
        self.asked = 0

    def ask(self, method: str, target: str, body: bytes = b"", now: int = 0, **headers: str) -> list[Reply]:
        self.asked += 1
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        self.server.receive(Request(self.asked, method, "127.0.0.1", target, named, body), now)
        return list(self.server.replies())

    def only(self, method: str, target: str, body: bytes = b"", now: int = 0, **headers: str) -> Reply:
        (answer,) = self.ask(method, target, body, now, **headers)
        assert answer.id == self.asked
        return answer

    def clearkey(self, *kids: KeyId, now: int = 0, **headers: str) -> Reply:
        return self.only("POST", CLEARKEY_PATH, clearkey.write_request(kids, "temporary"), now, **headers)

    def hierarchy(self, *kids: KeyId, now: int = 0, session_type: str = "temporary") -> hierarchy.License:
        body = hierarchy.write_request(LicenseRequest(kids=kids, type=session_type))
        answer = self.only("POST", HIERARCHY_PATH, body, now)
        assert answer.status == 200
        return hierarchy.read_license(answer.body)

    def drain(self) -> list[tuple[int, Reply]]:
        """Everything still to come, each with its instant."""
        found = []
        while (due := self.server.deadline()) is not None:
            self.server.handle_deadline(due)
            found += [(due, answer) for answer in self.server.replies()]
        return found


def header(answer: Reply, name: str) -> str | None:
    return dict(answer.headers).get(name)


def given_kids(answer: Reply) -> list[KeyId]:
    assert answer.status == 200
    return [found for found, _ in clearkey.read_license(answer.body).keys]


def test_a_clear_key_request_brings_its_key() -> None:
    answer = Served().clearkey(kid("video", 1))
    assert (answer.status, header(answer, "content-type")) == (200, "application/json")
    assert clearkey.read_license(answer.body).keys == ((CONTENT[2].kid, CONTENT[2].key),)


def test_a_license_may_be_read_by_any_page_and_kept_by_no_cache() -> None:
    answer = Served().clearkey(kid("video", 1))
    assert header(answer, "access-control-allow-origin") == "*"
    assert header(answer, "cache-control") == "no-store"


def test_a_padded_request_is_read_too() -> None:
    body = b'{"kids":["' + b"a2lkLXZpZGVvLTEuLi4uLg" + b'=="],"type":"temporary"}'
    assert given_kids(Served().only("POST", CLEARKEY_PATH, body)) == [kid("video", 1)]


@pytest.mark.rule("decisions:D41")
@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ("requested", [("video", 1)]),
        ("group", [("video", 1), ("audio", 1)]),
        ("next:1", [("video", 1)]),
        ("next:2", [("video", 1), ("video", 2)]),
        ("next:9", [("video", 1), ("video", 2), ("video", 3)]),
        ("all", [("video", 1), *[(tier, period) for period in range(PERIODS) for tier in TIERS]]),
    ],
)
def test_the_grant_decides_what_comes_back(grant: str, expected: list[tuple[str, int]]) -> None:
    answer = Served(LicenseSpec(grant=grant)).clearkey(kid("video", 1))
    assert given_kids(answer) == list(dict.fromkeys(kid(*place) for place in expected))


@pytest.mark.rule("decisions:D41")
def test_a_withheld_key_is_silently_left_out() -> None:
    served = Served(LicenseSpec(grant="group", withhold=(kid("video", 1),)))
    assert given_kids(served.clearkey(kid("video", 1), kid("audio", 1))) == [kid("audio", 1)]


@pytest.mark.rule("decisions:D42")
def test_two_requested_groups_come_without_repeats() -> None:
    served = Served(LicenseSpec(grant="group"))
    answer = served.clearkey(kid("audio", 0), kid("video", 0), kid("video", 2))
    assert given_kids(answer) == [kid("audio", 0), kid("video", 0), kid("video", 2), kid("audio", 2)]


@pytest.mark.parametrize("grant", ["", "next:0", "next:", "next:x", "everything"])
def test_a_grant_that_means_nothing_is_refused_at_the_start(grant: str) -> None:
    with pytest.raises(BackendError, match="grant"):
        Served(LicenseSpec(grant=grant))


@pytest.mark.rule("decisions:D29")
@pytest.mark.parametrize("asked", [KeyId(b"unknown"), kid("video", 0), ROOT.kid])
def test_clear_key_answers_403_where_nothing_is_granted(asked: KeyId) -> None:
    answer = Served(LicenseSpec(withhold=(kid("video", 0),))).clearkey(asked)
    told = problem.read(answer.body)
    assert (answer.status, told.status, told.reason) == (403, 403, "kids")
    assert told.type == "https://dashif.org/drm-problems/insufficient-proof-of-authorization"
    assert header(answer, "content-type") == "application/problem+json"


@pytest.mark.rule("decisions:D24")
def test_the_hierarchy_answers_an_empty_license_where_every_key_is_withheld() -> None:
    assert Served(LicenseSpec(withhold=(ROOT.kid,))).hierarchy(ROOT.kid).keys == ()


@pytest.mark.rule("decisions:D25")
@pytest.mark.rule("decisions:D27")
def test_a_root_key_is_marked_as_wrapping() -> None:
    license_read = Served().hierarchy(ROOT.kid, kid("video", 0))
    assert [(key.kid, key.use) for key in license_read.keys] == [
        (ROOT.kid, Use.WRAP),
        (kid("video", 0), Use.CONTENT),
    ]
    assert license_read.policy.exp_ms is None


@pytest.mark.rule("decisions:D25")
def test_a_license_ends_with_the_first_of_its_keys_and_names_the_start_of_those_ahead() -> None:
    keys = [
        held("video", 0, from_ms=EPOCH_MS - 5, until_ms=EPOCH_MS + 60_000),
        held("audio", 0, from_ms=EPOCH_MS + 8_000, until_ms=EPOCH_MS + 30_000),
        held("video", 1, until_ms=EPOCH_MS + 1_000),
    ]
    license_read = Served(keys=keys).hierarchy(*(key.kid for key in keys), now=2 * SECOND)
    assert [(key.kid, key.nbf_ms) for key in license_read.keys] == [
        (keys[0].kid, None),
        (keys[1].kid, EPOCH_MS + 8_000),
    ], "the third has ended"
    assert license_read.policy.exp_ms == EPOCH_MS + 30_000


@pytest.mark.rule("decisions:D25")
def test_a_validity_counts_from_the_issue() -> None:
    license_read = Served(LicenseSpec(validity_s=1.5)).hierarchy(kid("video", 0), now=3 * SECOND)
    assert license_read.policy.exp_ms == EPOCH_MS + 4_500


@pytest.mark.parametrize("session_type", ["temporary", "persistent-license"])
def test_a_license_may_be_stored_where_the_session_asks_for_that(session_type: str) -> None:
    license_read = Served().hierarchy(kid("video", 0), session_type=session_type)
    assert license_read.policy.persist is (session_type == "persistent-license")


@pytest.mark.rule("M003")
@pytest.mark.rule("decisions:D26")
def test_a_release_at_the_same_url_is_acknowledged_with_its_key_ids() -> None:
    served = Served()
    sent = (kid("video", 0), kid("audio", 0))
    with_times = json.dumps({"kids": json.loads(keyids.write(sent))["kids"], "firstTime": 1, "latestTime": 2})
    for path in (CLEARKEY_PATH, HIERARCHY_PATH):
        for body in (keyids.write(sent), with_times.encode()):
            answer = served.only("POST", path, body)
            assert (answer.status, keyids.read(answer.body)) == (200, sent)
            assert served.log[-1].kids == sent
        assert served.only("POST", path, b'{"kids":[]}').status == 400


@pytest.mark.rule("UD06")
def test_sessions_with_a_usage_record_are_counted_until_their_release_is_acknowledged() -> None:
    served, kids = Served(), (kid("video", 0),)
    asked = clearkey.write_request(kids, "persistent-usage-record")
    record = release.write(Release(kids=kids, times=Times(first_ms=1, latest_ms=2)))

    def streams() -> object:
        return json.loads(served.only("GET", "/metrics").body)["open_records"]

    counted = []
    for body in (asked, asked, clearkey.write_request(kids), record, release.write(Release(kids=kids)), record, record):
        assert served.only("POST", CLEARKEY_PATH, body).status == 200
        counted.append(streams())
    assert counted == [1, 2, 2, 1, 1, 0, 0]


@pytest.mark.rule("M003")
@pytest.mark.rule("decisions:D26")
def test_a_renewal_is_answered_with_a_license_that_ends_later() -> None:
    served = Served(LicenseSpec(validity_s=60))
    ends = [served.hierarchy(kid("video", 0), now=now * SECOND).policy.exp_ms for now in (0, 50)]
    assert ends == [EPOCH_MS + 60_000, EPOCH_MS + 110_000]


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"kids":[]}', b'{"kids":["*"]}', b'{"kids":["AA"],"kids":[]}'])
@pytest.mark.parametrize("path", [CLEARKEY_PATH, HIERARCHY_PATH])
def test_a_request_that_cannot_be_read_is_a_bad_challenge(path: str, body: bytes) -> None:
    served = Served()
    answer = served.only("POST", path, body)
    assert problem.read(answer.body).type == "urn:keystorm:problem:bad-challenge"
    assert answer.status == served.log[0].status == 400


@pytest.mark.parametrize(
    ("method", "target", "size", "status"),
    [
        ("GET", "/", 0, 404),
        ("POST", "/license", 0, 404),
        ("GET", CLEARKEY_PATH, 0, 405),
        ("POST", "/metrics", 0, 405),
        ("POST", CLEARKEY_PATH, 65_537, 413),
        ("POST", f"{CLEARKEY_PATH}?t=1", 65_536, 400),
    ],
)
def test_a_wrong_request_gets_a_problem(method: str, target: str, size: int, status: int) -> None:
    answer = Served().only(method, target, b" " * size)
    assert answer.status == problem.read(answer.body).status == status
    assert (header(answer, "allow") is not None) is (status == 405)


def test_a_browser_may_ask_first() -> None:
    answer = Served().only("OPTIONS", HIERARCHY_PATH)
    assert (answer.status, answer.body) == (204, b"")
    assert header(answer, "access-control-allow-methods") == "POST, OPTIONS"
    assert header(answer, "access-control-allow-headers") == "authorization, content-type, range"


def test_health_and_metrics_are_told() -> None:
    served = Served(LicenseSpec(grant="group", admission=Admission(capacity=1.0, overload=Overload.UNAVAILABLE)))
    assert json.loads(served.only("GET", "/v1/health").body)["up"] is True
    body = clearkey.write_request([kid("video", 0)], "temporary")
    for _ in range(3):
        served.ask("POST", CLEARKEY_PATH, body)
    served.drain()
    told = json.loads(served.only("GET", "/metrics", now=9 * SECOND).body)
    assert told == {
        "requests": 3,
        "licenses": 2,
        "keys": 4,
        "rejected": 1,
        "releases": 0,
        "open_records": 0,
        "by_status": {"200": 2, "503": 1},
        "queue_s": 0.0,
        "per_second": [[0, 1, 0, 1], [1, 1, 1, 0], [2, 1, 1, 0]],
    }


@pytest.mark.rule("decisions:D30")
def test_every_license_request_is_logged_with_what_its_sender_says() -> None:
    served = Served()
    served.clearkey(kid("video", 0), now=5, keystorm_request="17/3/rotation-demand/2")
    assert served.log == [
        LicenseLogEntry(
            time_us=5,
            client=17,
            sequence=3,
            cause="rotation-demand",
            attempt=2,
            kids=(kid("video", 0),),
            status=200,
            done_us=5,
        )
    ]


@pytest.mark.rule("decisions:D30")
@pytest.mark.parametrize("sent", ["", "nonsense"])
def test_a_request_without_attribution_is_logged_by_its_key_ids(sent: str) -> None:
    served = Served()
    served.clearkey(kid("video", 0), keystorm_request=sent)
    assert (served.log[0].client, served.log[0].cause, served.log[0].kids) == (None, None, (kid("video", 0),))


def test_licenses_come_one_after_the_other_at_the_capacity() -> None:
    served = Served(LicenseSpec(admission=Admission(capacity=50.0)))
    body = clearkey.write_request([kid("video", 0)], "temporary")
    assert [served.ask("POST", CLEARKEY_PATH, body) for _ in range(5)] == [[]] * 5
    answers = served.drain()
    assert [(at, answer.id, answer.status) for at, answer in answers] == [
        (20_000 * number, number, 200) for number in range(1, 6)
    ]
    assert [(entry.time_us, entry.done_us) for entry in served.log] == [(0, at) for at, _ in answers]


@pytest.mark.rule("decisions:D44")
def test_a_refusal_says_when_to_come_back() -> None:
    spec = LicenseSpec(
        admission=Admission(capacity=0.4, queue_max_s=0.0, overload=Overload.REFUSE_FIXED, retry_after_s=2.25)
    )
    served = Served(spec)
    body = clearkey.write_request([kid("video", 0)], "temporary")
    assert served.ask("POST", CLEARKEY_PATH, body) == []
    refused = served.only("POST", CLEARKEY_PATH, body)
    told = problem.read(refused.body)
    assert (refused.status, header(refused, "retry-after")) == (429, "3")
    assert (told.type, told.retry_after_ms, told.ticket) == ("urn:keystorm:problem:overloaded", 2250, None)


@pytest.mark.rule("decisions:D44")
def test_a_ticket_opens_the_door_once() -> None:
    served = Served(LicenseSpec(admission=Admission(capacity=1.0, queue_max_s=0.0, overload=Overload.REFUSE_SLOT)))
    body = clearkey.write_request([kid("video", 0)], "temporary")
    assert served.ask("POST", CLEARKEY_PATH, body) == []
    tickets = [problem.read(served.only("POST", CLEARKEY_PATH, body).body).ticket for _ in range(3)]
    assert None not in tickets
    (first,) = served.ask("POST", CLEARKEY_PATH, body, SECOND, x_license_ticket=str(tickets[0]))
    assert (first.id, first.status) == (1, 200), "the first client's license; the ticket's holder is being served"
    (again,) = served.ask("POST", CLEARKEY_PATH, body, SECOND, x_license_ticket=str(tickets[0]))
    assert again.status == 429


def test_a_ticket_that_was_made_up_is_none() -> None:
    tickets = Tickets(b"secret")
    written = tickets.write(12)
    assert tickets.read(written) == 12
    for forged in (None, "", "12", f"13{written[2:]}", f"{written}0", "١" + written[1:], Tickets(b"x").write(12)):
        assert tickets.read(forged) is None


@pytest.mark.parametrize(("overload", "status"), [(Overload.UNAVAILABLE, 503), (Overload.CLOSE, 0)])
def test_a_server_may_be_unavailable_or_close(overload: Overload, status: int) -> None:
    served = Served(LicenseSpec(admission=Admission(capacity=1.0, queue_max_s=0.0, overload=overload)))
    body = clearkey.write_request([kid("video", 0)], "temporary")
    served.ask("POST", CLEARKEY_PATH, body)
    refused = served.only("POST", CLEARKEY_PATH, body)
    assert (refused.status, header(refused, "retry-after")) == (status, None)


def test_nobody_answers_a_client_that_has_gone() -> None:
    served = Served(LicenseSpec(admission=Admission(capacity=1.0)))
    body = clearkey.write_request([kid("video", 0)], "temporary")
    for _ in range(2):
        served.ask("POST", CLEARKEY_PATH, body)
    served.server.gone(1, 10)
    assert [answer.id for _, answer in served.drain()] == [2]
    assert [(entry.status, entry.done_us) for entry in served.log] == [(0, SECOND), (200, 2 * SECOND)]


@pytest.mark.rule("decisions:D44")
@pytest.mark.parametrize(
    ("mode", "status", "body_left", "kind"),
    [
        ("error", 500, True, "application/problem+json"),
        ("empty", 200, False, "application/json"),
        ("wrong-type", 200, True, "text/html"),
        ("down", 0, False, None),
    ],
)
def test_a_fault_holds_between_its_instants(mode: str, status: int, body_left: bool, kind: str | None) -> None:
    served = Served(LicenseSpec(faults=(Fault(from_s=1.0, to_s=2.0, mode=mode),)))
    for now, faulty in [(SECOND - 1, False), (SECOND, True), (2 * SECOND - 1, True), (2 * SECOND, False)]:
        answer = served.clearkey(kid("video", 0), now=now)
        if faulty:
            assert (answer.status, bool(answer.body), header(answer, "content-type")) == (status, body_left, kind)
        else:
            assert given_kids(answer) == [kid("video", 0)]
    assert [entry.status for entry in served.log] == [200, status, status, 200]


def test_a_slow_answer_is_held_back_and_dropped_if_its_client_goes() -> None:
    served = Served(LicenseSpec(faults=(Fault(from_s=0.0, to_s=9.0, mode="slow", delay_s=0.5),)))
    body = clearkey.write_request([kid("video", 0)], "temporary")
    for now in (0, 100):
        assert served.ask("POST", CLEARKEY_PATH, body, now) == []
    assert served.server.deadline() == SECOND // 2
    served.server.gone(1, 200)
    assert [(at, answer.id) for at, answer in served.drain()] == [(SECOND // 2 + 100, 2)]
    assert [(entry.status, entry.done_us) for entry in served.log] == [(0, 200), (200, SECOND // 2 + 100)]


def test_a_fault_of_a_rate_strikes_by_draw() -> None:
    def statuses() -> list[int]:
        served = Served(LicenseSpec(faults=(Fault(from_s=0.0, to_s=9.0, mode="error", rate=0.3),)))
        return [served.clearkey(kid("video", 0), now=now).status for now in range(400)]

    assert statuses() == statuses()
    assert 0.2 < statuses().count(500) / 400 < 0.4


def test_a_fault_that_is_not_built_is_refused_at_the_start() -> None:
    assert "redirect" not in MODES
    with pytest.raises(BackendError, match="redirect"):
        Served(LicenseSpec(faults=(Fault(from_s=0.0, to_s=1.0, mode="redirect"),)))


def test_no_key_leaves_but_in_a_license() -> None:
    served = Served(
        LicenseSpec(grant="all", withhold=(kid("video", 0),), faults=(Fault(from_s=1, to_s=2, mode="error"),))
    )
    said = [served.clearkey(kid("video", 0), now=SECOND).body, served.only("GET", "/metrics").body]
    served.clearkey(kid("video", 1))
    said += [repr(served.log).encode(), repr(CONTENT).encode(), served.only("GET", "/metrics").body]
    assert all(b"KEY-" not in text and b"S0VZ" not in text and b"4b45592d" not in text for text in said)


def test_a_key_table_refuses_two_keys_in_one_place() -> None:
    with pytest.raises(ValueError, match="share"):
        KeyTable([CONTENT[0], CONTENT[0]])
