"""How one real player asks for keys, as data: the five parts of a profile that belong to the key logic.

Every field is a parameter that the key logic consults by name; no code ever compares a profile's name. Each enumeration
holds every value known of a shipped player, so that a profile file with a misspelt value is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from player.eme.status import MessageType


class Trigger(StrEnum):
    REPRESENTATION_START = "representation_start"
    MANIFEST_LOAD = "manifest_load"
    PERIOD_TRACKS = "period_tracks"
    MEDIA_SEGMENT = "media_segment"


class NextPeriodTrigger(StrEnum):
    PREVIOUS_PERIOD_LOADED = "previous_period_loaded"
    MANIFEST_REFRESH = "manifest_refresh"
    PREVIOUS_PERIOD_BUFFERED = "previous_period_buffered"
    MEDIA_SEGMENT = "media_segment"
    PLAYHEAD = "playhead"
    MANIFEST_REFRESH_SPREAD = "manifest_refresh_spread"


class Early(StrEnum):
    SYSTEM_AND_KIDS_KNOWN = "system_and_kids_known"
    ALWAYS = "always"


class OncePer(StrEnum):
    REPRESENTATION_STREAM = "representation_stream"
    MANIFEST = "manifest"
    PERIOD_UPDATE = "period_update"
    SEGMENT = "segment"


class CpLevel(StrEnum):
    ADAPTATION_AND_REPRESENTATION = "adaptation+representation"
    ADAPTATION_AND_FIRST_REPRESENTATION = "adaptation+first_representation"
    ADAPTATION = "adaptation"
    SEGMENT = "segment"


class MediaEvent(StrEnum):
    REQUEST = "request"
    ACTIVE_KEY_ONLY = "active_key_only"


class ZeroKid(StrEnum):
    IGNORE = "ignore"
    AS_IS = "as_is"
    SUBSTITUTE = "substitute"


class AppendWaits(StrEnum):
    NEVER = "never"
    OWN_KEY = "own_key"
    ALL_SESSIONS_IF_SEVERAL = "all_sessions_if_several"


class ClearStart(StrEnum):
    ATTACH_FIRST = "attach_first"
    ALL_CONFIGURED_SYSTEMS_IF_LIVE = "all_configured_systems_if_live"
    DEFER_EVENTS = "defer_events"
    ON_FIRST_KEY = "on_first_key"


class LicenseScope(StrEnum):
    """What one license is assumed to cover (RxPlayer issue 863, `singleLicensePer`)."""

    INIT_DATA = "init-data"
    REPRESENTATION = "representation"
    ADAPTATION = "adaptation"
    PERIOD = "period"
    MEDIA = "media"


class Extent(StrEnum):
    NONE = "none"
    ONE_AT_A_TIME = "one_at_a_time"
    SIGNALLED = "signalled"


class Dedupe(StrEnum):
    SESSION_KIDS = "session_kids"
    KID_OR_BYTES = "kid_or_bytes"
    BYTES = "bytes"
    KID_THEN_BYTES = "kid_then_bytes"
    STATUS_KID = "status_kid"


class MissingKeyVerdict(StrEnum):
    NONE = "none"
    RESTRICTED_IF_MANIFEST_PSSH = "restricted_if_manifest_pssh"
    UNUSABLE_AFTER_STATUS = "unusable_after_status"
    INTERNAL_ERROR = "internal_error"
    DISALLOWED = "disallowed"


class Concurrency(StrEnum):
    PARALLEL = "parallel"
    SERIAL = "serial"
    SERIAL_PER_URI = "serial_per_uri"
    SERIAL_PER_SCOPE = "serial_per_scope"


class RepresentationRule(StrEnum):
    FIRST_LISTED_KID = "first_listed_kid"
    ALL_KIDS = "all_kids"
    ANY_KID = "any_kid"
    SEGMENT_KID = "segment_kid"


class Evict(StrEnum):
    LRU = "lru"
    FIFO = "fifo"
    NONE = "none"


class ReuseCheck(StrEnum):
    NO_EXPIRED_NO_ERROR = "no_expired_no_error"
    ANY_USABLE = "any_usable"
    NONE = "none"


class OnLicenseFailure(StrEnum):
    FATAL = "fatal"
    DROP_UNLESS_LAST = "drop_unless_last"
    EVENT = "event"
    CLOSE_AND_REPORT = "close_and_report"


class HardwareReset(StrEnum):
    FORGET = "forget"
    RECREATE = "recreate"
    RECREATE_JITTERED = "recreate_jittered"


class Jitter(StrEnum):
    """How a retry delay is spread: `proportional` d·U(1−a, 1+a), `none` d, `full` U(0, d)."""

    PROPORTIONAL = "proportional"
    NONE = "none"
    FULL = "full"


class NullLicense(StrEnum):
    SKIP_UPDATE_KEEP_LOCK = "skip_update_keep_lock"
    ERROR = "error"
    SKIP_UPDATE = "skip_update"


class CertificateSource(StrEnum):
    CONFIG = "config"
    CONFIG_OR_URI = "config_or_uri"
    CONFIG_OR_MANIFEST = "config_or_manifest"
    URI = "uri"


class CertificateFailure(StrEnum):
    WARNING = "warning"
    FATAL = "fatal"
    EVENT = "event"


class OnExpired(StrEnum):
    FATAL = "fatal"
    FATAL_IF_ALL = "fatal_if_all"
    EVENT = "event"
    RENEW = "renew"


class OnStatus(StrEnum):
    FATAL = "fatal"
    RESTRICT = "restrict"
    REJECT = "reject"
    REJECT_CAP_HDCP = "reject_cap_hdcp"
    FALLBACK = "fallback"
    ALLOW = "allow"
    WAIT = "wait"


class Fallback(StrEnum):
    DROP_REPRESENTATIONS = "drop_representations"
    SWITCH_VARIANT = "switch_variant"
    OTHER_ADAPTATION = "other_adaptation"
    PENALISE_LEVELS = "penalise_levels"


class KeySystemOrder(StrEnum):
    APPLICATION = "application"
    PREFERRED_THEN_LICENSED = "preferred_then_licensed"
    PRIORITY = "priority"
    CONFIG = "config"


class Quirk(StrEnum):
    """Named defects of shipped players that are no natural parameter."""

    AUDIO_VERDICT_OVERRIDDEN = "audio_verdict_overridden"
    RESET_SKIPS_SESSIONS = "reset_skips_sessions"
    LIMIT_BEFORE_DUPLICATE_CHECK = "limit_before_duplicate_check"
    ABORT_NEWEST_ONLY = "abort_newest_only"
    MANIFEST_ACCESS_DENIED_SILENT = "manifest_access_denied_silent"
    SECOND_KID_SAME_URI_RESOLVES = "second_kid_same_uri_resolves"
    PENDING_NEVER_ENDS = "pending_never_ends"
    EXPIRED_RENEWS_AND_FAILS = "expired_renews_and_fails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """When init data reaches the key logic."""

    trigger: Trigger
    next_period_trigger: NextPeriodTrigger
    early: Early
    once_per: OncePer
    cp_level: CpLevel
    manifest_pssh_suppresses_media: bool
    media_event: MediaEvent
    neutralise_moov_pssh: bool
    parse_moof_pssh: bool
    zero_kid: ZeroKid
    append_waits_license: AppendWaits
    clear_start: ClearStart
    event_defer_ms: int
    event_defer_max: int
    preload_clear_to_encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a license is taken to cover, and which announcements need none."""

    license_scope: LicenseScope
    extent: Extent
    expect_all_manifest_kids: bool
    dedupe_load: Dedupe
    dedupe_refresh: Dedupe
    dedupe_media: Dedupe
    learn_kids_from_license: bool
    missing_key_verdict: MissingKeyVerdict
    missing_key_timeout_ms: int
    concurrency: Concurrency
    concurrency_scoped: Concurrency
    representation_rule: RepresentationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """How many sessions live, and which one goes."""

    max_sessions: int  # negative: no limit
    evict: Evict
    evict_in_flight: bool
    keep_between_contents: bool
    keep_media_keys: bool
    reuse_check: ReuseCheck
    close_timeout_ms: int
    remove_timeout_ms: int
    load_timeout_ms: int
    persistent_status_wait_ms: int
    persistent_store_max: int
    on_license_failure: OnLicenseFailure
    close_failed: bool
    hardware_reset: HardwareReset
    keep_status_of_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The license exchange: attempts, waits, spread."""

    attempts: int  # including the first
    backoff_base_ms: int
    backoff_factor: float
    backoff_cap_ms: int  # 0: none
    jitter: Jitter
    jitter_amount: float
    timeout_ms: int  # 0: none
    connect_timeout_ms: int
    stall_timeout_ms: int
    success_statuses: tuple[str, ...]  # "200" or "200-299"
    final_statuses: tuple[str, ...]  # never retried
    honour_retry_after: bool
    spread_window_s: float
    spread_margin_s: float
    delay_until_play: bool
    null_license: NullLicense
    message_types: tuple[MessageType, ...]
    cmcd_on_license: bool
    certificate_source: CertificateSource
    certificate_attempts: int
    certificate_failure: CertificateFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What each key status leads to."""

    batch_ms: int
    after_all_sessions: bool
    on_expired: OnExpired
    on_internal_error: OnStatus
    on_output_restricted: OnStatus
    on_output_downscaled: OnStatus
    on_status_pending: OnStatus
    on_released: OnStatus
    zero_kid_is_global: bool
    expiration_poll_s: float
    expiry_tolerance_ms: int
    renewal_interval_s: float
    fallback: Fallback
    robustness_audio: tuple[str, ...]
    robustness_video: tuple[str, ...]
    key_system_order: KeySystemOrder
    min_hdcp: str
