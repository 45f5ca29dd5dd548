"""The pssh codec: what it writes it reads, and it reads nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from player.ids import COMMON_SYSTEM, KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.isobmff.pymp4_adapter import build_pssh

KEY_IDS = st.lists(st.binary(min_size=16, max_size=16).map(KeyId), max_size=4).map(tuple)
SYSTEM_IDS = st.binary(min_size=16, max_size=16).map(SystemId)
BOXES = st.one_of(
    st.builds(Pssh, version=st.just(0), system_id=SYSTEM_IDS, data=st.binary(max_size=40)),
    st.builds(Pssh, version=st.just(1), system_id=SYSTEM_IDS, key_ids=KEY_IDS, data=st.binary(max_size=40)),
)
ONE = pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(KeyId(bytes(range(16))),), data=b"data"))


@pytest.mark.rule("PT18")
@given(boxes=st.lists(BOXES, min_size=1, max_size=4))
def test_boxes_are_read_back_as_they_were_written(boxes: list[Pssh]) -> None:
    assert pssh.read(b"".join(map(pssh.write, boxes))) == tuple(boxes)


@pytest.mark.rule("decisions:D20")
@pytest.mark.rule("PT20")
@given(box=BOXES)
@example(box=Pssh(version=1, system_id=COMMON_SYSTEM))
@settings(max_examples=50, deadline=None)
def test_pymp4_builds_what_the_codec_writes(box: Pssh) -> None:
    assert build_pssh(box.version, box.system_id, box.key_ids, box.data) == pssh.write(box)


@pytest.mark.rule("PT16")
def test_version_0_has_no_key_ids_and_can_have_none() -> None:
    assert pssh.read(build_pssh(0, COMMON_SYSTEM, (), b"x"))[0].key_ids == ()
    with pytest.raises(ValueError, match="version 0 lists no key ids"):
        build_pssh(0, COMMON_SYSTEM, (KeyId(bytes(16)),))


def test_what_does_not_exist_is_not_written() -> None:
    for box in (
        Pssh(version=2, system_id=COMMON_SYSTEM),
        Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(KeyId(b"short"),)),
    ):
        with pytest.raises(ValueError, match=r"does not exist|16 bytes"):
            pssh.write(box)


def changed(position: int, value: bytes) -> bytes:
    return ONE[:position] + value + ONE[position + len(value) :]


@pytest.mark.rule("PT14")
@pytest.mark.rule("PT17")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        ONE[:-1],
        ONE + b"\0",
        ONE + ONE[:20],
        changed(0, b"\0\0\0\0"),
        changed(0, (len(ONE) + 1).to_bytes(4, "big")),
        changed(0, b"\xff\xff\xff\xff"),
        changed(0, (31).to_bytes(4, "big")),
        changed(4, b"free"),
        changed(28, b"\x80\0\0\0"),  # KIDs
        changed(48, b"\xff\xff\xff\xf0"),  # bytes of Data
        changed(48, (3).to_bytes(4, "big")),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"pssh|promised"):
        pssh.read(data)


@pytest.mark.rule("PT15")
def test_a_newer_version_is_left_out_beside_another_and_refused_alone() -> None:
    newer = changed(8, b"\x02")
    assert pssh.read(newer + ONE + newer) == pssh.read(ONE)
    with pytest.raises(ValueError, match="known version"):
        pssh.read(newer)


@given(data=st.binary(max_size=120))
@example(data=ONE[:40])
def test_any_bytes_are_boxes_or_a_value_error(data: bytes) -> None:
    try:
        boxes = pssh.read(data)
    except ValueError:
        return
    assert boxes
