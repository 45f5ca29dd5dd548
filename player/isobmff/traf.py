"""One track fragment: where its samples lie, and how each is protected (ISO/IEC 14496-12, 8.8; 23001-7, 6 and 7).

A `seig` group goes before `tenc`; the sample entry in use says first whether there is anything to decrypt at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Final, NamedTuple

from player.ids import KeyId
from player.isobmff.aux_boxes import Sizes, info_type
from player.isobmff.auxiliary import Wanted, auxiliary_of
from player.isobmff.boxes import MAX_SAMPLES, Box, Walk
from player.isobmff.fragment_boxes import TrackFragmentHeader, TrackRun, read_tfdt, read_tfhd, read_trun
from player.isobmff.groups import is_seig, protections, read_sbgp, read_sgpd
from player.isobmff.model import Fragment, SampleEntry, Track
from player.isobmff.sample import Scheme
from player.isobmff.samples import Applied, Auxiliary, Samples, in_a_row, joined, nothing, without_ranges_of_clear

_GROUP_BOXES: Final = (b"sbgp", b"sgpd")
_AUX_BOXES: Final = (b"saiz", b"saio")
_OF_KINDS: Final = frozenset({*_GROUP_BOXES, *_AUX_BOXES})  # each may be there once for every kind
_SINGLE: Final = frozenset({b"tfhd", b"tfdt", b"senc", *_OF_KINDS})


class Run(NamedTuple):
    """The samples of one `trun`, one after the other in data[start:end]."""

    box: Box
    start: int
    end: int
    sizes: tuple[int, ...]
    durations: tuple[int, ...]


class TrackFragment(NamedTuple):
    """A `traf` whose tables are read and whose samples are not."""

    box: Box
    track: Track
    entry: SampleEntry  # the one in use
    base: int  # what data offsets and saio count from
    decode_time: int | None
    runs: tuple[Run, ...]
    boxes: Mapping[bytes, Box]  # the first of each type that may be there once

    @property
    def data_end(self) -> int:
        return self.runs[-1].end if self.runs else self.base


def read_tables(walk: Walk, moof: Box, traf: Box, tracks: Mapping[int, Track], data_end: int | None) -> TrackFragment:
    """`data_end`: where the data of the traf before ended; None for the first.

    Raises: MediaError for a broken table, or a track or sample entry that is not there.
    """
    children = walk.children(traf)
    tfhd_box = next((box for box in children if box.type == b"tfhd"), None)
    if tfhd_box is None:
        raise traf.fault("bad-box", "no tfhd", "14496-12, 8.8.7")
    tfhd = read_tfhd(walk.data, tfhd_box)
    track = tracks.get(tfhd.track_id)
    if track is None:
        raise tfhd_box.fault("bad-reference", f"no track {tfhd.track_id}", "14496-12, 8.8.7")
    entry = _entry_in_use(tfhd_box, tfhd, track)
    boxes = single_boxes(walk, children, entry.scheme)
    base = base_of(tfhd, moof, data_end)
    if tfhd.base_data_offset is not None:
        base -= walk.origin
    return TrackFragment(
        traf,
        track,
        entry,
        base,
        read_tfdt(walk, boxes[b"tfdt"]) if b"tfdt" in boxes else None,
        tuple(_read_runs(walk.data, children, tfhd, track, base)),
        boxes,
    )


def read_samples(walk: Walk, found: TrackFragment, decode_time: int, init_data: tuple[bytes, ...] = ()) -> Fragment:
    """The samples of a traf whose runs lie in an mdat.

    Raises: MediaError `bad-aux`, `bad-reference` or `bad-protection`.
    """
    runs = [run for run in found.runs if run.sizes] or [Run(found.box, found.base, found.base, (), ())]
    sizes = _all_of([run.sizes for run in runs])
    applied = _applied(walk, found, len(sizes))
    kids = _kids(found.box, applied)
    start = min([run.start for run in runs])
    end = max([run.end for run in runs])
    return Fragment(
        track_id=found.track.id,
        timescale=found.track.timescale,
        decode_time=decode_time,
        data=(start, end),
        samples=Samples(
            sizes=sizes,
            durations=_all_of([run.durations for run in runs]),
            protections=joined(applied),
            places=in_a_row([(len(run.sizes), run.start - start, run.end - start) for run in runs]),
            auxiliary=_auxiliary(walk, found, applied, sizes) if kids else nothing(len(sizes)),
        ),
        kids=kids,
        init_data=init_data,
        traf=walk.data[found.box.start : found.box.end],
    )


def _entry_in_use(box: Box, tfhd: TrackFragmentHeader, track: Track) -> SampleEntry:
    index = track.default_entry if tfhd.description_index is None else tfhd.description_index
    if not 1 <= index <= len(track.entries):
        reason = f"sample description {index}, {len(track.entries)} there"
        raise box.fault("bad-reference", reason, "14496-12, 8.8.7")
    return track.entries[index - 1]


def single_boxes(walk: Walk, children: Sequence[Box], scheme: Scheme | None) -> dict[bytes, Box]:
    """The first of each; sample groups and auxiliary information of other kinds than ours are stepped over."""
    found: dict[bytes, Box] = {}
    for box in children:
        kind = box.type
        if kind not in _SINGLE or (kind in _OF_KINDS and not _is_ours(walk, box, scheme)):
            continue
        if kind in found:
            walk.warn("duplicate-box", box)
        else:
            found[kind] = box
    return found


def _is_ours(walk: Walk, box: Box, scheme: Scheme | None) -> bool:
    if box.type in _GROUP_BOXES:
        return is_seig(walk, box)
    kind = info_type(walk.data, box)
    return kind is None or (scheme is not None and kind == scheme.encode())


def base_of(tfhd: TrackFragmentHeader, moof: Box, data_end: int | None) -> int:
    """14496-12, 8.8.7.1: explicit, else the moof if flagged, else where the data of the traf before ended."""
    if tfhd.base_data_offset is not None:
        return tfhd.base_data_offset
    return moof.start if tfhd.base_is_moof or data_end is None else data_end


def _read_runs(
    data: bytes, children: Sequence[Box], tfhd: TrackFragmentHeader, track: Track, base: int
) -> Sequence[Run]:
    runs: list[Run] = []
    position = base
    left = MAX_SAMPLES
    for box in children:
        if box.type != b"trun":
            continue
        trun = read_trun(data, box)
        left -= trun.sample_count
        if left < 0:
            raise box.fault("limit", f"more than {MAX_SAMPLES} samples")
        start = position if trun.data_offset is None else base + trun.data_offset
        runs.append(_run(box, trun, start, tfhd, track))
        position = runs[-1].end
    return runs


def _run(box: Box, trun: TrackRun, start: int, tfhd: TrackFragmentHeader, track: Track) -> Run:
    """Size and duration: trun, else tfhd, else trex."""
    size = track.default_size if tfhd.size is None else tfhd.size
    duration = track.default_duration if tfhd.duration is None else tfhd.duration
    sizes, durations, count = trun.sizes, trun.durations, trun.sample_count
    if sizes is None:
        if count > 1 and not size:
            raise box.fault("bad-table", f"{count} samples of no size", "14496-12, 8.8.8")
        sizes = (size,) * count
    if durations is None:
        durations = (duration,) * count
    return Run(box, start, start + sum(sizes), sizes, durations)


def _all_of(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """One after the other; there is mostly one."""
    return parts[0] if len(parts) == 1 else tuple(chain.from_iterable(parts))


def _applied(walk: Walk, found: TrackFragment, count: int) -> Sequence[Applied]:
    sbgp, sgpd = found.boxes.get(b"sbgp"), found.boxes.get(b"sgpd")
    entry = found.entry
    if entry.scheme is None or sbgp is None:  # a clear entry stays clear, whatever a group says
        return [(count, entry.protection)]
    in_traf = () if sgpd is None else read_sgpd(walk, sgpd, entry.scheme)
    runs = read_sbgp(walk, sbgp, count)
    return protections(sbgp, runs, entry.protection, found.track.groups, in_traf, count)


def _kids(traf: Box, applied: Sequence[Applied]) -> tuple[KeyId, ...]:
    """Distinct, in order of first use. The zero KID promises a group that names the real one."""
    kids = tuple(dict.fromkeys([each.kid for count, each in applied if count and each is not None]))
    if [kid for kid in kids if kid.is_zero]:
        raise traf.fault("bad-protection", "a protected sample has the zero KID and no group", "23001-7, 8.2")
    return kids


def _auxiliary(walk: Walk, found: TrackFragment, applied: Sequence[Applied], sizes: tuple[int, ...]) -> Auxiliary:
    wanted = Wanted(sizes, _iv_sizes(applied, len(sizes)))
    read = auxiliary_of(walk, found.box, found.boxes, found.base, (len(sizes),), wanted)
    return read if all(each is not None for _, each in applied) else without_ranges_of_clear(read, applied)


def _iv_sizes(applied: Sequence[Applied], count: int) -> Sizes:
    of_runs = [0 if each is None else each.iv_size for _, each in applied]
    if of_runs.count(of_runs[0]) == len(of_runs):
        return Sizes(count, of_runs[0])
    runs = zip(of_runs, (samples for samples, _ in applied), strict=True)
    return Sizes(count, None, tuple(chain.from_iterable(repeat(size, samples) for size, samples in runs)))
