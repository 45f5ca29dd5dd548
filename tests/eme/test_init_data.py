"""What EME demands of init data."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.init_data import MAX_INIT_DATA_BYTES, common_key_ids, key_ids, sanitize, systems
from player.ids import COMMON_SYSTEM, HIERARCHY_SYSTEM, KeyId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import keyids

A, B = KeyId(b"A" * 16), KeyId(b"B" * 16)
COMMON = pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(A, B)))
OWN = pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(B,), data=b"data"))
VERSION_0 = pssh.write(Pssh(version=0, system_id=COMMON_SYSTEM))
NEWER = struct.pack(">I4sB3x16sI", 32, b"pssh", 2, COMMON_SYSTEM, 0)


@pytest.mark.rule("E021")
@pytest.mark.rule("ID03")
def test_boxes_are_kept_in_their_order() -> None:
    found = sanitize("cenc", OWN + COMMON)
    assert [box.system_id for box in found.boxes] == [HIERARCHY_SYSTEM, COMMON_SYSTEM]


@pytest.mark.rule("ID03")
@pytest.mark.rule("ID08")
@pytest.mark.rule("E009")
@pytest.mark.parametrize(
    "data",
    [
        b"x",
        COMMON[:-1],
        COMMON + b"\0",
        COMMON.replace(b"pssh", b"free"),
        b"\0\0\0\0" + COMMON[4:],
        struct.pack(">I", len(COMMON) + 1) + COMMON[4:],
        NEWER,
    ],
    ids=["junk", "truncated", "trailing", "fourcc", "size 0", "too big", "only a newer version"],
)
def test_malformed_boxes_are_type_errors(data: bytes) -> None:
    with pytest.raises(EmeTypeError):
        sanitize("cenc", data)


@pytest.mark.rule("ID03")
def test_a_box_of_a_newer_version_is_skipped_beside_another() -> None:
    assert len(sanitize("cenc", NEWER + COMMON).boxes) == 1


@pytest.mark.rule("E022")
@pytest.mark.rule("ID08")
@pytest.mark.parametrize("init_data_type", ["cenc", "keyids", "webm"])
def test_more_than_64_kib_are_refused_whatever_they_hold(init_data_type: str) -> None:
    data = COMMON * (MAX_INIT_DATA_BYTES // len(COMMON) + 1)
    with pytest.raises(EmeTypeError):
        sanitize(init_data_type, data)


@pytest.mark.rule("ID05")
def test_only_version_1_with_key_ids_counts_as_a_common_box() -> None:
    boxes = sanitize("cenc", VERSION_0 + OWN + COMMON).boxes
    assert [common_key_ids(box) for box in boxes] == [(), (), (A, B)]


@pytest.mark.rule("ID01")
@pytest.mark.rule("E009")
@pytest.mark.parametrize(
    "document",
    [[], {"kids": None}, {}, {"kids": "QQ"}, {"kids": [1]}, {"kids": ["QQ=="]}, {"kids": [""]}, {"kids": ["A"]}],
)
def test_malformed_keyids_are_type_errors(document: object) -> None:
    with pytest.raises(EmeTypeError):
        sanitize("keyids", json.dumps(document).encode())


@pytest.mark.rule("ID01")
@pytest.mark.rule("E010")
def test_keyids_without_a_key_id_leave_nothing() -> None:
    with pytest.raises(NotSupportedError):
        sanitize("keyids", b'{"kids":[]}')
    assert sanitize("keyids", b'{"kids":["QQ"],"more":1}').kids == (KeyId(b"A"),)


@pytest.mark.rule("ID02")
def test_webm_is_one_raw_key_id() -> None:
    assert sanitize("webm", b"A").kids == (KeyId(b"A"),)
    with pytest.raises(EmeTypeError):
        sanitize("webm", b"A" * 513)


@pytest.mark.rule("ID09")
def test_key_logic_reads_every_key_id_once_and_every_system() -> None:
    both = OWN + COMMON
    assert key_ids("cenc", both) == (B, A)
    assert systems(both) == (HIERARCHY_SYSTEM, COMMON_SYSTEM)
    assert key_ids("keyids", keyids.write((A, B, A))) == (A, B)
    assert key_ids("cenc", b"junk") == key_ids("unknown", COMMON) == ()
    assert systems(b"junk") == ()


@pytest.mark.rule("ID01")
@pytest.mark.rule("ID02")
@pytest.mark.parametrize("size", [1, 512])
def test_a_key_id_has_1_to_512_bytes(size: int) -> None:
    one = KeyId(b"k" * size)
    assert sanitize("webm", one).kids == sanitize("keyids", keyids.write((one,))).kids == (one,)


@pytest.mark.rule("ID01")
@pytest.mark.rule("E009")
@pytest.mark.parametrize(
    "data",
    [
        keyids.write((KeyId(b"A"),) * 129),
        b'{"kids":["' + b"QUJD" * 171 + b'"]}',
        b'{"kids":["QQ"],"kids":["Qg"]}',
        b'{"kids":["Q Q"]}',
        b'{"kids":["QR"]}',
        b'{"kids":["+/+/"]}',
        b'\xef\xbb\xbf{"kids":["QQ"]}',
        '{"kids":["QQ"]}'.encode("utf-16"),
        b'{"kids":["QQ"]}\xff',
        b"[" * 60_000,
    ],
    ids=["129 ids", "513 bytes", "twice", "blank", "bits", "base64", "mark", "utf-16", "no utf-8", "deep"],
)
def test_keyids_are_read_strictly(data: bytes) -> None:
    with pytest.raises(EmeTypeError):
        sanitize("keyids", data)


@pytest.mark.rule("ID03")
@pytest.mark.rule("ID08")
def test_a_foreign_box_that_lies_about_its_inside_spoils_the_whole() -> None:
    for kids, data in ((2**32 - 1, 0), (1, 2**32 - 1), (0, 1)):
        lying = struct.pack(">I4sB3x16sII", 36, b"pssh", 1, bytes(16), kids, data)
        for given_data in (lying, COMMON + lying, lying + COMMON):
            with pytest.raises(EmeTypeError):
                sanitize("cenc", given_data)


@pytest.mark.rule("ID03")
def test_a_box_of_a_newer_version_must_still_fit() -> None:
    with pytest.raises(EmeTypeError):
        sanitize("cenc", COMMON + NEWER[:-1])


@pytest.mark.rule("ID07")
def test_two_boxes_of_one_system_are_accepted() -> None:
    assert [common_key_ids(box) for box in sanitize("cenc", COMMON + COMMON).boxes] == [(A, B), (A, B)]


@given(st.sampled_from(["cenc", "keyids", "webm", "x"]), st.binary(max_size=200) | st.just(COMMON + OWN))
def test_whatever_comes_is_read_or_refused(init_data_type: str, data: bytes) -> None:
    with suppress(EmeTypeError, NotSupportedError):
        found = sanitize(init_data_type, data)
        assert found.boxes or found.kids
