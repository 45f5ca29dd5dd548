"""What `keystorm inspect` says, and with which exit code it ends; the command runs in this process."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.cli.inspect import inspect
from player.cli.inspected.report import escaped, plain, wrapped
from player.cli.inspected.source import Source, written_pssh
from player.cli.main import main
from player.errors import UsageError
from player.ids import COMMON_SYSTEM, HIERARCHY_SYSTEM, ContentKey, KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.pymp4_adapter import read_pssh
from player.wire import blob, clearkey, hierarchy, keyids
from tests.cli.conftest import Keystorm
from tests.cli.content import fetched
from tests.isobmff.malformed import CASES, Case, Media

KID = KeyId(bytes(range(16)))
ROOT = KeyId(bytes(range(16, 32)))
KEY = ContentKey(b"\xee\xadsixteen bytes!"[:16])
SECRETS = [KEY.reveal().hex(), base64.urlsafe_b64encode(KEY.reveal()).rstrip(b"=").decode(), "k\\xee"]
BOX = pssh.write(pssh.Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(KID,)))
WIDEVINE = SystemId.parse("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
NOT_BY_OUR_OFFSETS = {"a sample of 2 GiB"}  # our trun has another first column
UNREADABLE = {"nothing", "4096 zero bytes"}

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`run(data or argument, *options)`: exit code and what was printed."""

    def inspected(given: bytes | str, *options: str) -> tuple[int, str]:
        argument = given
        if isinstance(given, bytes):
            file = tmp_path / "input"
            file.write_bytes(given)
            argument = str(file)
        code = main(["inspect", str(argument), *options])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return inspected


def facts(run: Run, given: bytes | str, *options: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(given, "--json", *options)[1])
    return document


def test_a_live_segment_with_its_init_segment_is_drawn_with_its_keys(run: Run, tmp_path: Path) -> None:
    init, segment = fetched("live/video-180p/init.mp4", "live/video-180p/13.m4s", rotation="in-band")
    (tmp_path / "init.mp4").write_bytes(init)
    code, page = run(segment, "--init", str(tmp_path / "init.mp4"))
    kid = pssh.read(segment[segment.index(b"pssh") - 4 :][:52])[0].key_ids[0]
    assert code == 0
    assert f"      1  1          26.000  28.000  {kid}  seig  8   none\n" in page
    assert "│  │  ├─ sbgp  seig, samples 50, group 0x10001" in page
    assert f"│  │  ├─ sgpd  seig, groups 1, {kid}" in page
    assert "│  │  └─ senc" in page
    assert max(map(len, page.splitlines())) <= 100
    assert page.endswith("\nfaults: none\n")


def test_a_segment_by_itself_asks_for_its_init_segment(run: Run) -> None:
    (segment,) = fetched("live/video-180p/13.m4s", rotation="in-band")
    code, page = run(segment)
    assert code == 0
    assert "--init FILE" in page


def test_wrapped_keys_are_named_with_their_root_and_never_shown(run: Run) -> None:
    leaf = blob.LeafKey(KID, KEY, 1_767_225_600_000, 0)
    data = blob.seal(ROOT, KEY, (leaf,))
    box = pssh.write(pssh.Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(KID,), data=data))
    code, page = run(box)
    assert code == 0
    assert f"root KID  {ROOT}  wraps 1 key" in page
    assert f"KID       {KID}  from 2026-01-01T00:00:00.000Z" in page
    (found,) = facts(run, box)["pssh"]
    assert found["blob"] == {"root_kid": str(ROOT), "keys": [{"kid": str(KID), "start_ms": leaf.start_ms, "end_ms": 0}]}
    assert blob.read(data).entries[0].wrapped.hex() not in page + json.dumps(found)


def test_a_blob_that_cannot_be_read_is_a_fault_of_its_box(run: Run) -> None:
    code, page = run(pssh.write(pssh.Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(KID,), data=b"?")))
    assert code == 1
    assert "bad-blob  pssh @ 0: wrapped-key blob" in page
    other = blob.seal(ROOT, KEY, (blob.LeafKey(ROOT, KEY, 0, 0),))
    code, page = run(pssh.write(pssh.Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(KID,), data=other)))
    assert (code, "kid-mismatch" in page) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        BOX.hex(),
        "0x" + BOX.hex().upper(),
        base64.b64encode(BOX).decode(),
        base64.urlsafe_b64encode(BOX).decode().rstrip("="),
        " ".join(f"{byte:02x}" for byte in BOX),
    ],
)
def test_a_pssh_is_read_from_hex_and_base64_typed_or_in_a_file(run: Run, text: str) -> None:
    for typed in (text, text.encode() + b"\n"):
        code, page = run(typed)
        assert code == 0
        assert str(KID) in page
        assert "common, version 1" in page
        assert "pymp4 reads the same" in page


@pytest.mark.rule("decisions:D20")
def test_where_the_two_readings_of_a_pssh_differ_a_word_says_so(run: Run) -> None:
    longer = (len(BOX) + 3).to_bytes(4, "big") + BOX[4:] + b"abc"
    code, page = run(longer)
    assert code == 1
    assert "bad-pssh  pssh @ 0: 0 bytes of Data promised, 3 present (23001-7, 8.1)" in page
    assert "pymp4 reads what is refused here" in page
    assert facts(run, longer)["pssh"][0]["reading"] is None


