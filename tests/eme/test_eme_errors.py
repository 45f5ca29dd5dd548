"""The exceptions of EME and the bytes that may be passed."""

from __future__ import annotations

import pytest

from player.eme.buffer_source import copied
from player.eme.errors import ERROR_NAMES, EmeTypeError, named
from player.errors import EmeError, KeystormError


@pytest.mark.rule("ER01")
def test_every_name_has_its_class_and_a_type_error_is_pythons_too() -> None:
    for name, kind in ERROR_NAMES.items():
        error = named(name, "why")
        assert type(error) is kind
        assert (error.name, str(error)) == (name, "why")
        assert isinstance(error, EmeError)
        assert isinstance(error, KeystormError)
    assert issubclass(EmeTypeError, TypeError)
    assert "InvalidAccessError" not in ERROR_NAMES


@pytest.mark.rule("ER04")
def test_bytes_are_copied_and_nothing_else_is_taken() -> None:
    source = bytearray(b"abc")
    taken = copied(memoryview(source))
    source[0] = 0
    assert taken == b"abc" == copied(b"abc")
    for wrong in ("abc", None, 3, [1]):
        with pytest.raises(EmeTypeError):
            copied(wrong)
