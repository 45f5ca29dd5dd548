"""Broken files given to `keystorm decrypt`: clear samples, or one line that says what, where and why, and no file."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import pytest

from player.cli.main import main
from player.isobmff.segment import parse_media
from tests.cenc.content import KEYS, Studio, open_studio
from tests.cenc.test_malformed_media import clear_samples, made
from tests.cli.conftest import Keystorm
from tests.isobmff.malformed import CASES, Case, Media

pytestmark = pytest.mark.oracle

LINE: Final = re.compile(r"keystorm: (?P<code>[a-z-]+): (?P<file>\S+): (?P<path>\S+) @ (?P<offset>\d+): .+\n")
SECTION: Final = re.compile(r" \((14496-12|23001-7), [0-9., and]+\)\n$")
WITHOUT_SECTION: Final = {"limit", "no-key"}  # a choice of ours, and no fault of the file
SLOWEST_S: Final = 1.0


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("studio"))


def given(folder: Path, data: bytes) -> list[str]:
    """The arguments that decrypt these bytes into `folder/out/clear.mp4`."""
    (folder / "keys").write_text("\n".join(f"{kid}:{key.reveal().hex()}" for kid, key in KEYS.items()))
    (folder / "in").write_bytes(data)
    (folder / "out").mkdir()
    return ["decrypt", str(folder / "in"), "--key", f"@{folder / 'keys'}", "--output", str(folder / "out/clear.mp4")]


def broken(studio: Studio, case: Case) -> bytes:
    media = Media(made(studio, case.form))
    case.break_it(media)
    return bytes(media.data)


def samples(data: bytes) -> bytes:
    return b"".join(data[slice(*fragment.data)] for fragment in parse_media(data).fragments)


@pytest.mark.rule("media:M34")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_file_becomes_a_clear_one_or_one_line(
    studio: Studio, tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = given(tmp_path, broken(studio, case))
    began = time.perf_counter()
    status = main(arguments)
    assert time.perf_counter() - began < SLOWEST_S
    told = capsys.readouterr()
    assert told.out == ""
    left = list((tmp_path / "out").iterdir())
    if case.code is None:
        assert (status, told.err) == (0, "")
        (output,) = left
        right = clear_samples(studio, made(studio, case.form), 100)
        assert (samples(output.read_bytes()) == right) is (case.samples != -1)
        return
    assert (status, left) == (1 if case.code == "no-key" else 2, [])
    line = LINE.fullmatch(told.err)
    assert line is not None, told.err
    assert (line["code"], line["file"]) == (case.code, str(tmp_path / "in"))
    assert SECTION.search(told.err) or case.code in WITHOUT_SECTION, told.err


@pytest.mark.parametrize("name", ["unchanged", "tenc KID without a key", "trun with 2^32-1 samples"])
def test_a_process_of_its_own_ends_the_same_way(studio: Studio, tmp_path: Path, name: str, keystorm: Keystorm) -> None:
    (case,) = [case for case in CASES if case.name == name]
    ended = keystorm(*given(tmp_path, broken(studio, case)))
    assert ended.status == {None: 0, "no-key": 1}.get(case.code, 2)
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == (case.code is not None)
    assert (tmp_path / "out/clear.mp4").exists() is (case.code is None)
