"""A whole presentation in one file, decrypted: its fragments in place, the boxes around them as those of a clear one.

Pure: bytes in, parts of the output out, one moof with its data at a time. It refuses to know where bytes and keys come
from. A mapped file serves as well as bytes: what is sliced from it is bytes, and nothing else is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from player.cenc.decrypt import Decryptor
from player.ids import ContentKey, KeyId
from player.isobmff.boxes import Box, no_moov
from player.isobmff.clear import Entries, clear_moof, clear_moov, stored_fragments
from player.isobmff.edits import Moves
from player.isobmff.model import Fragment
from player.isobmff.moved import moved_mfra, moved_sidx
from player.isobmff.segment import parts

KeyFor = Callable[[KeyId], ContentKey | None]

_INDEXES: Final[Mapping[bytes, Callable[[bytes, Box, Moves], bytes]]] = {b"sidx": moved_sidx, b"mfra": moved_mfra}
_USELESS: Final = (b"pssh", b"ssix")  # at top level: they keep their place, as free space


class Output(NamedTuple):
    """`data` is to stand from byte `at` on. It stays as it is until the moof after the next one is asked for."""

    at: int
    data: bytes | memoryview


def decrypt_file(data: bytes, key_for: KeyFor) -> Iterator[Output]:
    """What to write where. The whole file is there once this ends; a file without protection comes out as it is.

    Raises: MediaError; `no-key` with the key id that nobody has. What was written before is worth nothing then.
    """
    job = _Job(data, key_for)
    for part in parts(data):
        yield from job.take(part.boxes, part.fragments)
    yield from job.end()


class _Job:
    """One file under way."""

    __slots__ = ("_buffers", "_data", "_decryptor", "_entries", "_key_for", "_late", "_met_moov", "_moves", "_view")

    def __init__(self, data: bytes, key_for: KeyFor) -> None:
        self._data = data
        self._view = memoryview(data)
        self._key_for = key_for
        self._decryptor = Decryptor()
        self._buffers = [bytearray(), bytearray()]  # taking turns: fresh memory costs as much as decrypting it
        self._entries: Entries | None = None
        self._met_moov = False
        self._moves = Moves()
        self._late: list[Box] = []  # they speak of what lies behind them

    def take(self, boxes: Sequence[Box], fragments: Sequence[Fragment]) -> Iterator[Output]:
        """A moof with what follows it, or what comes before the first one."""
        stored = self._stored(boxes)
        origin, source = self._decrypted(boxes, [*stored, *fragments] if stored else fragments)
        plain = boxes[0].start if boxes else 0  # from here on nothing has been changed or put out
        for box in boxes:
            changed = self._changed(box, fragments)
            if changed is not None:
                if box.start > plain:
                    yield Output(self._moves(plain), source[plain - origin : box.start - origin])
                yield Output(self._moves(box.start), changed)
                plain = box.end
        if boxes and boxes[-1].end > plain:
            yield Output(self._moves(plain), source[plain - origin : boxes[-1].end - origin])

    def end(self) -> Iterator[Output]:
        """What could not be known before: where everything else went."""
        if not self._met_moov:
            raise no_moov(self._data)
        for box in self._late:
            yield Output(self._moves(box.start), self._index(box))

    def _stored(self, boxes: Sequence[Box]) -> Sequence[Fragment]:
        """The samples of an unfragmented file, which its moov lists."""
        moov = next((box for box in boxes if box.type == b"moov"), None)
        mdats = [box for box in boxes if box.type == b"mdat"]
        return () if moov is None else stored_fragments(self._data, moov, mdats)

    def _decrypted(self, boxes: Sequence[Box], fragments: Sequence[Fragment]) -> tuple[int, memoryview]:
        """Where a view of the input begins that has these fragments in the clear, and the view."""
        protected = [fragment for fragment in fragments if fragment.kids]
        if not protected:
            return 0, self._view
        origin, end = boxes[0].start, boxes[-1].end
        self._buffers.reverse()
        if len(self._buffers[0]) < end - origin:
            self._buffers[0] = bytearray(end - origin)
        clear = memoryview(self._buffers[0])[: end - origin]
        clear[:] = self._view[origin:end]
        for fragment in protected:
            start, stop = fragment.data
            outcome = self._decryptor.decrypt(clear[start - origin : stop - origin], fragment.samples, self._key_for)
            if outcome.stopped_by is not None:
                explains = next(box for box in boxes if box.type in (b"moof", b"moov"))
                raise explains.fault("no-key", f"no key for {outcome.stopped_by}")
        return origin, clear

    def _changed(self, box: Box, fragments: Sequence[Fragment]) -> bytes | None:
        """What comes in the place of a box, b"" if it comes later; None: it stays."""
        if box.type == b"moov":
            self._met_moov = True
            clear, self._entries = clear_moov(self._data, box, self._moves)
            return clear
        if box.type in _INDEXES:
            self._late.append(box)
            return b""
        if self._entries is None:
            return None
        if box.type == b"moof":
            return clear_moof(self._data, box, self._entries, fragments, self._moves)
        if box.type in _USELESS:
            return self._data[box.start : box.start + 4] + b"free" + self._data[box.start + 8 : box.end]
        return None

    def _index(self, box: Box) -> bytes:
        changed = None if self._entries is None else _INDEXES[box.type](self._data, box, self._moves)
        return self._data[box.start : box.end] if changed is None else changed