def test_a_broken_box_hides_no_other(run: Run) -> None:
    broken = BOX[:28] + (1 << 31).to_bytes(4, "big") + BOX[32:]
    document = facts(run, broken + BOX)
    assert [each["reading"] is None for each in document["pssh"]] == [True, False]
    assert [(fault["code"], fault["offset"]) for fault in document["faults"]] == [("bad-pssh", 0)]


def test_systems_of_others_are_known_by_name_only(run: Run) -> None:
    _, page = run(pssh.write(pssh.Pssh(version=0, system_id=WIDEVINE, data=b"\x08\x01" * 40)))
    assert "Widevine, version 0" in page
    assert "Data      80 bytes: 0801" in page


def test_the_same_box_in_every_segment_is_shown_once(run: Run) -> None:
    _, page = run(BOX * 3)
    assert page.count(str(KID)) == 1
    assert "pssh @ 0, and 2 times more" in page


LICENSES = {
    "clear key": clearkey.write_license([(KID, KEY)]),
    "hierarchy": hierarchy.write_license(
        hierarchy.License(
            keys=(hierarchy.LicenseKey(kid=KID, key=KEY, use=hierarchy.Use.WRAP, nbf_ms=1_767_225_600_000),),
            denied=(hierarchy.Denied(kid=ROOT, reason=hierarchy.DenialReason.WINDOW),),
            policy=hierarchy.Policy(exp_ms=1_767_225_600_000, output=hierarchy.Output.HDCP_2_2),
        )
    ),
}


@pytest.mark.parametrize("name", LICENSES)
def test_a_license_tells_its_key_ids_and_never_a_key(run: Run, name: str) -> None:
    code, page = run(LICENSES[name])
    assert code == 0
    assert f"KID  {KID}" in page
    told = page + json.dumps(facts(run, LICENSES[name]))
    assert not [secret for secret in SECRETS if secret in told]


def test_a_license_of_the_hierarchy_tells_its_policy(run: Run) -> None:
    _, page = run(LICENSES["hierarchy"])
    assert "at once to 2026-01-01T00:00:00.000Z" in page
    assert "HDCP 2.2" in page
    assert "wrap, from 2026-01-01T00:00:00.000Z" in page
    assert f"{ROOT}  denied: window" in page


@pytest.mark.parametrize(
    ("document", "kind", "system"),
    [
        (clearkey.write_request([KID]), "license-request", "org.w3.clearkey"),
        (hierarchy.write_request(hierarchy.LicenseRequest(kids=(KID,))), "license-request", "org.keystorm.hierarchy"),
        (keyids.write([KID]), "keyids", "org.w3.clearkey"),
    ],
)
def test_a_request_tells_what_it_asks_for(run: Run, document: bytes, kind: str, system: str) -> None:
    told = facts(run, document)
    assert (told["kind"], told["key_system"], told["kids"]) == (kind, system, [str(KID)])
    assert str(KID) in run(document)[1]


def test_a_broken_license_is_a_fault_that_quotes_no_key(run: Run) -> None:
    broken = LICENSES["clear key"].replace(b'"oct"', b'"rsa"')
    code, page = run(broken)
    assert code == 1
    assert "bad-member  $: license keys[0].kty: not `oct`" in page
    assert not [secret for secret in SECRETS if secret in page]


def test_an_mpd_is_drawn_with_protection_and_announcements(run: Run) -> None:
    (mpd,) = fetched("live/manifest.mpd", rotation="in-band", announced=True)
    code, page = run(mpd)
    assert code == 0
    assert "dynamic (live)" in page
    assert "available from 2025-12-31T23:59:36.000Z" in page
    assert "license      http://license.test/license/clearkey" in page
    assert "period  starts s  valid from" in page
    told = facts(run, mpd)
    assert told["periods"][0]["announcements"][0]["crypto_period"] == 2
    assert told["periods"][0]["adaptation_sets"][0]["protections"][1]["system"] == "Clear Key (DASH-IF)"


def test_key_ids_and_pssh_of_an_mpd_are_read(run: Run) -> None:
    (mpd,) = fetched("vod/manifest.mpd", rotation="none")
    told = facts(run, mpd)
    protections = told["periods"][0]["adaptation_sets"][0]["protections"]
    assert all(each["default_kids"] for each in protections if each["system"] == "Common Encryption")
    assert f"default_KID  {protections[0]['default_kids'][0]}" in run(mpd)[1]


