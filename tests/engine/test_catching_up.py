"""A live stream whose service wishes for a latency: the rate that leads there, and when it has done so, by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from player.clock import SECOND
from player.engine.actions import SetRate
from player.stream.events import RateChanged, Stalled, Started
from player.wire.http import Reply, Service
from tests.engine.test_moving_about import LIVE, Asked, Moved, Step, at, move, started


def service(target_ms: int, slowest: float, fastest: float) -> str:
    rates = f'<PlaybackRate min="{slowest}" max="{fastest}"/>'
    return f'<ServiceDescription id="0"><Latency target="{target_ms}"/>{rates}</ServiceDescription>'


@dataclass
class Described(Asked):
    """The origin, with a ServiceDescription in its MPD."""

    description: str = ""

    def replies(self) -> list[Reply]:
        return [self._with_description(reply) for reply in super().replies()]

    def _with_description(self, reply: Reply) -> Reply:
        if b"<Period" not in reply.body:
            return reply
        body = reply.body.replace(b"<Period", self.description.encode() + b"<Period", 1)
        return reply._replace(body=body)


def catch_up(description: str, *steps: Step, stop_at_s: float) -> Moved:
    def wrap(inner: Service) -> Described:
        return Described(inner, description=description)

    return move(LIVE, *steps, stop_at_s=stop_at_s, wrap=wrap)


def behind_us(moved: Moved, target_s: float) -> int:
    """How far behind its target playback starts; the stream began 24 s before the run."""
    position: int = moved.of(Started)[0][1].position_us
    return 24 * SECOND + started(moved) - position - round(target_s * SECOND)


@pytest.mark.rule("dash:P8")
def test_too_far_behind_it_plays_faster_until_it_is_there() -> None:
    """About 6 s behind the edge, 4 wished for: at 1.25 a second is gained in four."""
    moved = catch_up(service(4000, 0.75, 1.25), stop_at_s=15.0)
    (faster_s, faster), (normal_s, normal) = moved.of(RateChanged)
    assert (round(faster_s * SECOND), faster.rate, normal.rate) == (started(moved), 1_250_000, 1_000_000)
    assert round(normal_s * SECOND) - started(moved) == 4 * behind_us(moved, 4.0)
    assert 24 * SECOND + round(normal_s * SECOND) - normal.position_us == 4 * SECOND
    assert not moved.of(Stalled)


@pytest.mark.rule("dash:P8")
def test_too_near_it_plays_slower_until_it_is_there() -> None:
    moved = catch_up(service(8000, 0.75, 1.25), stop_at_s=15.0)
    (_, slower), (normal_s, normal) = moved.of(RateChanged)
    assert (slower.rate, normal.rate) == (750_000, 1_000_000)
    assert round(normal_s * SECOND) - started(moved) == -4 * behind_us(moved, 8.0)


@pytest.mark.rule("dash:P8")
@pytest.mark.parametrize("description", [service(5700, 0.75, 1.25), service(6300, 0.75, 1.25), service(4000, 1, 1)])
def test_near_its_target_or_where_nothing_is_allowed_it_plays_on(description: str) -> None:
    assert not catch_up(description, stop_at_s=5.0).of(RateChanged)


def test_the_users_own_rate_is_not_touched() -> None:
    moved = catch_up(service(4000, 0.75, 1.25), at(SetRate(900_000), 2.0), stop_at_s=8.0)
    assert [event.rate for _, event in moved.of(RateChanged)] == [1_250_000, 900_000]


@pytest.mark.rule("dash:P8")
def test_catching_up_never_leads_into_a_stall() -> None:
    """A target that cannot be reached with segments of 2 s: what lies ahead is not used up."""
    moved = catch_up(service(500, 0.75, 1.5), stop_at_s=30.0)
    assert not moved.of(Stalled)
    assert [event.rate for _, event in moved.of(RateChanged)] == [1_500_000, 1_000_000]
