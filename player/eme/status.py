"""The enumerations of EME, with the specification's own strings."""

from __future__ import annotations

from enum import StrEnum


class KeyStatus(StrEnum):
    """MediaKeyStatus (EME 6.3)."""

    USABLE = "usable"
    EXPIRED = "expired"
    RELEASED = "released"
    OUTPUT_RESTRICTED = "output-restricted"
    OUTPUT_DOWNSCALED = "output-downscaled"
    USABLE_IN_FUTURE = "usable-in-future"
    STATUS_PENDING = "status-pending"
    INTERNAL_ERROR = "internal-error"


class SessionType(StrEnum):
    """MediaKeySessionType (EME 5); the last one stood in the draft until March 2021 and is a feature to switch on."""

    TEMPORARY = "temporary"
    PERSISTENT_LICENSE = "persistent-license"
    PERSISTENT_USAGE_RECORD = "persistent-usage-record"


class MessageType(StrEnum):
    """MediaKeyMessageType (EME 6.4)."""

    LICENSE_REQUEST = "license-request"
    LICENSE_RENEWAL = "license-renewal"
    LICENSE_RELEASE = "license-release"
    INDIVIDUALIZATION_REQUEST = "individualization-request"


class ClosedReason(StrEnum):
    """MediaKeySessionClosedReason (EME 6); the last two come from the embedded-keys explainer."""

    INTERNAL_ERROR = "internal-error"
    CLOSED_BY_APPLICATION = "closed-by-application"
    RELEASE_ACKNOWLEDGED = "release-acknowledged"
    HARDWARE_CONTEXT_RESET = "hardware-context-reset"
    RESOURCE_EVICTED = "resource-evicted"
    PARENT_CLOSED = "parent-closed"
    PARENT_MERGED = "parent-merged"
