"""Request and license of the lab key system `org.keystorm.hierarchy`: canonical JSON, times in ms since the epoch.

A license may carry root keys (`use` = `wrap`), under which the stream delivers its content keys itself (`wire.blob`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire.members import (
    an_object,
    bad,
    content_key,
    each_once,
    flag,
    items,
    key_id,
    key_ids,
    member,
    nullable,
    one_of,
    session_type,
    texts,
    whole,
)
from player.wire.strict import JsonObject, b64url_encode, read_object, write_object

VERSION: Final = 1


class Use(StrEnum):
    """What a key is for."""

    CONTENT = "content"
    WRAP = "wrap"  # a root key: it decrypts no sample


class Output(StrEnum):
    """The HDCP version a key's output needs (HDCP Policy Check, minHdcpVersion)."""

    HDCP_1_0 = "1.0"
    HDCP_1_1 = "1.1"
    HDCP_1_2 = "1.2"
    HDCP_1_3 = "1.3"
    HDCP_1_4 = "1.4"
    HDCP_2_0 = "2.0"
    HDCP_2_1 = "2.1"
    HDCP_2_2 = "2.2"
    HDCP_2_3 = "2.3"


class DenialReason(StrEnum):
    ROBUSTNESS = "robustness"
    WINDOW = "window"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequest:
    """`time_ms` is the device's own time, None on a device without a clock. `robustness` is its level."""

    kids: tuple[KeyId, ...]
    type: str = "temporary"
    robustness: int = 1
    time_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for all keys of a license: ms since the epoch, None: no bound."""

    exp_ms: int | None = None
    nbf_ms: int | None = None
    renew_at_ms: int | None = None
    output: Output | None = None
    persist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseKey:
    """`nbf_ms`: usable from then on, None: at once. `output` is the rule that holds for this key."""

    kid: KeyId
    key: ContentKey
    use: Use = Use.CONTENT
    nbf_ms: int | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A key that was asked for and is not given."""

    kid: KeyId
    reason: DenialReason


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKey:
    """A key that will follow, without the key."""

    kid: KeyId
    from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """`keys` may be empty: all that was asked for is withheld. No key id stands twice in it."""

    keys: tuple[LicenseKey, ...]
    denied: tuple[Denied, ...] = ()
    next: tuple[NextKey, ...] = ()
    policy: Policy = Policy()


def write_request(request: LicenseRequest) -> bytes:
    return write_object(
        {
            "kids": texts(request.kids),
            "rb": request.robustness,
            "time": request.time_ms,
            "type": request.type,
            "v": VERSION,
        }
    )


def read_request(data: bytes) -> LicenseRequest:
    """Raises: LicenseError."""
    document = _versioned(data, "license request")
    place = "license request"
    kids = key_ids(member(document, "kids", place), f"{place} kids")
    if not kids:
        raise bad(f"{place} kids", "empty")
    return LicenseRequest(
        kids=kids,
        type=session_type(member(document, "type", place), f"{place} type"),
        robustness=whole(member(document, "rb", place), f"{place} rb"),
        time_ms=nullable(member(document, "time", place), f"{place} time", whole),
    )


def write_license(given: License) -> bytes:
    return write_object(
        {
            "denied": [{"kid": b64url_encode(it.kid), "reason": it.reason.value} for it in given.denied],
            "keys": [_key_members(key, given.policy) for key in given.keys],
            "next": [{"from": it.from_ms, "kid": b64url_encode(it.kid)} for it in given.next],
            "policy": policy_members(given.policy),
            "v": VERSION,
        }
    )


def read_license(data: bytes) -> License:
    """Extra members are ignored. Raises: LicenseError."""
    document = _versioned(data, "license")
    policy = read_policy(member(document, "policy", "license"), "license policy")
    keys = tuple(_key(item, place, policy) for item, place in _list(document, "keys"))
    each_once((key.kid for key in keys), "license keys")
    return License(
        keys=keys,
        denied=tuple(_denied(item, place) for item, place in _list(document, "denied")),
        next=tuple(_next(item, place) for item, place in _list(document, "next")),
        policy=policy,
    )


def policy_members(policy: Policy) -> dict[str, object]:
    """A policy as it stands in a license and in a wrapped-key blob."""
    return {
        "exp": policy.exp_ms,
        "nbf": policy.nbf_ms,
        "output": policy.output,
        "persist": policy.persist,
        "renew_at": policy.renew_at_ms,
    }


def read_policy(value: object, place: str) -> Policy:
    """All five members must be there: a policy that leaves one out may have been cut. Raises: LicenseError."""
    entry = an_object(value, place)
    return Policy(
        exp_ms=nullable(member(entry, "exp", place), f"{place}.exp", whole),
        nbf_ms=nullable(member(entry, "nbf", place), f"{place}.nbf", whole),
        renew_at_ms=nullable(member(entry, "renew_at", place), f"{place}.renew_at", whole),
        output=nullable(member(entry, "output", place), f"{place}.output", _output),
        persist=flag(member(entry, "persist", place), f"{place}.persist"),
    )


def _key_members(key: LicenseKey, policy: Policy) -> dict[str, object]:
    members: dict[str, object] = {
        "k": b64url_encode(key.key.reveal()),
        "kid": b64url_encode(key.kid),
        "nbf": key.nbf_ms,
        "use": key.use,
    }
    return members if key.output == policy.output else members | {"output": key.output}


def _key(value: object, place: str, policy: Policy) -> LicenseKey:
    entry = an_object(value, place)
    return LicenseKey(
        kid=key_id(member(entry, "kid", place), f"{place}.kid"),
        key=content_key(member(entry, "k", place), f"{place}.k"),
        use=one_of(member(entry, "use", place), f"{place}.use", Use),
        nbf_ms=nullable(member(entry, "nbf", place), f"{place}.nbf", whole),
        output=nullable(entry["output"], f"{place}.output", _output) if "output" in entry else policy.output,
    )


def _denied(value: object, place: str) -> Denied:
    entry = an_object(value, place)
    return Denied(
        kid=key_id(member(entry, "kid", place), f"{place}.kid"),
        reason=one_of(member(entry, "reason", place), f"{place}.reason", DenialReason),
    )


def _next(value: object, place: str) -> NextKey:
    entry = an_object(value, place)
    return NextKey(
        kid=key_id(member(entry, "kid", place), f"{place}.kid"),
        from_ms=whole(member(entry, "from", place), f"{place}.from"),
    )


def _output(value: object, place: str) -> Output:
    return one_of(value, place, Output)


def _list(document: JsonObject, name: str) -> Iterable[tuple[object, str]]:
    return items(member(document, name, "license"), f"license {name}")


def _versioned(data: bytes, what: str) -> JsonObject:
    document = read_object(data, what)
    if whole(member(document, "v", what), f"{what} v") != VERSION:
        raise LicenseError("unknown-version", f"{what}: not version {VERSION}")
    return document
