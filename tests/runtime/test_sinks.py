"""Sinks: counts, digests, files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import UsageError
from player.isobmff.sample import Sample
from player.runtime.file_sink import FileSink, sink_named
from player.runtime.forms import FORMS
from player.runtime.sinks import HashSink, NullSink, runs


def _sample(offset: int, size: int) -> Sample:
    return Sample(offset, size, 1, None, b"", ())


@given(st.binary(min_size=1, max_size=60), st.lists(st.tuples(st.integers(0, 59), st.integers(0, 9)), max_size=12))
def test_runs_are_the_samples_one_after_the_other(data: bytes, places: list[tuple[int, int]]) -> None:
    samples = [_sample(offset, size) for offset, size in places if offset + size <= len(data)]
    wanted = b"".join(data[sample.offset : sample.offset + sample.size] for sample in samples)
    assert b"".join(runs(bytearray(data), samples)) == wanted


def test_neighbours_are_one_run() -> None:
    assert list(runs(bytearray(b"0123456789"), [_sample(2, 2), _sample(4, 3), _sample(8, 1)])) == [b"23456", b"8"]


def test_the_hash_sink_digests_every_track_and_every_period_of_it() -> None:
    sink = HashSink()
    sink.write(0, 1, bytearray(b"abcd"), [_sample(0, 2), _sample(2, 2)])
    sink.write(1, 1, bytearray(b"xxefxx"), [_sample(2, 2)])
    sink.write(0, 0, bytearray(b"v"), [_sample(0, 1)])
    track = sink.tracks()[1]
    assert (track.samples, track.bytes, track.sha256) == (3, 6, hashlib.sha256(b"abcdef").hexdigest())
    assert sink.parts()[1, 1].sha256 == hashlib.sha256(b"ef").hexdigest()
    assert set(sink.parts()) == {(0, 0), (0, 1), (1, 1)}


def test_the_null_sink_only_counts() -> None:
    sink = NullSink()
    sink.write(0, 0, bytearray(b"abcd"), [_sample(0, 3)])
    sink.write(1, 0, bytearray(b"abcd"), [_sample(0, 1)])
    track = sink.tracks()[0]
    assert (track.samples, track.bytes, track.sha256) == (2, 4, None)
    assert sink.parts()[0, 0].bytes == 3


@pytest.mark.rule("decisions:D59")
def test_the_raw_sink_writes_a_file_a_period_and_track(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    sink = FileSink(folder, FORMS["raw"])
    sink.write(0, 0, bytearray(b"abcd"), [_sample(0, 2)])
    sink.write(0, 0, bytearray(b"abcd"), [_sample(2, 2)])
    sink.write(3, 12, bytearray(b"xyz"), [_sample(1, 1)])
    sink.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"0-0.raw": b"abcd", "3-12.raw": b"y"}
    assert sink.tracks()[0].sha256 == hashlib.sha256(b"abcd").hexdigest()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(UsageError, match="file"):
        FileSink(blocked / "x", FORMS["raw"]).write(0, 0, bytearray(b"a"), [_sample(0, 1)])


def test_sinks_have_names() -> None:
    assert isinstance(sink_named("hash"), HashSink)
    assert isinstance(sink_named("null"), NullSink)
    assert isinstance(sink_named("raw", Path("x")), FileSink)
    with pytest.raises(UsageError, match="needs a folder"):
        sink_named("raw")
    with pytest.raises(UsageError, match="there are: raw, annexb, fmp4, hash, null"):
        sink_named("mp4")
