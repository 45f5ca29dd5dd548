"""What a CPIX document says, as frozen values. Instants are µs since 1970, durations and offsets µs.

`id` is the attribute by which a signature names an element. A plain key hides itself; what is sealed may be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from player.ids import ContentKey, KeyId, SystemId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """`cipher` is the CipherValue: for a content key IV and ciphertext, for other keys what RSA made."""

    algorithm: str
    cipher: bytes
    mac: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdcp:
    """New in 2.4."""

    level: str | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """A ContentKey element. `depends_on` makes it a leaf; `value` None: the document only speaks about the key."""

    kid: KeyId
    value: ContentKey | Sealed | None = None
    explicit_iv: bytes | None = None
    depends_on: KeyId | None = None
    scheme: str | None = None
    content_id: str | None = None
    hdcp: Hdcp | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKey:
    """Under it the content keys of `encrypts` are sealed, all of them where that is empty."""

    sealed: Sealed
    encrypts: tuple[KeyId, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryData:
    """What one recipient opens the document with. `certificate` is DER; None where there is none to read."""

    certificate: bytes | None
    document_keys: tuple[DocumentKey, ...]
    mac_algorithm: str | None = None
    mac_key: Sealed | None = None
    description: str | None = None
    sending_entity: str | None = None
    sender_point_of_contact: str | None = None
    receiving_entity: str | None = None
    name: str | None = None
    update_version: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsSignalling:
    """`playlist`: `media` or `multiVariant`, whatever a version calls it."""

    data: bytes
    playlist: str | None = None
    allowed_cpc: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrmSystem:
    """How one key is signalled for one protection system; binary members are decoded, and opaque."""

    system_id: SystemId
    kid: KeyId
    pssh: bytes | None = None
    content_protection: bytes | None = None
    robustness: str | None = None
    hls: tuple[HlsSignalling, ...] = ()
    smooth: str | None = None
    name: str | None = None
    hls_allowed_cpc: str | None = None
    update_version: int | None = None
    id: str | None = None

    @property
    def in_manifest(self) -> bool:
        """Whether something of it goes into a manifest."""
        return self.content_protection is not None or bool(self.hls) or self.smooth is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A crypto period: bounds by wall clock or by offset, half open; without bounds the encryptor decides when."""

    id: str | None = None
    index: int | None = None
    label: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    start_offset_us: int | None = None
    end_offset_us: int | None = None
    duration_us: int | None = None

    @property
    def clock(self) -> tuple[int, int] | None:
        """Begin and end by wall clock."""
        return _bounds(self.start_us, self.end_us, self.duration_us)

    @property
    def offsets(self) -> tuple[int, int] | None:
        """Begin and end on the media timeline."""
        return _bounds(self.start_offset_us, self.end_offset_us, self.duration_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFilter:
    """Pixels are coded width × height, both ends in; frame rates lie in (min, max]. Empty: any video."""

    min_pixels: int | None = None
    max_pixels: int | None = None
    hdr: bool | None = None
    wcg: bool | None = None
    min_fps: int | None = None
    max_fps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFilter:
    """Both ends are in. Empty: any audio."""

    min_channels: int | None = None
    max_channels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BitrateFilter:
    """Bits a second, both ends in, of any kind of media."""

    min_bitrate: int | None = None
    max_bitrate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRule:
    """`unknown` names filters that nobody here can judge; a document with one maps nothing."""

    kid: KeyId
    periods: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    video: tuple[VideoFilter, ...] = ()
    audio: tuple[AudioFilter, ...] = ()
    bitrate: tuple[BitrateFilter, ...] = ()
    unknown: tuple[str, ...] = ()
    intended_track_type: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """One update; lists refer to it by `update_version`."""

    update_version: int
    index: str
    source: str
    date_us: int
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMark:
    """Attributes of a list: by `id` a signature names it."""

    name: str
    id: str | None = None
    update_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole, lists in the order of the schema. `version` None: the writer picks the lowest that will do."""

    keys: tuple[KeyEntry, ...] = ()
    delivery: tuple[DeliveryData, ...] = ()
    systems: tuple[DrmSystem, ...] = ()
    periods: tuple[Period, ...] = ()
    rules: tuple[UsageRule, ...] = ()
    history: tuple[HistoryItem, ...] = ()
    marks: tuple[ListMark, ...] = ()
    content_id: str | None = None
    name: str | None = None
    version: str | None = None
    id: str | None = None


def _bounds(start: int | None, end: int | None, duration: int | None) -> tuple[int, int] | None:
    if start is None or (end is None and duration is None):
        return None
    return start, end if end is not None else start + (duration or 0)
