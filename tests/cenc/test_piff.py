"""Boxes of PIFF, from before Common Encryption: beside the standard's own they go with them, alone they are no help."""

from __future__ import annotations

from uuid import UUID

import pytest

from player.cenc.file import decrypt_file
from player.errors import MediaError
from player.ids import ContentKey
from player.isobmff.segment import parse_media
from tests.isobmff.build import KID, box, encv, moov, record, segment, senc, u32

SENC, PSSH, OTHER = (
    UUID("a2394f52-5a9b-4f14-a244-6c427c648df4"),
    UUID("d08a4f18-10f3-4a82-b6c8-32d8aba183d3"),
    UUID("6d1d9b05-42d5-44e6-80e2-141daff757b2"),  # tfxd, which tells times
)
KEYS = {KID: ContentKey(bytes(range(16)))}
IVS = [bytes([number] * 8) for number in (1, 2)]


def uuid(name: UUID, *payload: bytes) -> bytes:
    return box(b"uuid", name.bytes, *payload)


def decrypted(data: bytes) -> bytes:
    output = bytearray()
    for at, part in decrypt_file(data, KEYS.get):
        output[at : at + len(part)] = part
    return bytes(output)


def test_what_piff_says_twice_goes_with_what_the_standard_says_and_others_stay() -> None:
    twin = uuid(SENC, u32(0, 2), *IVS)
    data = moov(encv(record()), beside=uuid(PSSH, bytes(20)) + uuid(OTHER, b"in moov"))
    data += segment([4, 4], senc(*IVS), twin, uuid(OTHER, b"in traf"), behind=uuid(PSSH, bytes(20)))
    clear = decrypted(data)
    assert SENC.bytes not in clear
    assert PSSH.bytes not in clear
    assert clear.count(OTHER.bytes) == 2
    without = moov(encv(record()), beside=uuid(OTHER, b"in moov"))
    without += segment([4, 4], senc(*IVS), uuid(OTHER, b"in traf"))
    assert clear == decrypted(without)
    assert not parse_media(clear).fragments[0].kids


def test_a_scheme_of_piff_is_not_ours() -> None:
    with pytest.raises(MediaError) as raised:
        decrypted(moov(encv(record(), b"piff")) + segment([4], senc(IVS[0])))
    assert raised.value.code == "unsupported"


def test_ivs_in_a_box_of_piff_alone_are_not_read_and_no_ciphertext_passes() -> None:
    with pytest.raises(MediaError) as raised:
        decrypted(moov(encv(record())) + segment([4, 4], uuid(SENC, u32(0, 2), *IVS)))
    assert raised.value.code == "bad-aux"
