"""What Shaka Packager encrypted, `keystorm play` turns back into the very samples that ffmpeg had made."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.play.conftest import Clear, Origin, Packaged, Play, Run

pytestmark = pytest.mark.oracle

KID = "000102030405060708090a0b0c0d0e0f"
KEY = "101112131415161718191a1b1c1d1e1f"
UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"

FAST = ("--as-fast-as-possible", "--representation", "highest", "--json")


def assert_same_samples(run: Run, clear: Mapping[str, Clear]) -> None:
    """Every track of the result is the clear original, sample for sample."""
    assert (run.status, run.stderr) == (0, "")
    assert run.result["ended"] is True
    assert run.result["error"] is None
    played = {kind: (track["samples"], track["sha256"]) for kind, track in run.track.items()}
    assert played == {kind: (one.samples, one.sha256) for kind, one in clear.items()}


@pytest.mark.rule("decisions:D34")
@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
@pytest.mark.parametrize("form", ["live", "time", "on-demand"])
def test_content_under_a_single_key_plays_to_the_clear_samples(
    form: str, scheme: str, play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    shutil.copytree(packaged(form, scheme), origin.folder, dirs_exist_ok=True)
    run = play(f"{origin.url}/x.mpd", "--key", f"{KID}:{KEY}", *FAST)
    assert_same_samples(run, clear)
    assert run.result["keys"] == {UUID: "usable"}
    assert (run.result["license_requests"], run.result["local_licenses"]) == (0, 1)
    assert run.result["played_s"] == pytest.approx(12, abs=0.1)
    assert run.result["stalls"] == []


@pytest.mark.parametrize(
    ("form", "scheme", "options"),
    [
        ("live", "cens", ("--crypt_byte_block", "1", "--skip_byte_block", "9")),
        ("live", "cbc1", ()),
        ("on-demand", "cenc", ("--clear_lead", "4")),
        ("live", "cbcs", ("--clear_lead", "4")),
        ("live", "cenc", ("--fragment_duration", "0.5", "--nofragment_sap_aligned")),
        ("live", "cenc", ("--iv", "fffffffffffffffffffffffffffffff0")),
        ("live", "cenc", ("--protection_systems", "CommonSystem,Widevine,PlayReady")),
    ],
    ids=["cens", "cbc1", "clear-lead-on-demand", "clear-lead", "fragments", "counter-wrap", "all-systems"],
)
def test_so_does_every_variation_that_the_packager_knows(
    form: str,
    scheme: str,
    options: tuple[str, ...],
    play: Play,
    origin: Origin,
    packaged: Packaged,
    clear: Mapping[str, Clear],
) -> None:
    shutil.copytree(packaged(form, scheme, *options), origin.folder, dirs_exist_ok=True)
    assert_same_samples(play(f"{origin.url}/x.mpd", "--key", f"{KID}:{KEY}", *FAST), clear)


def rotated(digits: str, places: int) -> str:
    """As Shaka Packager makes the KID and the key of a crypto period from those of the first: turned left by bytes."""
    return digits[2 * places :] + digits[: 2 * places]


@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_so_does_content_whose_keys_change_inside_the_period(
    scheme: str, play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    shutil.copytree(packaged("live", scheme, "--crypto_period_duration", "4"), origin.folder, dirs_exist_ok=True)
    pairs = [f"{rotated(KID, period)}:{rotated(KEY, period)}" for period in range(3)]
    run = play(f"{origin.url}/x.mpd", *(word for pair in pairs for word in ("--key", pair)), *FAST)
    assert_same_samples(run, clear)
    assert sorted(run.result["keys"].values()) == ["usable"] * 3
    assert run.result["crypto_periods"] == 3


EDITS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "no timescale in SegmentBase": ("on-demand", lambda mpd: re.sub(r' timescale="\d+"', "", mpd)),
    "no range of an index": ("on-demand", lambda mpd: re.sub(r' indexRange="[\d-]+"', "", mpd)),
    "no range of an initialization": ("on-demand", lambda mpd: re.sub(r"<Initialization[^>]*/>", "", mpd)),
    "nothing but a BaseURL": ("on-demand", lambda mpd: re.sub(r"(?s)<SegmentBase.*?</SegmentBase>", "", mpd)),
    "the same id for both Representations": (
        "live",
        lambda mpd: mpd.replace('<Representation id="1"', '<Representation id="0"'),
    ),
    "no pssh": ("live", lambda mpd: re.sub(r"<cenc:pssh>.*?</cenc:pssh>", "", mpd)),
    "another prefix for cenc": (
        "live",
        lambda mpd: re.sub(r"cenc:(?!2013)|(?<=xmlns:)cenc", lambda at: at[0].replace("cenc", "c"), mpd),
    ),
    "no ContentProtection": ("live", lambda mpd: re.sub(r"(?s)<ContentProtection.*?</ContentProtection>", "", mpd)),
    "absolute BaseURL": ("live", lambda mpd: mpd.replace("<Period ", "<BaseURL>/</BaseURL><Period ")),
}


@pytest.mark.rule("decisions:D33")
@pytest.mark.parametrize("edit", EDITS)
def test_so_does_an_mpd_that_was_written_another_way(
    edit: str, play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    form, change = EDITS[edit]
    shutil.copytree(packaged(form, "cenc"), origin.folder, dirs_exist_ok=True)
    written = (origin.folder / "x.mpd").read_text()
    changed = change(written)
    assert changed != written
    (origin.folder / "x.mpd").write_text(changed)
    assert_same_samples(play(f"{origin.url}/x.mpd", "--key", f"{KID}:{KEY}", *FAST), clear)


def test_a_clear_key_license_server_is_asked_once_for_all_tracks(
    play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    shutil.copytree(packaged("live", "cenc"), origin.folder, dirs_exist_ok=True)
    kid, key = (base64.urlsafe_b64encode(bytes.fromhex(one)).rstrip(b"=").decode() for one in (KID, KEY))
    answer = {"keys": [{"kty": "oct", "kid": kid, "k": key}], "type": "temporary"}
    origin.route("/license", body=json.dumps(answer).encode())
    run = play(f"{origin.url}/x.mpd", "--license-url", f"{origin.url}/license", *FAST)
    assert_same_samples(run, clear)
    (body,) = origin.bodies("/license")
    assert json.loads(body) == {"kids": [kid], "type": "temporary"}
    counted = {name: run.result[name] for name in ("license_requests", "licenses", "license_failures", "retries")}
    assert counted == {"license_requests": 1, "licenses": 1, "license_failures": 0, "retries": 0}


def test_a_wrong_key_gives_wrong_samples_and_no_tool_could_know(
    play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    shutil.copytree(packaged("live", "cenc"), origin.folder, dirs_exist_ok=True)
    run = play(f"{origin.url}/x.mpd", "--key", f"{KID}:{'00' * 16}", *FAST)
    assert run.status == 0
    assert run.track["video"]["samples"] == clear["video"].samples
    assert run.track["video"]["sha256"] != clear["video"].sha256
