"""The wrapped-key blob: what is sealed comes out again, and nothing else does."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.crypto.kdf import hkdf
from player.crypto.keywrap import unwrap
from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire import blob
from player.wire.blob import LeafKey
from player.wire.hierarchy import Output, Policy

ROOT_KID = KeyId.cenc(b"R" * 16)
ROOT = ContentKey(b"r" * 16)
LEAF = LeafKey(KeyId.cenc(b"L" * 16), ContentKey(b"l" * 16), 1_000, 2_000)

key_bytes = st.binary(min_size=16, max_size=16)
leaves = st.lists(
    st.builds(
        LeafKey,
        kid=key_bytes.map(KeyId.cenc),
        key=key_bytes.map(ContentKey),
        start_ms=st.integers(0, 10**12),
        end_ms=st.just(2 * 10**12),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda leaf: leaf.kid,
)


@pytest.mark.rule("EQ12")
@given(leaves, key_bytes.map(ContentKey), st.none() | st.just(Policy(exp_ms=5, output=Output.HDCP_1_4)))
def test_what_is_sealed_is_opened_again(given_leaves: list[LeafKey], root: ContentKey, policy: Policy | None) -> None:
    sealed = blob.seal(ROOT_KID, root, given_leaves, policy)
    assert blob.open_blob(sealed, root) == tuple(given_leaves)
    read = blob.read(sealed)
    assert read.root_kid == ROOT_KID
    assert [entry.kid for entry in read.entries] == [leaf.kid for leaf in given_leaves]
    assert read.policy == policy


def test_the_layout_is_the_documented_one() -> None:
    sealed = blob.seal(ROOT_KID, ROOT, [LEAF])
    version, flags, root_kid, count, kid, start, end, wrapped = struct.unpack(">BB16sH16sQQ24s", sealed[:-16])
    assert (version, flags, root_kid, count) == (1, 0, ROOT_KID, 1)
    assert (kid, start, end) == (LEAF.kid, 1_000, 2_000)
    assert unwrap(hkdf(ROOT.reveal(), info=b"wrap", size=16), wrapped) == LEAF.key.reveal()


def test_an_end_of_zero_is_open() -> None:
    open_end = LEAF._replace(end_ms=0)
    assert blob.open_blob(blob.seal(ROOT_KID, ROOT, [open_end]), ROOT) == (open_end,)


@pytest.mark.rule("EQ12")
@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, difference: int) -> None:
    sealed = bytearray(blob.seal(ROOT_KID, ROOT, [LEAF], Policy(exp_ms=5)))
    sealed[at % len(sealed)] ^= difference
    with pytest.raises(LicenseError):
        blob.open_blob(bytes(sealed), ROOT)


@pytest.mark.rule("EQ12")
def test_another_root_key_opens_nothing() -> None:
    with pytest.raises(LicenseError) as caught:
        blob.open_blob(blob.seal(ROOT_KID, ROOT, [LEAF]), ContentKey(b"x" * 16))
    assert caught.value.code == "bad-tag"


@pytest.mark.parametrize("policy", [None, Policy(exp_ms=5)])
def test_a_blob_cut_anywhere_is_refused(policy: Policy | None) -> None:
    sealed = blob.seal(ROOT_KID, ROOT, [LEAF], policy)
    for end in range(len(sealed)):
        with pytest.raises(LicenseError):
            blob.read(sealed[:end])
    with pytest.raises(LicenseError):
        blob.read(sealed + b"\x00")


def test_a_count_that_promises_too_much_is_refused_before_anything_is_read() -> None:
    sealed = bytearray(blob.seal(ROOT_KID, ROOT, [LEAF]))
    sealed[18:20] = b"\xff\xff"
    with pytest.raises(LicenseError, match="65535 entries promised"):
        blob.read(bytes(sealed))
    sealed[18:20] = b"\x00\x00"
    with pytest.raises(LicenseError, match="0 entries"):
        blob.read(bytes(sealed))


@pytest.mark.rule("OP05")
def test_all_entries_of_a_blob_end_together() -> None:
    other = LeafKey(KeyId.cenc(b"M" * 16), LEAF.key, 1_000, 3_000)
    with pytest.raises(ValueError, match="end at different times"):
        blob.seal(ROOT_KID, ROOT, [LEAF, other])


@pytest.mark.parametrize("bad", [[], [LEAF, LEAF], [LEAF._replace(end_ms=1_000)]])
def test_what_could_not_be_read_again_is_not_sealed(bad: list[LeafKey]) -> None:
    with pytest.raises(ValueError, match="wrapped-key blob"):
        blob.seal(ROOT_KID, ROOT, bad)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(LicenseError):
        blob.read(data)


def test_no_repr_shows_a_key_wrapped_or_not() -> None:
    sealed = blob.seal(ROOT_KID, ROOT, [LEAF])
    read = blob.read(sealed)
    assert "wrapped" not in repr(read)
    assert "hidden" in repr(blob.open_blob(sealed, ROOT))
