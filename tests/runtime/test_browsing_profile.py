"""What outlives a page: stored sessions by profile and origin, on real disk and in the memory of a private profile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from player.eme.errors import QuotaExceededError
from player.errors import LicenseError
from player.runtime import stored_sessions
from player.runtime.browsing_profile import BrowsingProfile
from player.wire import sealed_lines
from player.wire.sealed_lines import Sealed, StoredLine

SITE, OTHER = "https://player.example", "https://other.example"


@pytest.fixture(params=["file", "private"])
def profile(request: pytest.FixtureRequest, tmp_path: Path) -> BrowsingProfile:
    return BrowsingProfile(tmp_path / "profile" if request.param == "file" else None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "profile"


def the_file(folder: Path) -> Path:
    (found,) = folder.glob("*/sessions.jsonl")
    return found


def test_what_is_written_is_read_until_it_is_cleared(profile: BrowsingProfile) -> None:
    store = profile.store(SITE)
    store.write({"1": b"one", "2": b"two"})
    assert (store.read("1"), store.read("2"), store.read("3")) == (b"one", b"two", None)
    profile.store(SITE).write({"1": None, "2": b"zwei"})
    assert (store.read("1"), store.read("2")) == (None, b"zwei")


@pytest.mark.rule("E018")
def test_an_id_is_known_while_it_is_open_or_stored_and_for_ever_after(profile: BrowsingProfile) -> None:
    store = profile.store(SITE)
    assert not store.knows("1")
    store.claim("1")
    assert store.knows("1")
    store.write({"1": b"one"})
    store.write({"1": None})
    store.release("1")
    assert profile.store(SITE).knows("1")
    assert not store.knows("2")


@pytest.mark.rule("ST02")
@pytest.mark.rule("ST06")
@pytest.mark.rule("F011")
def test_neither_another_origin_nor_another_profile_finds_it(tmp_path: Path) -> None:
    one, two, private = BrowsingProfile(tmp_path / "1"), BrowsingProfile(tmp_path / "2"), BrowsingProfile()
    one.store(SITE).write({"1": b"one"})
    assert one.store(OTHER).read("1") is None
    assert two.store(SITE).read("1") is None
    assert private.store(SITE).read("1") is None
    assert len({p.identifier(origin) for p in (one, two, private) for origin in (SITE, OTHER)}) == 6


@pytest.mark.rule("F011")
def test_files_carried_to_another_profile_or_origin_are_refused(tmp_path: Path) -> None:
    one, two = BrowsingProfile(tmp_path / "1"), BrowsingProfile(tmp_path / "2")
    for profile in (one, two):
        profile.store(SITE).write({"1": b"one"})
    for name in ("secret", "sessions.jsonl"):
        (the_file(tmp_path / "2").parent / name).write_bytes((the_file(tmp_path / "1").parent / name).read_bytes())
    with capture_logs() as logs:
        assert two.store(SITE).read("1") is None
    assert [line["code"] for line in logs] == ["tampered"]


@pytest.mark.rule("ST03")
def test_a_private_profile_touches_no_disk_and_ends_with_its_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    BrowsingProfile().store(SITE).write({"1": b"one"})
    assert not list(tmp_path.iterdir())
    assert BrowsingProfile().store(SITE).read("1") is None


@pytest.mark.rule("ST04")
@pytest.mark.rule("ST05")
def test_clearing_takes_records_and_identifiers_and_nothing_brings_them_back(profile: BrowsingProfile) -> None:
    store, before = profile.store(SITE), profile.identifier(SITE)
    profile.store(OTHER).write({"1": b"other"})
    store.claim("1")
    store.write({"1": b"one"})
    profile.clear(SITE)
    assert (store.read("1"), store.knows("2")) == (None, False)
    assert profile.identifier(SITE) != before
    assert profile.store(OTHER).read("1") == b"other"
    store.write({"1": b"saved by a page that was open"})
    assert profile.store(SITE).read("1") is None
    store.claim("2")
    store.write({"2": b"two"})
    assert profile.store(SITE).read("2") == b"two"


@pytest.mark.rule("ST04")
def test_old_files_put_back_after_clearing_are_refused(folder: Path) -> None:
    profile = BrowsingProfile(folder)
    profile.store(SITE).write({"1": b"one"})
    old = the_file(folder).read_bytes()
    profile.clear(SITE)
    assert not list(folder.glob("*/*"))
    profile.store(SITE).write({"2": b"two"})
    the_file(folder).write_bytes(old)
    with capture_logs() as logs:
        assert profile.store(SITE).read("1") is None
    assert [line["code"] for line in logs] == ["tampered"]


@pytest.mark.rule("F008")
@pytest.mark.rule("F014")
def test_one_page_at_a_time_has_a_session_open(profile: BrowsingProfile) -> None:
    one, two = profile.store(SITE), profile.store(SITE)
    assert one.claim("1")
    assert not two.claim("1")
    assert not one.claim("1")
    assert two.claim("2")
    assert profile.store(OTHER).claim("1")
    one.release("1")
    assert two.claim("1")
    for store in (one, two, profile.store(OTHER)):
        for session_id in ("1", "2"):
            store.release(session_id)


@pytest.mark.rule("F008")
def test_a_session_open_in_another_process_is_taken_until_that_process_is_killed(folder: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, str(folder), SITE], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"claimed\n"
        store = BrowsingProfile(folder).store(SITE)
        assert not store.claim("1")
        child.kill()
        child.wait(10)
    assert store.claim("2")
    assert len(list(folder.glob("*/*.open"))) == 1, "its mark is gone"
    assert store.claim("1")
    for session_id in ("1", "2"):
        store.release(session_id)


_HOLDER = """
import sys, time, pathlib
from player.runtime.browsing_profile import BrowsingProfile
store = BrowsingProfile(pathlib.Path(sys.argv[1])).store(sys.argv[2])
store.claim("1")
print("claimed", flush=True)
time.sleep(60)
"""


def test_nobody_else_may_read_the_files(folder: Path) -> None:
    store = BrowsingProfile(folder).store(SITE)
    store.claim("1")
    store.write({"1": b"one"})
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name.rpartition(".")[2] for path in files} == {"secret", "jsonl", "lock", "open"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    store.release("1")
    assert not list(folder.rglob("*.open"))


def _flip(raw: bytes) -> bytes:
    return raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :]


@pytest.mark.rule("UD05")
@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        lambda raw: b"".join(raw.splitlines(keepends=True)[:-1]),
        lambda raw: b"".join(reversed(raw.splitlines(keepends=True))),
        lambda raw: raw[:-40],
        lambda raw: raw + raw.splitlines(keepends=True)[-1],
        lambda raw: b"",
        lambda raw: b"\xff\x00" * 100,
        lambda raw: b"[" * 100_000,
        lambda raw: b"{}\n",
        lambda raw: bytes(stored_sessions.MAX_FILE_BYTES + 1),
    ],
)
def test_a_file_that_was_tampered_with_gives_nothing_and_one_line_in_the_log(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = BrowsingProfile(folder).store(SITE)
    store.write({"1": b"one", "2": b"two"})
    the_file(folder).write_bytes(damage(the_file(folder).read_bytes()))
    with capture_logs() as logs:
        assert store.read("1") is None
    assert [(line["event"], line["origin"]) for line in logs] == [("stored sessions refused", SITE)]
    store.write({"3": b"three"})
    assert (store.read("1"), store.read("3")) == (None, b"three")


@pytest.mark.rule("UD05")
def test_another_secret_makes_stored_sessions_unreadable_but_not_the_store(folder: Path) -> None:
    profile = BrowsingProfile(folder)
    profile.store(SITE).write({"1": b"one"})
    for damaged in (the_file(folder).parent / "secret", folder / "secret"):
        damaged.write_bytes(b"short")
        with capture_logs() as logs:
            assert profile.store(SITE).read("1") is None
        assert len(logs) == 1
        profile.store(SITE).write({"1": b"again"})
        assert profile.store(SITE).read("1") == b"again"


def test_a_folder_in_the_place_of_the_file_is_a_line_in_the_log_and_a_full_store(folder: Path) -> None:
    store = BrowsingProfile(folder).store(SITE)
    store.write({"1": b"one"})
    the_file(folder).unlink()
    (next(folder.glob("*/secret")).parent / "sessions.jsonl").mkdir()
    with capture_logs() as logs:
        assert store.read("1") is None
    assert [line["code"] for line in logs] == ["unreadable"]
    with pytest.raises(QuotaExceededError, match="cannot be stored"):
        store.write({"1": b"one"})


def test_a_disk_that_takes_nothing_is_a_quota_that_is_used_up(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("a file where the folder should be")
    store = BrowsingProfile(tmp_path / "profile").store(SITE)
    assert (store.read("1"), store.knows("1")) == (None, False)
    for attempt in (lambda: store.claim("1"), lambda: store.write({"1": b"one"})):
        with pytest.raises(QuotaExceededError, match="cannot be stored"):
            attempt()


@pytest.mark.rule("UP02")
def test_the_oldest_of_too_many_sessions_go(monkeypatch: pytest.MonkeyPatch, profile: BrowsingProfile) -> None:
    monkeypatch.setattr(stored_sessions, "MAX_SESSIONS", 3)
    store = profile.store(SITE)
    for number in range(5):
        store.write({str(number): b"x"})
    store.write({"2": b"y"})
    store.write({"5": b"x"})
    assert [number for number in range(6) if store.read(str(number))] == [2, 4, 5]


@pytest.mark.rule("UP02")
def test_sessions_that_nobody_wrote_for_long_are_gone(tmp_path: Path) -> None:
    now = [10**12]
    for path in (tmp_path / "profile", None):
        profile = BrowsingProfile(path, wall_ms=lambda: now[0])
        store = profile.store(SITE)
        store.write({"1": b"one", "2": b"two"})
        now[0] += stored_sessions.MAX_AGE_MS
        store.write({"2": b"two"})
        assert store.read("1") == b"one"
        now[0] += 1
        assert (store.read("1"), store.read("2")) == (None, b"two")


def test_sessions_of_the_greatest_size_are_kept_while_there_is_room() -> None:
    records = {str(number): bytes(150_000) for number in range(100)}
    sealed = stored_sessions.written(b"key", Sealed(), records, 0)
    assert [line.session_id for line in sealed.lines] == list(records)[-len(sealed.lines) :]
    assert len(sealed.lines) > 50
    assert len(sealed_lines.write(b"key", sealed)) <= stored_sessions.MAX_FILE_BYTES


keys = st.binary(min_size=32, max_size=32)
lines = st.builds(StoredLine, session_id=st.text(max_size=5), data=st.binary(max_size=20), saved_ms=st.integers(0, 9))
contents = st.builds(
    Sealed, lines=st.lists(lines, max_size=4).map(tuple), spent=st.lists(st.text(max_size=4), max_size=3).map(tuple)
)


@given(keys, contents)
def test_sealed_lines_are_read_as_they_were_written(key: bytes, sealed: Sealed) -> None:
    assert sealed_lines.read(key, sealed_lines.write(key, sealed)) == sealed


@settings(max_examples=200)
@given(keys, contents, st.data())
def test_no_changed_byte_passes_the_seal(key: bytes, sealed: Sealed, data: st.DataObject) -> None:
    raw = bytearray(sealed_lines.write(key, sealed))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        read = sealed_lines.read(key, bytes(raw))
    except LicenseError:
        return
    assert read == sealed  # a blank for a newline at the end says the same


@given(keys, st.binary(max_size=200))
def test_hostile_bytes_are_refused_with_the_one_error(key: bytes, raw: bytes) -> None:
    with pytest.raises(LicenseError):
        sealed_lines.read(key, raw)


def test_no_repr_shows_what_is_stored() -> None:
    assert "secret" not in repr(StoredLine(session_id="1", data=b"secret", saved_ms=0))


@pytest.mark.rule("UD01")
@pytest.mark.rule("decisions:D22")
def test_each_line_of_the_file_is_json(folder: Path) -> None:
    BrowsingProfile(folder).store(SITE).write({"1": b"one"})
    head, line = map(json.loads, the_file(folder).read_text().splitlines())
    assert (head["count"], line["id"]) == (1, "1")


@pytest.fixture(autouse=True)
def _no_lines_on_the_screen() -> Iterator[None]:
    with capture_logs():
        yield
