"""What the embedded backend is to serve: frozen, plain data, made from a scenario or written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from player.ids import KeyId
from player.isobmff.sample import Scheme


class Form(StrEnum):
    LIVE = "live"
    VOD = "vod"


class KeyPlan(StrEnum):
    """Which tracks share a key."""

    SINGLE = "single"
    TRACK = "track"
    RESOLUTION = "resolution"


class Addressing(StrEnum):
    NUMBER = "number"
    TIME = "time"


class Rotation(StrEnum):
    """DASH-IF IOP v5 part 6: 9.2 (new Period), 9.3 (in-band), 9.4 (hierarchy)."""

    NONE = "none"
    NEW_PERIOD = "new-period"
    IN_BAND = "in-band"
    HIERARCHY = "hierarchy"


class Discipline(StrEnum):
    FIFO = "fifo"
    LIFO = "lifo"
    FIFO_DEADLINE = "fifo-deadline"


class Overload(StrEnum):
    QUEUE = "queue"
    REFUSE_FIXED = "429-fixed"
    REFUSE_JITTER = "429-jitter"
    REFUSE_SLOT = "429-slot"
    UNAVAILABLE = "503"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSpec:
    """The presentation. Instants count on the run clock."""

    form: Form = Form.LIVE
    clip: str = "loop"
    tracks: tuple[str, ...] = ("video-180p", "video-360p", "video-720p", "audio")
    keys: KeyPlan = KeyPlan.SINGLE
    scheme: Scheme = Scheme.CENC
    segment_s: float = 2.0  # a multiple of the clip's 2 s
    addressing: Addressing = Addressing.NUMBER
    rotation: Rotation = Rotation.NONE
    crypto_period_s: float = 8.0
    first_boundary_s: float | None = (
        None  # when its first segment becomes available; None: the first multiple of the crypto period
    )
    announced: bool = False  # EventStream in the MPD (set by a strategy)
    announce_s: float = 60.0  # this long ahead
    close_s: float | None = (
        None  # end of the prefetch window before the boundary; None: 15 s or announce_s / 4 if smaller
    )
    mpd_refresh_s: float = 2.0
    time_shift_s: float = 24.0
    duration_s: float = 16.0  # vod only


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The capacity model of a license server. `capacity` None: infinite, and nothing else of it applies."""

    capacity: float | None = None  # licenses a second when busy
    workers: int = 1  # parallel servers; `capacity` is their sum
    queue_max_s: float | None = None  # longest wait accepted; None: 1 s, and any where `overload` is "queue"
    discipline: Discipline = Discipline.FIFO
    deadline_s: float | None = None  # fifo-deadline: older work is thrown away unserved
    overload: Overload = Overload.QUEUE
    retry_after_s: float = 5.0
    retry_jitter_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Between two instants of the run clock the license routes answer as `mode` says (the fault table of `common`)."""

    from_s: float
    to_s: float
    mode: str  # one of `common.faults.MODES`
    rate: float = 1.0
    delay_s: float = 1.0  # of the mode "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseSpec:
    grant: str = "requested"  # requested | group | all | next:K
    withhold: tuple[KeyId, ...] = ()
    validity_s: float | None = None
    renew_s: float | None = None  # after so long a license asks for its renewal (hierarchy); None: never
    admission: Admission = field(default_factory=Admission)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSpec:
    """`seed` None: keys and KIDs come from the operating system."""

    content: ContentSpec = field(default_factory=ContentSpec)
    license: LicenseSpec = field(default_factory=LicenseSpec)
    seed: int | None = None