def test_what_is_wrong_with_an_mpd_is_a_fault(run: Run) -> None:
    (mpd,) = fetched("live/manifest.mpd", rotation="in-band")
    code, page = run(mpd.replace(b'minimumUpdatePeriod="PT2S"', b'minimumUpdatePeriod="2 s"'))
    assert code == 1
    assert "mpd-warning  /MPD: @minimumUpdatePeriod" in page


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no-init"),
        (bytes(4096), "bad-box"),
        (b"<html><body>", "not-mpd"),
        (b"<!doctype html>", "not-mpd"),
        (b'{"a":1}', "unknown-document"),
        (b"{", "bad-json"),
        (b"some text that is nothing of the kind", "truncated"),
    ],
)
def test_what_nobody_can_read_ends_with_two_and_one_line(run: Run, data: bytes, code: str) -> None:
    status, told = run(data)
    assert status == 2
    assert told.startswith("keystorm: ")
    assert told.count("\n") == 1
    assert code in told


def test_a_file_that_is_not_there_ends_with_two(run: Run) -> None:
    assert run("/no/such/file.mp4") == (2, "keystorm: usage: /no/such/file.mp4: No such file or directory\n")
    assert run("nul\0byte")[0] == 2
    assert run("x" * 10_000)[0] == 2


def test_what_a_file_says_cannot_steer_a_terminal(run: Run) -> None:
    (mpd,) = fetched("live/manifest.mpd", rotation="in-band")
    _, page = run(mpd.replace(b'id="p0"', 'id="\u202ep0&#x9;\u009b31m"'.encode()))
    assert "Period \\u202ep0" in page
    assert "\\x9b31m" in page
    assert "\x1b" not in page
    assert escaped("\x1b[2J\ud800") == "\\x1b[2J\\ud800"


def test_long_lines_are_cut_or_wrapped_to_the_page() -> None:
    lines = list(wrapped("word " * 60 + "x" * 300))
    assert max(len(line.text) for line in lines) <= 100
    assert "".join(line.text.replace(" ", "") for line in lines) == "word" * 60 + "x" * 300


@pytest.fixture(scope="module")
def bases() -> dict[str, bytes]:
    """An init segment and two media segments for each form of the cases, from our own origin."""
    parts = [f"live/video-180p/{name}" for name in ("init.mp4", "12.m4s", "13.m4s")]
    forms = {"cenc": {}, "cbcs": {"scheme": "cbcs"}, "rotating": {"rotation": "in-band"}}
    return {form: b"".join(fetched(*parts, **content)) for form, content in forms.items()}


@pytest.mark.parametrize("case", [it for it in CASES if it.name not in NOT_BY_OUR_OFFSETS], ids=lambda it: it.name)
def test_every_broken_file_shows_its_fault(bases: dict[str, bytes], case: Case) -> None:
    media = Media(bases[case.form])
    case.break_it(media)
    expected = set(case.warnings) | ({case.code} if case.code not in (None, "no-key") else set())
    if case.name in UNREADABLE:
        with pytest.raises(UsageError) as error:
            inspect(Source("case", bytes(media.data)))
        assert {error.value.code} == expected
        return
    report = inspect(Source("case", bytes(media.data)))
    assert {fault.code for fault in report.faults} >= expected
    assert bool(report.faults) is bool(expected) or case.name.startswith("2000 nested")
    assert all(fault.clause or fault.code == "limit" for fault in report.faults)
    assert max(len(line.text) for line in report.page) <= 100
    json.dumps(plain(report.facts))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_changed_at_random_give_a_page_or_one_error(bases: dict[str, bytes], chance: st.DataObject) -> None:
    data = bytearray(bases["rotating"])
    end = data.index(b"mdat")
    for _ in range(chance.draw(st.integers(1, 5))):
        data[chance.draw(st.integers(0, end))] = chance.draw(st.sampled_from([0, 1, 2, 8, 0x7F, 0xFF]))
    try:
        report = inspect(Source("fuzz", bytes(data)))
    except UsageError:
        return
    json.dumps(plain(report.facts))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: BOX[:28] + tail))
def test_any_bytes_give_a_page_or_one_error(data: bytes) -> None:
    try:
        report = inspect(Source("fuzz", data))
    except UsageError:
        return
    json.dumps(plain(report.facts))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
def test_pymp4_refuses_in_one_way(tail: bytes) -> None:
    box = (len(tail) + 8).to_bytes(4, "big") + b"pssh" + tail
    try:
        read_pssh(box)
    except ValueError:
        return


@given(st.text(max_size=100))
def test_any_text_is_a_pssh_or_none(text: str) -> None:
    assert written_pssh(text.encode("utf-8", "surrogatepass")) is None or "7073" in text or "Bzc2" in text


def test_a_url_is_fetched_by_the_rules_of_every_fetch(run: Run, backend: dict[str, Any]) -> None:
    code, page = run(backend["live_url"])
    assert code == 0
    assert page.startswith(f"{backend['live_url']}: mpd, ")
    code, told = run(backend["live_url"] + "x")
    assert (code, "status 404" in told) == (2, True)
    assert run("http://127.0.0.1:1/")[0] == 2
    assert run("http://")[0] == 2


def test_the_command_draws_in_ascii_where_the_terminal_has_nothing_else(keystorm: Keystorm) -> None:
    ended = keystorm("inspect", BOX.hex(), PYTHONIOENCODING="ascii")
    assert (ended.status, ended.stderr) == (0, "")
    assert str(KID) in ended.stdout
