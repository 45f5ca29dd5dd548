"""What protects a sample: `sinf`, `schm`, `tenc`, and its bytes once more as a `seig` entry (ISO/IEC 23001-7, 8.2).

The layout of `tenc` behind version and flags and that of a `seig` entry are one; so is the reader.
"""

from __future__ import annotations

from typing import Final

from player.ids import KeyId
from player.isobmff.boxes import Box, Walk, full_header, require
from player.isobmff.model import SampleEntry
from player.isobmff.sample import Protection, Scheme

RECORD_BYTES: Final = 20  # reserved, pattern, isProtected, IV size, KID
_IV_SIZES: Final = (0, 8, 16)
_CONSTANT_IV_SIZES: Final = (8, 16)
_FULL: Final = 4  # bytes of version and flags
_NEWEST_TENC: Final = 1


def read_sinf(walk: Walk, sinf: Box) -> SampleEntry:
    """Original format, scheme and protection, which is None where the default is "not protected".

    Raises: MediaError `bad-protection` where something is missing or means nothing, `unsupported` for another scheme.
    """
    boxes = {box.type: box for box in reversed(walk.children(sinf))}
    frma, schm, schi = boxes.get(b"frma"), boxes.get(b"schm"), boxes.get(b"schi")
    if frma is None or schm is None or schi is None:
        raise sinf.fault("bad-protection", "frma, schm and schi are needed", "14496-12, 8.12")
    require(frma, 4)
    scheme = read_scheme(walk.data, schm)
    tenc = next((box for box in walk.children(schi) if box.type == b"tenc"), None)
    if tenc is None:
        raise schi.fault("bad-protection", "no tenc", "23001-7, 8.2")
    fourcc = walk.data[frma.body : frma.body + 4].decode("ascii", "replace")
    return SampleEntry(fourcc=fourcc, protection=read_tenc(walk, tenc, scheme), scheme=scheme)


def read_scheme(data: bytes, schm: Box) -> Scheme:
    """Raises: MediaError `unsupported` for a scheme that is not one of the four."""
    full_header(data, schm, 8)
    fourcc = data[schm.body + 4 : schm.body + 8].decode("ascii", "backslashreplace")
    try:
        return Scheme(fourcc)
    except ValueError:
        raise schm.fault("unsupported", f"scheme {fourcc!r}", "23001-7, 4.2") from None


def read_tenc(walk: Walk, tenc: Box, scheme: Scheme) -> Protection | None:
    version, _ = full_header(walk.data, tenc)
    if version > _NEWEST_TENC:
        walk.warn("unknown-version", tenc, f"version {version} read as {_NEWEST_TENC}")
    return read_record(walk.data, tenc, tenc.body + _FULL, tenc.end, scheme, patterned=version > 0)


def read_record(
    data: bytes, box: Box, start: int, end: int, scheme: Scheme, *, patterned: bool = True
) -> Protection | None:
    """The bytes that `tenc` and a `seig` entry share; None: not protected. `patterned` False: the pattern is reserved.

    Raises: MediaError `bad-protection` for values that mean nothing.
    """
    if end - start < RECORD_BYTES:
        raise box.fault("bad-protection", f"{end - start} bytes, {RECORD_BYTES} needed", "23001-7, 8.2", at=start)
    pattern, is_protected, iv_size = data[start + 1], data[start + 2], data[start + 3]
    if is_protected > 1 or iv_size not in _IV_SIZES or (iv_size and not is_protected):
        reason = f"isProtected {is_protected} with IV size {iv_size}"
        raise box.fault("bad-protection", reason, "23001-7, 8.2", at=start + 2)
    if not is_protected:
        return None
    crypt, skip = divmod(pattern, 16) if patterned else (0, 0)
    if skip and not crypt:
        raise box.fault("bad-protection", f"pattern 0:{skip} encrypts nothing", "23001-7, 9.6", at=start + 1)
    return Protection(
        scheme=scheme,
        kid=KeyId.cenc(data[start + 4 : start + RECORD_BYTES]),
        iv_size=iv_size,
        constant_iv=b"" if iv_size else _constant_iv(data, box, start + RECORD_BYTES, end),
        crypt=crypt,
        skip=skip,
    )


def _constant_iv(data: bytes, box: Box, start: int, end: int) -> bytes:
    size = data[start] if start < end else 0
    if size not in _CONSTANT_IV_SIZES or start + 1 + size > end:
        raise box.fault("bad-protection", f"a constant IV of {size} bytes", "23001-7, 8.2", at=start)
    return data[start + 1 : start + 1 + size]
