"""What files hold: samples as they are (`raw`), elementary streams (`annexb`), clear fragmented MP4 (`fmp4`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from player.engine.actions import Deliver
from player.errors import UsageError
from player.isobmff import adts, annexb
from player.isobmff.clear_fragment import SampleTable, fragment, read_sample_table
from player.isobmff.configuration import ClearInit, Configuration, clear_init, configuration
from player.isobmff.model import Track
from player.isobmff.sample import Sample
from player.runtime.sinks import Samples, runs

Writer = Callable[[bytearray, Samples, Deliver | None], Iterable[bytes]]
"""Makes of samples what is appended to one file; it may remember what it has made."""


class Target(NamedTuple):
    """The file that samples belong in. `key`: what other samples must share to follow in it."""

    suffix: str
    key: Hashable
    writer: Callable[[], Writer]


class Form(Protocol):
    def target(self, deliver: Deliver | None) -> Target: ...


class Raw:
    """The samples one after the other, as they lie in `mdat`."""

    __slots__ = ()

    def target(self, deliver: Deliver | None) -> Target:
        del deliver
        return Target("raw", None, lambda: lambda buffer, samples, _: runs(buffer, samples))


class AnnexB:
    """H.264 and HEVC as byte streams with their parameter sets, AAC with ADTS headers. One file, whatever changes."""

    __slots__ = ()

    def target(self, deliver: Deliver | None) -> Target:
        fourcc = _configuration(deliver).fourcc
        if fourcc not in _STREAMS:
            raise UsageError(f"the sink annexb writes H.264, HEVC and AAC, not {fourcc.decode('ascii', 'replace')}")
        suffix = _STREAMS[fourcc]
        return Target(suffix, suffix, _STREAM_WRITERS[suffix])


class Fmp4:
    """An init segment and fragments, all clear: a file for each init segment."""

    __slots__ = ()

    def target(self, deliver: Deliver | None) -> Target:
        init = _clear_init(deliver)
        return Target("mp4", init.moov, partial(_Fragments, init))


FORMS: Final[Mapping[str, Form]] = {"raw": Raw(), "annexb": AnnexB(), "fmp4": Fmp4()}


class _Fragments:
    """One file: the init segment comes before the first fragment."""

    __slots__ = ("_init", "_sequence")

    def __init__(self, init: ClearInit) -> None:
        self._init = init
        self._sequence = 0

    def __call__(self, buffer: bytearray, samples: Samples, deliver: Deliver | None) -> Iterator[bytes]:
        source, track = _source(deliver)
        if not self._sequence:
            yield self._init.segment
        self._sequence += 1
        table = _table(source, track)
        decode_time = source.fragment.decode_time + sum(source.fragment.samples.durations[: source.start])
        data = b"".join(runs(buffer, samples))
        numbered = table._replace(entry=self._init.entries[table.entry - 1])
        yield fragment(self._sequence, track.id, decode_time, samples, numbered, data)


class _Pictures:
    """A byte stream of H.264 or HEVC."""

    __slots__ = ("_begun", "_read")

    def __init__(self, read: Callable[[bytes], annexb.StreamConfiguration]) -> None:
        self._read = read
        self._begun = False

    def __call__(self, buffer: bytearray, samples: Samples, deliver: Deliver | None) -> Iterator[bytes]:
        configured = self._read(_configuration(deliver).record)
        for sample in samples:
            yield annexb.access_unit(_payload(buffer, sample), configured, first=not self._begun)
            self._begun = True


def _frames(buffer: bytearray, samples: Samples, deliver: Deliver | None) -> Iterator[bytes]:
    configured = adts.read_esds(_configuration(deliver).record)
    return (adts.frame(_payload(buffer, sample), configured) for sample in samples)


_STREAMS: Final = {b"avc1": "h264", b"avc3": "h264", b"hvc1": "h265", b"hev1": "h265", b"mp4a": "aac"}
_STREAM_WRITERS: Final[Mapping[str, Callable[[], Writer]]] = {
    "h264": partial(_Pictures, annexb.read_avcc),
    "h265": partial(_Pictures, annexb.read_hvcc),
    "aac": lambda: _frames,
}


def _payload(buffer: bytearray, sample: Sample) -> bytes:
    return bytes(buffer[sample.offset : sample.offset + sample.size])


def _source(deliver: Deliver | None) -> tuple[Deliver, Track]:
    """Raises: ValueError where samples came without what explains them."""
    if deliver is None or deliver.init is None:
        raise ValueError("samples without their init segment")
    return deliver, next(track for track in deliver.init.tracks if track.id == deliver.fragment.track_id)


def _clear_init(deliver: Deliver | None) -> ClearInit:
    source, track = _source(deliver)
    return clear_init(source.init.moov if source.init else b"", track.id)


def _configuration(deliver: Deliver | None) -> Configuration:
    source, track = _source(deliver)
    entry = read_sample_table(source.fragment.traf, track.default_entry, track.default_flags).entry
    return configuration(_clear_init(deliver), entry)


def _table(source: Deliver, track: Track) -> SampleTable:
    """Of the samples delivered only."""
    entry, flags, offsets = read_sample_table(source.fragment.traf, track.default_entry, track.default_flags)
    part = slice(source.start, source.stop)
    return SampleTable(entry, flags[part], offsets[part])
