"""What the machine asks of its driver, and what the driver gives back. Hot, so `msgspec.Struct` without GC tracking.

An action is its own token: the driver hands the same object back with the result. It names slots and numbers, never an
object that could lead back to it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from player.drm.cause import Cause
from player.eme.cdm import Call, CdmResult
from player.engine.manifest import Manifest
from player.errors import KeystormError
from player.ids import KeyId
from player.isobmff.model import Fragment, InitSegment, MediaSegment
from player.isobmff.sidx import SegmentIndex
from player.mpd.model import ByteRange

Headers = tuple[tuple[str, str], ...]


class FetchKind(StrEnum):
    MPD = "mpd"
    PATCH = "patch"  # what has changed in the MPD
    XLINK = "xlink"  # a remote element
    STEERING = "steering"
    TIME = "time"  # UTCTiming over HTTP
    INDEX = "index"  # sidx of SegmentBase
    INIT = "init"
    MEDIA = "media"
    LICENSE = "license"


Parsed = Manifest | InitSegment | MediaSegment | SegmentIndex


class Fetch(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Fetch `url`. The driver parses the body (`engine.parsed.parse`, cached) before it hands the result back."""

    kind: FetchKind
    url: str
    method: str = "GET"
    headers: Headers = ()
    body: bytes | None = None
    byte_range: ByteRange | None = None
    timeout_us: int = 10_000_000  # whole exchange; 0: none
    connect_timeout_us: int = 0  # until the connection stands; 0: none
    stall_timeout_us: int = 0  # without a byte, once the answer has begun; 0: none
    query: str = ""  # added to the URL on the wire, and no part of the resource's name (CMCD)
    progress: bool = False  # send `Progress` while the body arrives
    parts: bool = False  # and with it each fragment of a media segment as soon as it is whole
    intended: int = 0  # µs on the run clock: when the machine wanted it to leave
    track: int = -1  # number of the track buffer; index, init and media
    context: InitSegment | None = None  # media: the init segment that explains it
    known: SegmentIndex | None = None  # index: what was read of it before; None: `byte_range` holds its beginning
    base: Manifest | None = None  # patch: the MPD that it changes
    slot: int = -1  # license: the session
    attempt: int = 0  # license: from 1
    cause: Cause | None = None  # license
    origin: Cause | None = None  # license: the cause of the first attempt
    kids: tuple[KeyId, ...] = ()  # license: what was asked for, as far as known


class OpenCdm(msgspec.Struct, frozen=True, gc=False):
    """Make this client's CDM for the key system; it comes before the first `CdmCall`."""

    key_system: str


class CdmCall(msgspec.Struct, frozen=True, gc=False):
    """Run this call on the client's CDM at once and hand the result back in the same drain."""

    call: Call


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Clear samples for the sink: `fragment.samples[start:stop]` lie at their offsets in `buffer`."""

    period: int  # running number of the Period played
    track: int
    buffer: bytearray
    init: InitSegment | None  # what explains them
    fragment: Fragment
    start: int
    stop: int


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Nobody waits for this fetch any more; its result must not be handed back."""

    fetch: Fetch


class Finish(msgspec.Struct, frozen=True, gc=False):
    """The machine has ended: at the end of the presentation or of the duration asked for, or by a fatal error."""

    error: KeystormError | None = None


Action = Fetch | OpenCdm | CdmCall | Deliver | Cancel | Finish


class Start(msgspec.Struct, frozen=True, gc=False):
    """Begin; `now` of this input is the client's join."""


class Fetched(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An HTTP answer of any status. `parsed` is set for 2xx answers of the kinds that `engine.parsed` reads."""

    action: Fetch
    status: int
    url: str  # after redirects
    headers: Headers = ()  # names in lower case
    body: bytes = b""
    parsed: Parsed | KeystormError | None = None
    sent_at: int = 0  # µs on the run clock
    done_at: int = 0
    moved_bytes: int = -1  # a chunked transfer: what arrived in `moved_us`, the time without the waits for the server
    moved_us: int = -1

    def __repr__(self) -> str:
        """The body of a license may hold keys in the clear: only its size is shown."""
        return f"Fetched({self.action.kind} {self.url!r}, status={self.status}, body=<{len(self.body)} bytes>)"


class Progress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """More of the body of a fetch under way has come; only where `Fetch.progress` or `Fetch.parts` asks for it.

    `parsed`: fragments that are whole now, each told once and in order; their `data` counts from the start of `body`.
    """

    action: Fetch
    received: int  # bytes of the body so far
    total: int | None  # bytes of the body, where the head of the answer says so
    sent_at: int  # µs on the run clock
    at: int
    body: bytes = b""
    parsed: MediaSegment | None = None


class FetchFailed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """No answer: `code` is "unreachable", "timeout", "broken" (cut in mid-body) or "refused-url"."""

    action: Fetch
    code: str
    reason: str
    sent_at: int = 0
    done_at: int = 0


class CdmDone(msgspec.Struct, frozen=True, gc=False):
    call: Call
    result: CdmResult


class Stop(msgspec.Struct, frozen=True, gc=False):
    """End now, as if the duration were over."""


class Seek(msgspec.Struct, frozen=True, gc=False):
    """Go to a position on the presentation timeline, or as near as there is media; `engine.window.LIVE`: to live."""

    position_us: int


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Stand still; what is ahead is fetched as far as the buffer has room."""


class Resume(msgspec.Struct, frozen=True, gc=False):
    """Go on after a pause."""


class SetRate(msgspec.Struct, frozen=True, gc=False):
    """Play at this rate from now on: parts per million, 1,000,000 is normal."""

    rate: int


Control = Seek | Pause | Resume | SetRate
Result = Start | Fetched | FetchFailed | Progress | CdmDone | Stop | Control
