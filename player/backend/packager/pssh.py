"""The `pssh` boxes that go with our content. Which of them lies in `moov`, `moof` or MPD is the origin's to say."""

from __future__ import annotations

from collections.abc import Sequence

from player.ids import COMMON_SYSTEM, HIERARCHY_SYSTEM, ContentKey, KeyId
from player.isobmff.pymp4_adapter import build_pssh
from player.wire import blob
from player.wire.blob import LeafKey


def common(key_ids: Sequence[KeyId]) -> bytes:
    """The common system's box of version 1 with these KIDs and no Data (W3C "cenc" Initialization Data Format)."""
    return build_pssh(1, COMMON_SYSTEM, key_ids)


def hierarchy_root(root_kid: KeyId) -> bytes:
    """Names the root key: its license is asked for once, before any leaf arrives."""
    return build_pssh(1, HIERARCHY_SYSTEM, (root_kid,))


def hierarchy_leaf(root_kid: KeyId, root_key: ContentKey, leaves: Sequence[LeafKey]) -> bytes:
    """Brings the content keys themselves, wrapped under the root key; its KIDs are theirs, in blob order."""
    return build_pssh(1, HIERARCHY_SYSTEM, [leaf.kid for leaf in leaves], blob.seal(root_kid, root_key, leaves))
