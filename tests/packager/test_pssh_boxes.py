"""Our `pssh` boxes, read back by the codec that reads them from the network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.packager import pssh
from player.ids import COMMON_SYSTEM, HIERARCHY_SYSTEM, ContentKey, KeyId
from player.isobmff.pssh import Pssh, read
from player.wire.blob import LeafKey, open_blob
from player.wire.blob import read as read_blob

key_ids = st.binary(min_size=16, max_size=16).map(KeyId)
keys = st.binary(min_size=16, max_size=16).map(ContentKey)


@pytest.mark.rule("decisions:D20")
@given(st.lists(key_ids, max_size=4))
def test_the_common_box_lists_its_kids_and_nothing_else(kids: list[KeyId]) -> None:
    assert read(pssh.common(kids)) == (Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=tuple(kids)),)


@pytest.mark.rule("decisions:D27")
@given(key_ids)
def test_the_root_box_names_the_root_key_and_has_no_data(root_kid: KeyId) -> None:
    assert read(pssh.hierarchy_root(root_kid)) == (Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(root_kid,)),)


@pytest.mark.rule("decisions:D27")
@given(key_ids, keys, st.lists(st.tuples(key_ids, keys), min_size=1, max_size=3, unique_by=lambda it: it[0]))
def test_a_leaf_box_brings_its_keys_to_who_has_the_root_key(
    root_kid: KeyId, root_key: ContentKey, given_leaves: list[tuple[KeyId, ContentKey]]
) -> None:
    leaves = [LeafKey(kid, key, 1000, 0) for kid, key in given_leaves]
    (box,) = read(pssh.hierarchy_leaf(root_kid, root_key, leaves))
    assert (box.version, box.system_id) == (1, HIERARCHY_SYSTEM)
    assert box.key_ids == tuple(leaf.kid for leaf in leaves)
    assert read_blob(box.data).root_kid == root_kid
    assert list(open_blob(box.data, root_key)) == leaves
