"""What must hold for any bytes: a reader answers soundly or raises its one class of errors. `tools/fuzz` tries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from player.errors import MediaError
from player.isobmff import dump, events, file, init, pssh, segment, sidx
from player.isobmff.model import BrokenSegmentError, Fragment, MediaSegment


def try_init(data: bytes) -> None:
    try:
        init.parse_init(data)
    except MediaError:
        return


def try_media(data: bytes) -> None:
    try_fragments(data, segment.parse_media)


def try_file(data: bytes) -> None:
    try_fragments(data, file.parse_file)


def try_fragments(data: bytes, parse: Callable[[bytes], MediaSegment]) -> None:
    try:
        found = parse(data)
    except BrokenSegmentError as broken:
        found = broken.delivered
    for fragment in found.fragments:
        check_fragment(fragment, len(data))


def check_fragment(fragment: Fragment, size: int) -> None:
    start, end = fragment.data
    assert 0 <= start <= end <= size, "data outside the resource"
    for sample in fragment.samples:
        assert 0 <= sample.offset <= sample.offset + sample.size <= end - start, "a sample outside its data"
        assert not sample.ranges or sum(map(sum, sample.ranges)) == sample.size, "ranges of another size"
        if sample.protection is not None:
            assert sample.protection.kid in fragment.kids, "a KID that is not told"
            assert sample.iv or sample.protection.constant_iv, "ciphertext without an IV"


def try_sidx(data: bytes) -> None:
    for read in (sidx.parse_sidx, partial(sidx.continued, sidx.SOUGHT)):
        try:
            found = read(data, 0)
        except MediaError:
            continue
        assert all(one.first_byte >= 0 <= one.size for one in found.segments), "a reference to nowhere"


def try_events(data: bytes) -> None:
    try:
        events.parse_side_boxes(data)
    except MediaError:
        return


def try_pssh(data: bytes) -> None:
    try:
        boxes = pssh.read(data)
    except ValueError:
        return
    assert pssh.read(b"".join(map(pssh.write, boxes))) == boxes, "a box that is not itself when written"


def try_dump(data: bytes) -> None:
    for box in dump.walk(data):
        assert 0 <= box.offset <= len(data), "a box outside the resource"
        assert box.depth < dump.MAX_DEPTH, "too deep"


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "init": try_init,
    "media": try_media,
    "file": try_file,
    "sidx": try_sidx,
    "events": try_events,
    "pssh": try_pssh,
    "dump": try_dump,
}
