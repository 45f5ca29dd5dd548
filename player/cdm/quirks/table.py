"""Every deviation by name: its number, its forms, its layer, and what a player must not conclude from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from player.cdm.quirks.decryption import ChannelPerKey, LatestSessionWins
from player.cdm.quirks.layer import Layer
from player.cdm.quirks.licenses import LaxMatching, LicenseReplacesKeys, LicenseTypeUnchecked, PartialLicense
from player.cdm.quirks.messages import EmptyMessage, ProvisioningFirst, WrappedMessage
from player.cdm.quirks.requests import (
    EmptyInputAccepted,
    FragilePssh,
    LateCapabilityFailure,
    NoServerCertificate,
    RequestKeyLimit,
    SessionLimit,
)
from player.cdm.quirks.settling import (
    CloseHangs,
    ContextReset,
    EventBeforePromise,
    GenerateRequestHangs,
    MessageBeforeSessionId,
    RemoveHangs,
)
from player.cdm.quirks.statuses import (
    ExpirationMismatch,
    GuidKeyIds,
    InternalErrorKeys,
    KeyMissingInMap,
    LateOrMergedStatuses,
    LateStatusesAfterLoad,
    NoKeyStatuses,
    SingleZeroKeyId,
    StatusEventAfterClose,
    StatusEventEveryUpdate,
    StatusPendingFirst,
)


class Quirk(NamedTuple):
    """One row. `forms`: the names of its other forms; NAME alone is none of them.

    `amount`: the number that it takes, as a default; 0: it takes none. `layer` None: it lies elsewhere, by its name: in
    the media element, in what a page sees of its sessions, or in what the key system says of itself.
    """

    number: str
    wrong: str
    layer: type[Layer] | None = None
    forms: tuple[str, ...] = ()
    amount: int = 0


QUIRKS: Final[Mapping[str, Quirk]] = MappingProxyType({
    "status_pending_first": Quirk("Q01", "pending is failed, or usable", StatusPendingFirst, amount=500),
    "no_key_statuses": Quirk("Q02", "without a status there is no key", NoKeyStatuses),
    "late_or_merged_statuses": Quirk("Q03", "every change is seen", LateOrMergedStatuses, ("merged",), 500),
    "key_missing_in_map": Quirk("Q04", "a key without an entry is not there", KeyMissingInMap),
    "single_zero_key_id": Quirk("Q05", "the ids of the map are those of the media", SingleZeroKeyId, ("empty",)),
    "guid_key_ids": Quirk("Q06", "an id has one byte order", GuidKeyIds, ("big_endian",)),
    "swapped_for_each": Quirk("Q07", "the first argument is the status"),
    "zero_default_kid": Quirk("Q08", "the zero id names a key"),
    "session_limit": Quirk(
        "Q09",
        "a session too many is fatal",
        SessionLimit,
        ("QuotaExceededError", "NotSupportedError", "InvalidStateError"),
        15,
    ),
    "unreliable_waitingforkey": Quirk("Q10", "the event says what is missing now", None, ("stale", "missing", "early")),
    "close_hangs": Quirk("Q11", "close() settles", CloseHangs, ("closed_resolves",)),
    "closed_without_reason": Quirk("Q12", "there is a reason"),
    "status_event_after_close": Quirk("Q13", "events are of known sessions", StatusEventAfterClose),
    "late_statuses_after_load": Quirk("Q14", "what load leaves empty is useless", LateStatusesAfterLoad, amount=100),
    "expiration_mismatch": Quirk("Q15", "expiration is when keys end", ExpirationMismatch, ("early",), 1_000),
    "output_restricted": Quirk("Q16", "what one key may not, none may; it stays so"),
    "internal_error_keys": Quirk("Q17", "one bad key spoils all", InternalErrorKeys, ("all",)),
    "late_capability_failure": Quirk("Q18", "what was granted works", LateCapabilityFailure, ("persistent",)),
    "set_media_keys_hangs": Quirk("Q19", "setMediaKeys settles"),
    "status_event_every_update": Quirk("Q20", "an event is news", StatusEventEveryUpdate),
    "partial_license": Quirk("Q21", "a refused license has changed nothing", PartialLicense),
    "license_type_unchecked": Quirk("Q22", "what is accepted is of the right type", LicenseTypeUnchecked),
    "generate_request_hangs": Quirk("Q23", "generateRequest settles", GenerateRequestHangs),
    "lax_matching": Quirk("Q24", "what works here is right", LaxMatching),
    "fragile_pssh": Quirk("Q25", "init data can be passed on as it is", FragilePssh, ("duplicated",)),
    "channel_per_key": Quirk("Q26", "a key that is there needs no request", ChannelPerKey),
    "license_replaces_keys": Quirk("Q27", "keys add up", LicenseReplacesKeys),
    "provisioning_first": Quirk("Q28", "every message is for the license server", ProvisioningFirst, ("certificate",)),
    "wrapped_message": Quirk("Q29", "a message is the body to post", WrappedMessage, ("bare",)),
    "empty_message": Quirk("Q30", "every message is to be sent", EmptyMessage),
    "media_keys_single_use": Quirk("Q31", "MediaKeys serve one content after another"),
    "attach_first": Quirk(
        "Q32",
        "any order of the first steps will do",
        None,
        ("needs_attach", "needs_keys_before_clear", "needs_encrypted_event", "needs_encryption_info"),
    ),
    "error_instead_of_waitingforkey": Quirk("Q33", "an element waits for keys"),
    "buffered_data_sticks": Quirk("Q34", "another key plays what is appended next"),
    "request_key_limit": Quirk("Q35", "one request has room for all keys", RequestKeyLimit, amount=30),
    "context_reset": Quirk("Q36", "sessions close one by one", ContextReset, amount=30),
    "evict_oldest_session": Quirk("Q37", "a key that was there still is", amount=4),
    "latest_session_wins": Quirk("Q38", "the older of two keys still counts", LatestSessionWins),
    "no_server_certificate": Quirk("Q39", "a certificate is taken", NoServerCertificate, ("rejects",)),
    "remove_hangs": Quirk("Q40", "remove() settles", RemoveHangs),
    "event_before_promise": Quirk("Q41", "events come after their promise", EventBeforePromise),
    "message_before_session_id": Quirk("Q42", "a session has its id by its first event", MessageBeforeSessionId),
    "empty_input_accepted": Quirk("Q43", "empty input is refused everywhere", EmptyInputAccepted),
})  # fmt: skip

PRESETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "chrome-clearkey": (
        "status_event_every_update", "partial_license", "license_type_unchecked", "latest_session_wins",
        "event_before_promise", "empty_input_accepted",
    ),
    "firefox-clearkey": ("generate_request_hangs",),
    "edge-playready": (
        "status_pending_first", "guid_key_ids", "late_capability_failure", "fragile_pssh", "wrapped_message",
    ),
    "xbox": ("guid_key_ids", "attach_first"),
    "tv-legacy": ("no_key_statuses", "session_limit", "set_media_keys_hangs", "media_keys_single_use"),
    "stb-channel": ("session_limit", "channel_per_key"),
    "android-l1": ("session_limit:NotSupportedError", "provisioning_first", "request_key_limit"),
    "safari": ("closed_without_reason", "attach_first"),
})  # fmt: skip
"""What some devices deviate in together: a name that stands for several."""
