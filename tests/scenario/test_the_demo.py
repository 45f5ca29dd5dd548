"""The demo's scenario becomes exactly the specifications that it describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from player.backend.spec import (
    Addressing,
    Admission,
    BackendSpec,
    ContentSpec,
    Discipline,
    Form,
    KeyPlan,
    LicenseSpec,
    Overload,
    Rotation,
)
from player.cdm.spec import CdmSpec
from player.engine.spec import Media
from player.errors import UsageError
from player.isobmff.sample import Scheme
from player.runtime.links import Link, LinkChange
from player.runtime.profiles import load_profile
from player.scenario.__main__ import main
from player.scenario.load import find, library, library_names, load
from player.scenario.specs import to_backend, to_storm
from player.storm.spec import ClockKind, DriverKind, StormSpec, StrategySpec, Uniform

ROOT = Path(__file__).resolve().parents[2]

BACKEND = BackendSpec(
    content=ContentSpec(
        form=Form.LIVE,
        clip="loop",
        tracks=("video-180p", "audio"),
        keys=KeyPlan.SINGLE,
        scheme=Scheme.CENC,
        segment_s=2,
        addressing=Addressing.NUMBER,
        rotation=Rotation.IN_BAND,
        crypto_period_s=8,
        first_boundary_s=10,
        announce_s=8,
        mpd_refresh_s=2,
        time_shift_s=24,
    ),
    license=LicenseSpec(
        grant="requested", admission=Admission(capacity=50, discipline=Discipline.FIFO, overload=Overload.QUEUE)
    ),
)

STORM = StormSpec(
    profile=load_profile("ideal"),
    title="300 viewers, a new key every 8 seconds",
    backend=BACKEND,
    cdm=CdmSpec(features=("embedded_keys",)),
    representation="lowest",
    clients=300,
    join=Uniform(from_s=0, to_s=7),
    live_delay=Uniform(from_s=4, to_s=8),
    link=Link(latency_from_us=20_000, latency_to_us=30_000, bits_per_second=20_000_000),
    driver=DriverKind.PLAY,
    clock=ClockKind.REAL,
    media=Media.FULL,
    seed=1,
    end_s=35,
    strategies=(
        StrategySpec(name="on-demand"),
        StrategySpec(name="jitter", window_s=8, margin_s=1),
        StrategySpec(name="embedded"),
    ),
)


@pytest.mark.rule("decisions:D54")
def test_the_demo_is_the_storm_it_describes() -> None:
    assert to_storm(load(find("demo"))) == STORM


def test_the_demo_is_served_under_keys_of_its_own_each_time() -> None:
    assert to_backend(load(find("demo"))) == BACKEND
    assert BACKEND.seed is None
    assert to_backend(load(find("demo")), seed=7).seed == 7


@pytest.mark.rule("decisions:D84")
def test_what_is_given_beside_the_file_wins() -> None:
    storm = to_storm(
        load(find("demo")),
        clients=20,
        seed=0,
        strategies=["embedded", "jitter", "embedded"],
        clock=ClockKind.VIRTUAL,
        media=Media.SIGNALS,
    )
    assert (storm.clients, storm.seed, storm.clock, storm.media) == (20, 0, ClockKind.VIRTUAL, Media.SIGNALS)
    assert storm.strategies == (STORM.strategies[2], STORM.strategies[1]), "with the parameters of the file"


def test_the_library_is_the_folder_of_the_checkout_where_nothing_is_installed() -> None:
    assert library() == ROOT / "scenarios"
    assert "demo" in library_names()


@pytest.mark.parametrize("name", ["dmeo", "", "../scenarios/demo", "/etc/passwd", "de\0mo"])
def test_a_name_that_the_library_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"demo; or a file that ends in \.toml"):
        find(name)


def test_every_scenario_of_the_library_can_be_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ROOT / "scenarios")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", library_names())
def test_every_scenario_of_the_library_names_its_source(name: str) -> None:
    assert load(find(name)).scenario.source


def test_the_check_of_a_folder_tells_every_file_that_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.toml").write_text("[scenario]")
    (tmp_path / "b.toml").write_text("x")
    assert main([str(tmp_path)]) == 2
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        str(tmp_path / "a.toml"),
        str(tmp_path / "b.toml"),
    ]


@pytest.mark.rule("dash:N6")
def test_a_scenario_can_cap_the_bandwidth_of_all_clients_at_one_instant(tmp_path: Path) -> None:
    wider = "at_s = 20, bandwidth_mbps = 20, latency_ms = { from_ms = 1, to_ms = 2 }"
    changes = f"bandwidth_mbps = 20\nchanges = [{{ at_s = 9.5, bandwidth_mbps = 0.5 }}, {{ {wider} }}]"
    text = find("demo").read_text(encoding="utf-8").replace("bandwidth_mbps = 20", changes, 1)
    file = tmp_path / "capped.toml"
    file.write_text(text, encoding="utf-8")
    assert to_storm(load(file)).link.changes == (
        LinkChange(at_us=9_500_000, bits_per_second=500_000),
        LinkChange(at_us=20_000_000, bits_per_second=20_000_000, latency_from_us=1_000, latency_to_us=2_000),
    )
