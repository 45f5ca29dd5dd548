"""What may be passed where EME wants bytes."""

from __future__ import annotations

from array import array

import pytest

from player.eme.buffer_source import copied
from player.eme.errors import EmeTypeError

DATA = bytes(range(16))


@pytest.mark.rule("ER04")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (DATA, DATA),
        (bytearray(DATA), DATA),
        (memoryview(DATA), DATA),
        (memoryview(bytearray(DATA)), DATA),
        (memoryview(array("I", [1, 2])), array("I", [1, 2]).tobytes()),
        (memoryview(array("d", [0.5])), array("d", [0.5]).tobytes()),
        (memoryview(DATA).cast("B", (4, 4)), DATA),
        (memoryview(DATA)[::2], DATA[::2]),
        (memoryview(DATA)[4:8], DATA[4:8]),
        (memoryview(b""), b""),
    ],
)
def test_the_bytes_of_a_buffer_are_copied_whatever_its_format(source: object, expected: bytes) -> None:
    assert copied(source) == expected
    assert type(copied(source)) is bytes


def _released() -> memoryview:
    view = memoryview(bytearray(DATA))
    view.release()
    return view


@pytest.mark.rule("ER04")
@pytest.mark.parametrize("wrong", ["text", None, 1, 1.0, [1, 2], array("B", [1]), object(), _released()], ids=type)
def test_everything_else_is_a_type_error(wrong: object) -> None:
    with pytest.raises(EmeTypeError):
        copied(wrong)
