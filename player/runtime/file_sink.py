"""Sinks that write files: `DIRECTORY/<period>-<track>.<suffix>`, in one of three forms.

File names are our own numbers: nothing of a manifest gets into a path.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from player.engine.actions import Deliver
from player.errors import UsageError
from player.runtime.forms import FORMS, Form, Writer
from player.runtime.sinks import Delivered, HashSink, NullSink, Place, Samples, Sink

FILE_SINKS: Final = tuple(FORMS)
SINKS: Final = (*FILE_SINKS, "hash", "null")


class FileSink:
    """Writes what a form makes of the samples, and digests them like `hash`.

    What cannot follow in the same file, as fragments of another init segment cannot, goes to
    `<period>-<track>-<n>.<suffix>`, n from 1.
    """

    __slots__ = ("_directory", "_files", "_form", "_hash")

    def __init__(self, directory: Path, form: Form) -> None:
        self._directory = directory
        self._form = form
        self._hash = HashSink()
        self._files: dict[tuple[Place, Hashable], _Open] = {}

    def write(
        self, period: int, track: int, buffer: bytearray, samples: Samples, deliver: Deliver | None = None
    ) -> None:
        """Raises: UsageError where the file cannot be written, or the form does not know the codec; MediaError."""
        try:
            file, writer = self._file((period, track), deliver)
            for piece in writer(buffer, samples, deliver):
                file.write(piece)
        except OSError as error:
            raise UsageError(f"{self._directory}: {error.strerror}") from None
        self._hash.write(period, track, buffer, samples)

    def parts(self) -> Mapping[Place, Delivered]:
        return self._hash.parts()

    def tracks(self) -> Mapping[int, Delivered]:
        return self._hash.tracks()

    def close(self) -> None:
        for file, _ in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, place: Place, deliver: Deliver | None) -> _Open:
        target = self._form.target(deliver)
        key = place, target.key
        if key not in self._files:
            number = sum(each == place for each, _ in self._files)
            name = "-".join(map(str, (*place, number) if number else place))
            self._directory.mkdir(parents=True, exist_ok=True)
            self._files[key] = _Open((self._directory / f"{name}.{target.suffix}").open("wb"), target.writer())
        return self._files[key]


def sink_named(name: str, directory: Path | None = None) -> Sink:
    """The sink of this name; those that write files need a `directory`. Raises: UsageError."""
    if name in FORMS:
        if directory is None:
            raise UsageError(f"the sink {name} needs a folder to write to")
        return FileSink(directory, FORMS[name])
    if name not in _OTHERS:
        raise UsageError(f"no sink {name!r}; there are: {', '.join(SINKS)}")
    return _OTHERS[name]()


class _Open(NamedTuple):
    file: BinaryIO
    writer: Writer


_OTHERS: Final[Mapping[str, Callable[[], Sink]]] = {"hash": HashSink, "null": NullSink}
