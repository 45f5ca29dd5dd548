"""Small whole files, one of each form the readers know: where fuzzing starts, and what other tests cut and bend."""

from __future__ import annotations

from collections.abc import Mapping

from tests.isobmff.build import (
    OTHER_KID,
    box,
    emsg,
    encv,
    file,
    full,
    moov,
    prft,
    pssh,
    record,
    sbgp,
    segment,
    senc,
    sgpd,
    u32,
)

_IVS = [bytes([number] * 8) for number in range(1, 9)]
_CBCS = encv(record(iv_size=0, pattern=0x19, constant=bytes(16)), b"cbcs")


def _subsamples(iv: bytes, *pairs: tuple[int, int]) -> bytes:
    return iv + len(pairs).to_bytes(2, "big") + b"".join(c.to_bytes(2, "big") + u32(p) for c, p in pairs)


def _saiz(*sizes: int) -> bytes:
    return full(b"saiz", 0, 0, bytes([0]), u32(len(sizes)), bytes(sizes))


SEEDS: Mapping[str, bytes] = {
    "clear": moov(box(b"avc1", bytes(78))) + segment([4, 5]),
    "cenc": moov(encv(record()), beside=pssh()) + segment([4, 4], senc(*_IVS[:2])),
    "cens": moov(encv(record(pattern=0x19), b"cens")) + segment([4, 4], senc(*_IVS[:2])),
    "cbc1": moov(encv(record(iv_size=16), b"cbc1")) + segment([4], senc(bytes(16))),
    "cbcs": moov(_CBCS) + segment([4, 4]) + segment([4], senc(b""), time=2),
    "tenc version 0": moov(encv(record(), version=0)) + segment([4], senc(_IVS[0])),
    "subsamples": moov(encv(record()))
    + segment([9, 5], senc(_subsamples(_IVS[0], (1, 3), (2, 3)), _subsamples(_IVS[1], (1, 4)), subsamples=True)),
    "rotating": moov(encv(record(bytes(16))))
    + segment([4, 4], sbgp((2, 0x10001)), sgpd(record(OTHER_KID)), senc(*_IVS[:2]), behind=pssh(OTHER_KID)),
    "groups of the track": moov(encv(record()), in_stbl=sgpd(record(OTHER_KID), record(protected=0, iv_size=0)))
    + segment([4, 4, 4], sbgp((1, 1), (1, 2)), senc(_IVS[0], b"", _IVS[2])),
    "clear lead": moov(encv(record()), box(b"avc1", bytes(78)))
    + segment([4], entry=2)
    + segment([4], senc(_IVS[0]), time=1),
    "saiz": moov(encv(record())) + segment([4, 4], _saiz(8, 8), full(b"saio", 0, 0, u32(1, 16)), senc(*_IVS[:2])),
    "large sizes": moov(box(b"avc1", bytes(78))) + u32(1) + b"free" + (20).to_bytes(8, "big") + bytes(4) + segment([4]),
    "sidx": full(b"sidx", 0, 0, u32(1, 1000, 0, 0), bytes(2), (2).to_bytes(2, "big"), u32(9, 5, 0, 9, 5, 0)),
    "unfragmented": file([4, 5, 6, 7]),
    "unfragmented with senc": file([4, 4], encv(record()), tables=senc(*_IVS[:2]), offset_box=b"co64"),
    "unfragmented with groups": file(
        [4] * 3, encv(record()), tables=sgpd(record(OTHER_KID)) + sbgp((1, 1)) + senc(*_IVS[:3])
    ),
    "unfragmented with saiz": file(
        [4] * 4, encv(record()), tables=_saiz(8, 8, 8, 8) + full(b"saio", 0, 0, u32(2, 0, 16))
    ),
    "compact sizes": file([3, 4], size_box=full(b"stz2", 0, 0, u32(4, 2), b"\x34")),
    "text": moov(box(b"enct", bytes(8), b"a\0b\0c\0", encv(record())[86:])) + segment([4], senc(_IVS[0])),
    "beside the media": box(b"styp", b"msdh", bytes(4), b"msdhcmfs") + emsg(0) + emsg(1) + prft(0) + prft(1),
    "pssh": pssh() + pssh(OTHER_KID),
}
