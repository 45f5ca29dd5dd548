"""What one player is to do: frozen, shared by all clients of a run that differ by nothing but their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from player.drm.plan import ClientPlan
from player.eme.element_quirks import NO_QUIRKS, ElementQuirks
from player.engine.actions import Headers
from player.engine.profile import Profile
from player.ids import ContentKey, KeyId
from player.stream.state import NORMAL, UNASKED
from player.wire.cmcd import Transmission


class Media(StrEnum):
    """How much of the media is played: decrypt all, only parse key signals, or no segments at all."""

    FULL = "full"
    SIGNALS = "signals"


@dataclass(frozen=True, slots=True, kw_only=True)
class CdmLatency:
    """Modelled time of CDM calls (virtual runs); 0 on the real clock, where the CDM takes the time it takes."""

    generate_request_us: int = 0
    update_us: int = 0


VIRTUAL_CDM = CdmLatency(generate_request_us=2_000, update_us=3_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerSpec:
    """`representation`: "auto", "highest", "lowest", an @id, or a script of them (`stream.ladder`).

    `start_us`: on the presentation timeline, `engine.window.LIVE`, or UNASKED: the start, or the live position.

    `live_delay_us`: from the availability of a segment to its playout; None: what the MPD suggests. `plan`: the client
    part of a strategy; None: the profile's own trigger runs.
    """

    mpd_url: str
    profile: Profile
    key_system: str | None = None  # None: by what the content carries
    license_url: str | None = None  # None: from the MPD
    license_headers: Headers = ()
    keys: Mapping[KeyId, ContentKey] = field(default_factory=dict)
    representation: str = "auto"
    media: Media = Media.FULL
    as_fast_as_possible: bool = False
    sync_clock: bool = True  # UTCTiming; a storm shares its clock with the backend and needs none
    start_us: int = UNASKED
    start_wall_us: int | None = None  # the same as wall time, µs since 1970
    rate: int = NORMAL  # parts per million
    duration_us: int | None = None  # of playback
    live_delay_us: int | None = None
    annotate: bool = False  # send Keystorm-Request with license requests
    cmcd: Transmission | None = None  # tell of oneself with each request
    cdm_latency: CdmLatency = CdmLatency()
    plan: ClientPlan | None = None
    element: ElementQuirks = NO_QUIRKS
