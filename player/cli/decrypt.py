"""`keystorm decrypt`: encrypted files in, one clear file out, or none.

Imports the decryptor only, and works on files mapped into memory, so that a long one is never held as a whole.
"""

from __future__ import annotations

import mmap
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

from player.cenc.file import KeyFor, decrypt_file
from player.cli import secrets
from player.cli.main import DONE, FAILED, WRONG_USAGE, complain
from player.cli.outputs import check_writable
from player.cli.write_behind import Writer
from player.errors import MediaError, UsageError


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="INPUT", type=Path, nargs="+", help="one file, or an init segment and its segments in order")
    help_on_keys = "a key in hex, or @FILE with one a line; more than are needed do no harm"
    add("--key", metavar="KID:KEY", type=secrets.keys, action="append", default=[], help=help_on_keys)
    add("--output", metavar="OUT", type=Path, required=True, help="the clear file; there is none unless all went well")


def run(options: Namespace) -> int:
    """0 only if every sample is clear."""
    check_writable(options.output)
    keys = dict(pair for pairs in options.key for pair in pairs)
    try:
        with _joined(options.input) as data, _replacing(options.output) as file:
            _write(data, keys.get, file)
    except MediaError as fault:
        place = ", ".join(map(str, options.input[:1])) + (" …" if len(options.input) > 1 else "")
        return complain(fault.code, f"{place}: {fault}", FAILED if fault.code == "no-key" else WRONG_USAGE)
    return DONE


def _write(data: bytes, key_for: KeyFor, file: IO[bytes]) -> None:
    writer = Writer(file.fileno())
    try:
        for at, part in decrypt_file(data, key_for):
            writer.write(at, part)
    finally:
        writer.end()


@contextmanager
def _joined(paths: Sequence[Path]) -> Iterator[bytes]:
    """The bytes of all inputs, one after the other."""
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(path.open("rb")) for path in paths]
            whole = files[0] if len(files) == 1 and files[0].seekable() else stack.enter_context(_copied(files))
            size = os.fstat(whole.fileno()).st_size
            mapped = mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise UsageError(f"{error.filename or paths[0]}: {error.strerror}") from None
        yield cast(bytes, mapped)  # it has no common type with bytes, only all that a reader asks of them


@contextmanager
def _copied(files: Sequence[IO[bytes]]) -> Iterator[IO[bytes]]:
    from shutil import copyfileobj
    from tempfile import TemporaryFile

    with TemporaryFile() as whole:
        for file in files:
            copyfileobj(file, whole, 1 << 20)
        whole.flush()
        yield whole


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place if nothing was raised, and else leaves no trace."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("xb", buffering=0) as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)
