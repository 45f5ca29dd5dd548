"""Why a license request was made."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Each attempt has exactly one; a retry keeps the cause of its first attempt in `origin`."""

    START = "start"
    ROTATION_DEMAND = "rotation-demand"
    ROTATION_PREFETCH = "rotation-prefetch"
    RENEWAL = "renewal"
    QUALITY_DROP = "quality-drop"
    ROOT = "root"
    RELOAD = "reload"
    DUPLICATE = "duplicate"
    RETRY_TIMEOUT = "retry-timeout"
    RETRY_REFUSED = "retry-refused"
    RETRY_ERROR = "retry-error"
    RELEASE = "release"
