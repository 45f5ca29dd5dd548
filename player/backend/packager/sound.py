"""Channels and sampling rate of a sound track, from where its codec tells them.

The fields of the sample entry are void for AC-3 and Enhanced AC-3 (two channels, whatever there are) and too short for
high rates of FLAC: there the configuration record speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import unpack_from
from typing import Final

_RATES: Final = (48_000, 44_100, 32_000)  # by fscod (ETSI TS 102 366, 4.4.1.3)
_CHANNELS: Final = (2, 1, 2, 3, 3, 4, 4, 5)  # by acmod (4.4.2.3)
_MASKS: Final = (0xA000, 0x4000, 0xA000, 0xE000, 0xA100, 0xE100, 0xB800, 0xF800)  # by acmod (table E.1.4)
_LOW_FREQUENCIES: Final = 0x0001
_STREAMINFO_AT: Final = 8  # in the body of `dfLa`: behind version, flags and the header of a metadata block


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """`channel_mask`: which channels there are, in Dolby's terms; 0 for other codecs."""

    channels: int = 0
    sampling_rate: int = 0
    channel_mask: int = 0


def read_sound(kind: bytes, fields: bytes, config: bytes) -> Sound:
    """`fields`: of the sample entry, before its child boxes; `config`: the body of the configuration box.

    Raises: IndexError for a configuration that ends too early, or that tells a rate there is not.
    """
    if kind in _TOLD_BY_CONFIGURATION:
        return _TOLD_BY_CONFIGURATION[kind](config)
    channels, rate = unpack_from(">H6xH", fields, 16)
    return Sound(channels=channels, sampling_rate=rate)


def _ac3(config: bytes) -> Sound:
    """AC3SpecificBox (ETSI TS 102 366, F.4): fscod, bsid, bsmod, acmod, lfeon, …"""
    told = config[0] << 16 | config[1] << 8 | config[2]
    return _dolby(told >> 22, told >> 11 & 7, low=told >> 10 & 1)


def _eac3(config: bytes) -> Sound:
    """EC3SpecificBox (F.6), the first independent substream; what dependent ones add is not told."""
    told = config[2] << 16 | config[3] << 8 | config[4]
    return _dolby(told >> 22, told >> 9 & 7, low=told >> 8 & 1)


def _dolby(rate: int, mode: int, *, low: int) -> Sound:
    mask = _MASKS[mode] | _LOW_FREQUENCIES * low
    return Sound(channels=_CHANNELS[mode] + low, sampling_rate=_RATES[rate], channel_mask=mask)


def _flac(config: bytes) -> Sound:
    """METADATA_BLOCK_STREAMINFO (RFC 9639, 8.2): 20 bits of rate, 3 bits of channels less one."""
    told = config[_STREAMINFO_AT + 10] << 16 | config[_STREAMINFO_AT + 11] << 8 | config[_STREAMINFO_AT + 12]
    return Sound(channels=(told >> 1 & 7) + 1, sampling_rate=told >> 4)


_TOLD_BY_CONFIGURATION: Final[Mapping[bytes, Callable[[bytes], Sound]]] = {
    b"ac-3": _ac3,
    b"ec-3": _eac3,
    b"fLaC": _flac,
}
