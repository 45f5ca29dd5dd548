"""`keystorm decrypt` against ffmpeg: what comes out plays without a word, and its samples are those of the source."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from player.cli.main import main
from player.isobmff.boxes import Walk, top_level
from player.isobmff.init import parse_init
from player.isobmff.segment import parse_media
from player.isobmff.sidx import parse_sidx
from tests.cenc.content import KEY, KEYS, KID, PATTERN, TWO_KEYS, Studio, open_studio

pytestmark = pytest.mark.oracle

HEAVY = ("aiohttp", "asyncio", "msgspec", "structlog", "rich", "player.engine", "player.runtime", "player.eme")
ROTATING = ("--crypto_period_duration", "4", "--protection_systems", "CommonSystem,Widevine")
ONE_BY_ONE = ("--fragment_duration", "0.5", "--nofragment_sap_aligned")
GONE = {b"senc", b"saiz", b"saio", b"pssh", b"sinf"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """Many more keys than any file needs."""
    lines = [f"{kid}:{key.reveal().hex()}" for kid, key in KEYS.items()]
    path = tmp_path / "keys"
    path.write_text("\n".join(lines), encoding="ascii")
    return f"@{path}"


class Ended(NamedTuple):
    status: int
    line: str
    output: bytes | None


def decrypt(tmp_path: Path, keys: str, *inputs: bytes, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Run the command on these files; what is left behind is OUT or nothing."""
    paths = [tmp_path / f"in-{number}" for number in range(len(inputs))]
    for path, data in zip(paths, inputs, strict=True):
        path.write_bytes(data)
    folder = tmp_path / "out"
    folder.mkdir()
    output = folder / "clear.mp4"
    status = main(["decrypt", *map(str, paths), "--key", keys, "--output", str(output)])
    assert [path.name for path in folder.iterdir()] in ([], ["clear.mp4"])
    return Ended(status, capsys.readouterr().err, output.read_bytes() if output.exists() else None)


def clear(tmp_path: Path, keys: str, *inputs: bytes, capsys: pytest.CaptureFixture[str]) -> bytes:
    ended = decrypt(tmp_path, keys, *inputs, capsys=capsys)
    assert (ended.status, ended.line) == (0, "")
    assert ended.output is not None
    return ended.output


