"""One track as a Representation: its init segment and media segments, encrypted, in one Period after the other.

Pure functions of track, settings and keys. IVs are a digest of scheme and samples: the same input gives the same bytes,
and two inputs under one key share no keystream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Final

from player.backend.packager import pssh, signal
from player.backend.packager.cut import Cut, Piece
from player.backend.packager.keys import ROOT, HeldPair, KeyBook
from player.backend.packager.protect import ZERO_KID, Protected, SampleMap, encrypt, sample_map
from player.backend.packager.segment import CLEAR_LEAD_ENTRY
from player.backend.packager.settings import PsshPlace, Settings
from player.backend.packager.source import SourceTrack
from player.backend.spec import Rotation
from player.cenc.subsamples import mapper
from player.errors import MediaError
from player.isobmff import writer
from player.isobmff.sample import Protection, Scheme
from player.isobmff.writer import FragmentHeader, TrackHeader
from player.wire.blob import LeafKey

MAX_ENTRY_BYTES: Final = 255  # `saiz` has one byte for the size of an IV and its subsamples (14496-12, 8.7.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One Period of the MPD, in seconds of the presentation. `crypto_period` where each has a Period of its own."""

    number: int
    start: Fraction
    end: Fraction
    segments: range
    crypto_period: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendition:
    """A track with what was decided for it. `digest` is that of its samples and of how they are protected, `maps` has
    one map a sample of the track."""

    id: str
    track: SourceTrack
    label: str
    pieces: tuple[Piece, ...]
    sha256: str  # over the clear samples
    digest: bytes
    maps: tuple[SampleMap, ...]

    def ticks(self, piece: int) -> tuple[int, int]:
        """Start and end of a piece on the media timeline."""
        samples = self.track.samples
        first, last = self.pieces[piece]
        return samples[first].time, samples[last].time if last < len(samples) else self.track.end


def rendition(name: str, track: SourceTrack, label: str, pieces: tuple[Piece, ...], settings: Settings) -> Rendition:
    """Raises: MediaError for a sample that is not made as its codec says."""
    clear = sha256()
    for piece in pieces:
        clear.update(track.join(*piece))
    how = f"{settings.scheme}/{settings.pattern}/{settings.iv_bytes}/{track.codec.fourcc}".encode("ascii")
    digest = sha256(how + clear.digest()).digest()
    return Rendition(
        id=name,
        track=track,
        label=label,
        pieces=pieces,
        sha256=clear.hexdigest(),
        digest=digest,
        maps=tuple(_maps(track, settings.scheme)),
    )


def _maps(track: SourceTrack, scheme: Scheme) -> Iterator[SampleMap]:
    """Of all samples in decode order, for a header may refer to any before it."""
    try:
        ranges_of = mapper(track.codec.fourcc, track.codec.config).ranges
    except ValueError as error:
        at = track.data.find(track.sample_entry)
        raise MediaError("bad-box", f"stsd/{track.codec.fourcc}", at, str(error), "23001-7, 9.5") from None
    for start, size, *_ in track.samples:
        try:
            yield sample_map(size, ranges_of(track.data[start : start + size], scheme))
        except ValueError as error:
            raise MediaError("bad-sample", "mdat", start, str(error), "23001-7, 9.5") from None


def named_key(each: Rendition, span: Span, settings: Settings, keys: KeyBook) -> HeldPair | None:
    """The key that `tenc` and the MPD's default_KID name."""
    match settings.rotation:
        case Rotation.IN_BAND:
            return None
        case Rotation.HIERARCHY:
            return keys.key(ROOT)
        case Rotation.NONE | Rotation.NEW_PERIOD:
            return keys.key(each.label, span.crypto_period)


def init_segment(each: Rendition, span: Span, settings: Settings, keys: KeyBook) -> bytes:
    """With a clear lead a clear sample entry follows the protected one."""
    track = each.track
    named = named_key(each, span, settings, keys)
    protected = writer.protected_entry(track.sample_entry, _protection(each, settings, named, span.crypto_period))
    entries = (protected, track.sample_entry) if settings.clear_lead else (protected,)
    header = TrackHeader(
        kind=track.kind,
        timescale=track.timescale,
        entries=entries,
        width=track.codec.width,
        height=track.codec.height,
        language=track.language,
        edits=track.edits,
    )
    named_here = named is not None and PsshPlace.MOOV in settings.pssh_in
    return writer.init_segment(header, signal.boxes(settings.pssh_kinds, named.kid) if named_here and named else ())


