"""What the fields of a box say, as plain values: the table behind `dump`.

Boxes that the readers read are read by them here too; the others have a layout. Long tables are counted, not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from struct import Struct
from typing import Final

from player.ids import KeyId
from player.isobmff import pssh
from player.isobmff.aux_boxes import behind_info_type
from player.isobmff.boxes import Box, Walk, full_header, require
from player.isobmff.events import read_brands, read_emsg, read_prft
from player.isobmff.fragment_boxes import read_tfdt, read_tfhd, read_trun

Field = int | str | bool | tuple["Field", ...] | Mapping[str, "Field"]
"""Plain values that JSON can hold; bytes are lower-case hex."""

_Reader = Callable[[bytes, Box], Mapping[str, Field]]
_FULL: Final = 4  # bytes of version and flags
_SUBSAMPLES: Final = 2  # flag of senc
_RECORD_BYTES: Final = 20  # of a seig entry, up to the end of its KID


def read_fields(data: bytes, box: Box) -> Mapping[str, Field]:
    """Raises: MediaError for fields that do not fit the box."""
    reader = _READERS.get(box.type)
    return reader(data, box) if reader else {}


# ── layouts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_layout(names: tuple[str, ...], old: str, new: str | None, data: bytes, box: Box) -> Mapping[str, Field]:
    """Numbers and four-character codes behind version and flags; `new`: the layout from version 1 on."""
    version, _ = full_header(data, box)
    layout = Struct(">" + (new if new is not None and version else old))
    require(box, _FULL + layout.size)
    values = layout.unpack_from(data, box.body + _FULL)
    return {name: _plain(value) for name, value in zip(names, values, strict=True)}


def _layout(names: str, old: str, new: str | None = None) -> _Reader:
    return partial(_by_layout, tuple(names.split()), old, new)


def _plain(value: int | bytes) -> Field:
    return value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else value


# ── boxes with readers of their own ──────────────────────────────────────────────────────────────────────────────────


def _brands(data: bytes, box: Box) -> Mapping[str, Field]:
    return {"brands": read_brands(data, box)}


def _frma(data: bytes, box: Box) -> Mapping[str, Field]:
    require(box, 4)
    return {"format": _plain(data[box.body : box.body + 4])}


def _tenc(data: bytes, box: Box) -> Mapping[str, Field]:
    """As the bytes say, sense or not (23001-7, 8.2)."""
    version, _ = full_header(data, box, _FULL + 20)
    start = box.body + _FULL
    found: dict[str, Field] = {
        "version": version,
        "kid": str(KeyId.cenc(data[start + 4 : start + 20])),
        "is_protected": data[start + 2],
        "iv_size": data[start + 3],
    }
    if version and data[start + 1]:
        found["pattern"] = f"{data[start + 1] >> 4}:{data[start + 1] & 15}"
    if data[start + 2] == 1 and not data[start + 3]:
        found["constant_iv"] = (
            data[start + 21 : min(start + 21 + data[start + 20], box.end)].hex() if _more(box) else ""
        )
    return found


def _more(tenc: Box) -> bool:
    return tenc.end - tenc.body > _FULL + 20


def _pssh(data: bytes, box: Box) -> Mapping[str, Field]:
    try:
        (read,) = pssh.read(data[box.start : box.end])
    except ValueError as error:
        raise box.fault("bad-pssh", str(error), "23001-7, 8.1") from None
    found: dict[str, Field] = {"version": read.version, "system_id": str(read.system_id), "data_bytes": len(read.data)}
    return found | ({"key_ids": tuple(map(str, read.key_ids))} if read.key_ids else {})


def _tfhd(data: bytes, box: Box) -> Mapping[str, Field]:
    tfhd = read_tfhd(data, box)
    found: dict[str, Field | None] = {
        "track_id": tfhd.track_id,
        "base_data_offset": tfhd.base_data_offset,
        "sample_description_index": tfhd.description_index,
        "default_sample_duration": tfhd.duration,
        "default_sample_size": tfhd.size,
        "base_is_moof": tfhd.base_is_moof,
    }
    return {name: value for name, value in found.items() if value is not None}


def _tfdt(data: bytes, box: Box) -> Mapping[str, Field]:
    return {"decode_time": read_tfdt(Walk(data), box)}


def _trun(data: bytes, box: Box) -> Mapping[str, Field]:
    trun = read_trun(data, box)
    found: dict[str, Field] = {"samples": trun.sample_count}
    if trun.data_offset is not None:
        found["data_offset"] = trun.data_offset
    if trun.sizes is not None:
        found["bytes"] = sum(trun.sizes)
    if trun.durations is not None:
        found["duration"] = sum(trun.durations)
    return found


def _senc(data: bytes, box: Box) -> Mapping[str, Field]:
    _, flags = full_header(data, box, _FULL + 4)
    count = int.from_bytes(data[box.body + 4 : box.body + 8], "big")
    return {"samples": count, "subsamples": bool(flags & _SUBSAMPLES)}


def _saiz(data: bytes, box: Box) -> Mapping[str, Field]:
    start = behind_info_type(data, box)
    require(box, start - box.body + 5)
    size, count = data[start], _u32(data, start + 1)
    return {"samples": count} | ({"entry_bytes": size} if size else {})


def _saio(data: bytes, box: Box) -> Mapping[str, Field]:
    version, _ = full_header(data, box)
    start = behind_info_type(data, box)
    width = 8 if version else 4
    require(box, start - box.body + 4)
    count = _u32(data, start)
    if count != 1:
        return {"offsets": count}
    require(box, start - box.body + 4 + width)
    return {"offset": int.from_bytes(data[start + 4 : start + 4 + width], "big")}


def _sbgp(data: bytes, box: Box) -> Mapping[str, Field]:
    """A single run, as packagers write it, is told; of more only how many they are."""
    version, _ = full_header(data, box, _FULL + 8)
    start = box.body + (12 if version == 1 else 8)  # version 1 has a grouping_type_parameter
    require(box, start - box.body + 4)
    found: dict[str, Field] = {"grouping_type": _plain(data[box.body + 4 : box.body + 8])}
    if (count := _u32(data, start)) != 1:
        return found | {"runs": count}
    require(box, start - box.body + 12)
    return found | {"samples": _u32(data, start + 4), "group": f"{_u32(data, start + 8):#x}"}


def _sgpd(data: bytes, box: Box) -> Mapping[str, Field]:
    """The KID of a single `seig` entry of known length is told."""
    version, _ = full_header(data, box, _FULL + 8)
    start = box.body + (8, 12, 16)[min(version, 2)]
    require(box, start - box.body + 4)
    count = _u32(data, start)
    kind = _plain(data[box.body + 4 : box.body + 8])
    found: dict[str, Field] = {"grouping_type": kind, "groups": count}
    if kind == "seig" and count == 1 and version and _u32(data, box.body + 8) >= _RECORD_BYTES:
        require(box, start - box.body + 4 + _RECORD_BYTES)
        found["kid"] = str(KeyId.cenc(data[start + 8 : start + 24]))
    return found


def _u32(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


def _sidx(data: bytes, box: Box) -> Mapping[str, Field]:
    found = _layout("reference_id timescale earliest_time first_offset references", "IIII2xH", "IIQQ2xH")(data, box)
    return {name: value for name, value in found.items() if name != "reference_id"}


def _emsg(data: bytes, box: Box) -> Mapping[str, Field]:
    event = read_emsg(data, box)
    return {
        "scheme_id_uri": event.scheme_id_uri,
        "value": event.value,
        "id": event.id,
        "timescale": event.timescale,
        "presentation_time_delta" if event.is_delta else "presentation_time": event.time,
        "message_bytes": len(event.message_data),
    }


def _prft(data: bytes, box: Box) -> Mapping[str, Field]:
    mark = read_prft(data, box)
    return {"track_id": mark.track_id, "ntp_time": mark.ntp_time, "media_time": mark.media_time}


_READERS: Final[Mapping[bytes, _Reader]] = {
    b"ftyp": _brands,
    b"styp": _brands,
    b"mvhd": _layout("timescale duration", "8xII", "16xIQ"),
    b"tkhd": _layout("track_id", "8xI", "16xI"),
    b"mdhd": _layout("timescale duration", "8xII", "16xIQ"),
    b"hdlr": _layout("handler_type", "4x4s"),
    b"stsd": _layout("entries", "I"),
    b"stts": _layout("entries", "I"),
    b"stsc": _layout("entries", "I"),
    b"stco": _layout("chunks", "I"),
    b"co64": _layout("chunks", "I"),
    b"stsz": _layout("sample_size samples", "II"),
    b"stz2": _layout("field_bits samples", "3xBI"),
    b"trex": _layout("track_id sample_description_index duration size", "IIII"),
    b"mfhd": _layout("sequence_number", "I"),
    b"schm": _layout("scheme", "4s"),
    b"frma": _frma,
    b"tenc": _tenc,
    b"pssh": _pssh,
    b"tfhd": _tfhd,
    b"tfdt": _tfdt,
    b"trun": _trun,
    b"senc": _senc,
    b"saiz": _saiz,
    b"saio": _saio,
    b"sbgp": _sbgp,
    b"sgpd": _sgpd,
    b"sidx": _sidx,
    b"emsg": _emsg,
    b"prft": _prft,
}
