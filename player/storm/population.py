"""Who takes part: each client's join and live delay, a draw from its number alone, so that no sharding changes them."""

from __future__ import annotations

from typing import NamedTuple

from player.chance import Draw, Purpose
from player.clock import us
from player.storm.spec import StormSpec, Uniform


class Client(NamedTuple):
    """`join_us` on the run clock; `live_delay_us` from the availability of a segment to its playout."""

    number: int
    draw: Draw
    join_us: int
    live_delay_us: int


def client(spec: StormSpec, number: int) -> Client:
    draw = Draw(spec.seed, number)
    return Client(
        number=number,
        draw=draw,
        join_us=_drawn(draw, Purpose.JOIN, spec.join),
        live_delay_us=_drawn(draw, Purpose.LIVE_DELAY, spec.live_delay),
    )


def _drawn(draw: Draw, purpose: Purpose, law: Uniform) -> int:
    return us(draw.between(purpose, 0, law.from_s, law.to_s))