def play(studio: Studio, path: Path) -> bytes:
    """All samples as ffmpeg copies them, after it has decoded them without a message."""
    decoding = [studio.ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin", "-i", str(path), "-f", "null", "-"]
    told = subprocess.run(decoding, capture_output=True, text=True, timeout=60, check=True)
    assert told.stderr == ""
    return studio.run_ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-")


def boxes_of(
    data: bytes, types: Sequence[bytes] = (b"moov", b"moof", b"trak", b"mdia", b"minf", b"stbl", b"traf")
) -> set[bytes]:
    walk = Walk(data)
    found: set[bytes] = set()
    waiting = list(top_level(data))
    while waiting:
        box = waiting.pop()
        found.add(box.type)
        waiting += walk.children(box) if box.type in types else ()
    return found


CONTENT = {
    "cenc": ("cenc", ()),
    "cens": ("cens", PATTERN),
    "cbc1": ("cbc1", ()),
    "cbcs": ("cbcs", ()),
    "a clear lead": ("cenc", ("--clear_lead", "4")),
    "a clear lead in cbcs": ("cbcs", ("--clear_lead", "4")),
    "rotation": ("cenc", ROTATING),
    "rotation and several moof a segment": ("cbcs", (*ROTATING, *ONE_BY_ONE)),
}


@pytest.mark.rule("decisions:D60")
@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("name", CONTENT)
def test_what_comes_out_plays_and_is_the_source(
    studio: Studio, tmp_path: Path, keys: str, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scheme, options = CONTENT[name]
    output = clear(tmp_path, keys, studio.encrypt(*options, scheme=scheme).track(kind), capsys=capsys)
    assert play(studio, tmp_path / "out/clear.mp4") == studio.clear(kind)
    assert not boxes_of(output) & GONE
    assert not any(b"seig" in output[box.start : box.end] for box in top_level(output) if box.type != b"mdat")
    (track,) = parse_init(output).tracks
    assert [entry.fourcc for entry in track.entries] == ["avc1" if kind == "video" else "mp4a"]


def test_keys_of_their_own_are_chosen_by_key_id(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    encrypted = studio.encrypt(keys=TWO_KEYS)
    clear(tmp_path, keys, encrypted.video, capsys=capsys)
    assert play(studio, tmp_path / "out/clear.mp4") == studio.clear("video")


def test_inputs_are_joined_wherever_they_were_cut(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = studio.encrypt().video
    moofs = [box.start for box in top_level(data) if box.type == b"moof"]
    cuts = [0, moofs[0], moofs[1], moofs[1] + 1000, len(data)]
    parts = [data[start:end] for start, end in pairwise(cuts)]
    clear(tmp_path, keys, *parts, capsys=capsys)
    assert play(studio, tmp_path / "out/clear.mp4") == studio.clear("video")


def test_the_index_leads_to_the_fragments(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = clear(tmp_path, keys, studio.encrypt(*ROTATING, scheme="cbcs").video, capsys=capsys)
    moofs = [box.start for box in top_level(output) if box.type == b"moof"]
    segments = parse_sidx(output, 0).segments
    assert [segment.first_byte for segment in segments] == moofs
    assert segments[-1].first_byte + segments[-1].size == len(output)


def test_data_offsets_of_every_kind_follow(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """ffmpeg's own muxer: explicit base data offsets, an index at the end, ranges that end in mid-block."""
    path = tmp_path / "ffmpeg.mp4"
    protect = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY.hex(), "-encryption_kid", KID.hex())
    flags = ("-movflags", "+frag_keyframe+empty_moov")
    studio.run_ffmpeg("-i", str(studio.source("video")), "-c", "copy", *flags, *protect, str(path))
    output = clear(tmp_path, keys, path.read_bytes(), capsys=capsys)
    assert play(studio, tmp_path / "out/clear.mp4") == studio.clear("video")
    assert {b"mfra", b"moof"} <= boxes_of(output)


@pytest.mark.parametrize("flags", [(), ("-movflags", "+faststart")])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_an_unfragmented_file_is_decrypted_where_it_lies(
    studio: Studio, tmp_path: Path, keys: str, kind: str, flags: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The data in front of the moov, and behind it: then its chunks move."""
    path = tmp_path / "ffmpeg.mp4"
    protect = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY.hex(), "-encryption_kid", KID.hex())
    studio.run_ffmpeg("-i", str(studio.source(kind)), "-c", "copy", *flags, *protect, str(path))
    output = clear(tmp_path, keys, path.read_bytes(), capsys=capsys)
    assert play(studio, tmp_path / "out/clear.mp4") == studio.clear(kind)
    assert not boxes_of(output) & GONE
    (tmp_path / "again").mkdir()
    ended = decrypt(tmp_path / "again", f"{KID.hex()[::-1]}:{KEY.hex()}", path.read_bytes(), capsys=capsys)
    assert (ended.status, ended.output) == (1, None)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_clear_input_passes_unchanged(
    studio: Studio, tmp_path: Path, keys: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = studio.source(kind).read_bytes()
    assert clear(tmp_path, keys, data, capsys=capsys) == data


def test_decrypting_twice_changes_nothing_more(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once = clear(tmp_path, keys, studio.encrypt(*ROTATING).audio, capsys=capsys)
    (tmp_path / "again").mkdir()
    assert clear(tmp_path / "again", keys, once, capsys=capsys) == once


def renamed(data: bytes, *types: bytes) -> bytes:
    for kind in types:
        data = data.replace(kind, b"free")
    return data


FAULTS: Mapping[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-2000],
    "no-init": lambda data: data[next(box.start for box in top_level(data) if box.type == b"moof") :],
    "bad-box": lambda data: bytes(4096),
    "bad-aux": lambda data: renamed(data, b"senc", b"saiz", b"saio"),
    "unsupported": lambda data: data.replace(b"schm\0\0\0\0cenc", b"schm\0\0\0\0zzzz"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_leaves_no_output(
    studio: Studio, tmp_path: Path, keys: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = decrypt(tmp_path, keys, FAULTS[code](studio.encrypt().video), capsys=capsys)
    assert (ended.status, ended.output) == (2, None)
    assert ended.line.startswith(f"keystorm: {code}: {tmp_path / 'in-0'}: ")
    assert ended.line.count("\n") == 1


def test_nothing_at_all_is_no_presentation(tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = decrypt(tmp_path, keys, b"", capsys=capsys)
    assert (ended.status, ended.output) == (2, None)
    assert ended.line.startswith("keystorm: no-init: ")


def test_a_key_that_is_missing_half_way_leaves_no_output(
    studio: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = list(KEYS.items())[:2]
    ended = decrypt(tmp_path, f"{first[0]}:{first[1].reveal().hex()}", studio.encrypt(*ROTATING).video, capsys=capsys)
    assert (ended.status, ended.output) == (1, None)
    assert ended.line.startswith("keystorm: no-key: ")
    assert str(second[0]) in ended.line


def test_a_fault_keeps_what_was_there(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_bytes(studio.encrypt().video[:-1])
    (tmp_path / "out").write_bytes(b"before")
    assert main(["decrypt", str(tmp_path / "in"), "--key", keys, "--output", str(tmp_path / "out")]) == 2
    assert (tmp_path / "out").read_bytes() == b"before"
    capsys.readouterr()


def test_the_output_may_be_the_input(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(studio.encrypt().audio)
    assert main(["decrypt", str(path), "--key", keys, "--output", str(path)]) == 0
    assert play(studio, path) == studio.clear("audio")
    assert capsys.readouterr().err == ""


def test_an_input_may_be_a_pipe(studio: Studio, tmp_path: Path, keys: str) -> None:
    reader, writer = os.pipe()
    data = studio.encrypt().audio[:60_000]
    os.write(writer, data[: next(box.start for box in top_level(studio.encrypt().audio) if box.type == b"moof")])
    os.close(writer)
    command = [sys.executable, "-m", "player", "decrypt", "/dev/stdin", "--key", keys, "--output", "clear.mp4"]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run(command, stdin=reader, cwd=tmp_path, env=environment, check=True, timeout=30)
    os.close(reader)
    assert parse_init((tmp_path / "clear.mp4").read_bytes()).default_kids == ()


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decrypt", str(tmp_path / "none"), "--output", str(tmp_path / "out")]) == 2
    assert "none: No such file or directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_only_the_decryptor_is_loaded() -> None:
    code = f"import sys, player.cli.main, player.cli.decrypt; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_samples_keep_their_times_and_sizes(
    studio: Studio, tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    encrypted = studio.encrypt(*ROTATING, scheme="cbcs").video
    output = clear(tmp_path, keys, encrypted, capsys=capsys)
    before, after = parse_media(encrypted).fragments, parse_media(output).fragments
    assert [fragment.decode_time for fragment in after] == [fragment.decode_time for fragment in before]
    for one, other in zip(before, after, strict=True):
        assert [(s.size, s.duration) for s in other.samples] == [(s.size, s.duration) for s in one.samples]
        assert not other.kids