def media_segments(
    each: Rendition, span: Span, cuts: Sequence[Cut], settings: Settings, keys: KeyBook
) -> Iterator[bytes]:
    """Those of one Period, in order."""
    for index in span.segments:
        crypto_period = settings.crypto_period_at(cuts[index].wanted)
        clear = cuts[index].wanted < settings.clear_lead
        yield _media_segment(each, index, settings, keys, crypto_period, clear=clear)


def _media_segment(
    each: Rendition, index: int, settings: Settings, keys: KeyBook, crypto_period: int, *, clear: bool
) -> bytes:
    first, last = each.pieces[index]
    samples = each.track.samples[first:last]
    held = keys.key(each.label, crypto_period)
    protection = _protection(each, settings, held, crypto_period)
    data = each.track.join(first, last)
    protected = None if clear else _protect(each, data, first, last, protection, held)
    offsets = [sample.time_offset for sample in samples]
    header = FragmentHeader(
        sequence=index + 1,
        decode_time=samples[0].time,
        sizes=[sample.size for sample in samples],
        durations=_durations(each, index),
        sync=_sync(each, index),
        entry=CLEAR_LEAD_ENTRY if clear else 1,
        auxiliary=None if protected is None else protected.auxiliary,
        group=protection if settings.in_band and not clear else None,
        time_offsets=offsets if any(offsets) else None,
    )
    return writer.media_segment(header, data, _moof_boxes(settings, keys, held))


def _protection(each: Rendition, settings: Settings, held: HeldPair | None, crypto_period: int) -> Protection:
    """What `tenc` or `seig` says. `held` None: zero KID, and in cbcs a zero IV of 8 bytes that nobody may use."""
    kid = ZERO_KID if held is None else held.kid
    crypt, skip = settings.pattern_of(each.track.kind)
    if settings.scheme is not Scheme.CBCS:
        return Protection(scheme=settings.scheme, kid=kid, iv_size=settings.iv_bytes, crypt=crypt, skip=skip)
    constant = sha256(each.digest + crypto_period.to_bytes(8, "big")).digest()[:16] if held else bytes(8)
    return Protection(scheme=Scheme.CBCS, kid=kid, iv_size=0, constant_iv=constant, crypt=crypt, skip=skip)


def _protect(
    each: Rendition, data: bytearray, first: int, last: int, protection: Protection, held: HeldPair
) -> Protected:
    """IVs are numbers a sample, in their first 8 bytes; the blocks of CTR are counted in the others.

    Raises: MediaError for a sample of too many subsamples.
    """
    number = (int.from_bytes(each.digest[:8], "big") + first) % 2**64
    iv = number.to_bytes(8, "big") + bytes(max(protection.iv_size - 8, 0))
    maps = each.maps[first:last]
    for sample, (_, ranges, table) in zip(each.track.samples[first:last], maps, strict=True):
        if protection.iv_size + len(table) > MAX_ENTRY_BYTES:
            raise MediaError("limit", "mdat", sample.start, f"a sample of {len(ranges)} subsamples", "14496-12, 8.7.8")
    return encrypt(data, maps, protection, held.key, iv)


def _durations(each: Rendition, index: int) -> list[int]:
    """From each sample to the next, so that no gap of the source moves what comes after it."""
    first, last = each.pieces[index]
    times = [sample.time for sample in each.track.samples[first:last]]
    return [after - before for before, after in zip(times, [*times[1:], each.ticks(index)[1]], strict=True)]


def _sync(each: Rendition, index: int) -> tuple[int, ...] | None:
    first, last = each.pieces[index]
    sync = tuple(i for i, sample in enumerate(each.track.samples[first:last]) if sample.sync)
    return None if len(sync) == last - first else sync


def _moof_boxes(settings: Settings, keys: KeyBook, held: HeldPair) -> tuple[bytes, ...]:
    """Clear fragments have them too: early notice of the key of the crypto period they lie in."""
    if PsshPlace.MOOF not in settings.pssh_in:
        return ()
    if settings.rotation is not Rotation.HIERARCHY:
        return signal.boxes(settings.pssh_kinds, held.kid)
    root = keys.key(ROOT)
    return (pssh.hierarchy_leaf(root.kid, root.key, (LeafKey(held.kid, held.key, 0, 0),)),)
