"""Licenses and license requests of Clear Key and of the hierarchy: key ids, type and policy, never a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from player.cli.inspected.pssh import window
from player.cli.inspected.report import Line, Nothing, Report, escaped, fault_lines, heading, instant
from player.errors import LicenseError, UsageError
from player.ids import CLEARKEY, HIERARCHY, KeyId
from player.isobmff.inspection import Fault
from player.wire import clearkey, hierarchy, keyids
from player.wire.strict import JsonObject, read_object


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenKey:
    """A key of a license without the key. `from_ms` None: usable at once."""

    kid: KeyId
    use: str  # "content" or "wrap"
    from_ms: int | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedKey:
    kid: KeyId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingKey:
    kid: KeyId
    from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseFacts:
    """`type` is an EME session type, None where the document has none; `policy` None: the key system knows none."""

    key_system: str
    type: str | None
    keys: tuple[GivenKey, ...]
    denied: tuple[DeniedKey, ...] = ()
    next: tuple[ComingKey, ...] = ()
    policy: hierarchy.Policy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """`robustness` and `time_ms` of the hierarchy only."""

    key_system: str
    type: str | None
    kids: tuple[KeyId, ...]
    robustness: int | None = None
    time_ms: int | None = None


def inspect(data: bytes) -> Report:
    """Raises: UsageError for JSON that is none of the four documents."""
    try:
        kind, read = _READERS[_shape(read_object(data, "JSON"))]
    except LicenseError as error:
        raise UsageError(str(error), code=error.code) from None
    try:
        facts = read(data)
    except LicenseError as error:
        fault = Fault(code=error.code, path="$", offset=None, reason=str(error), clause="")
        return Report(kind=kind, facts=Nothing(), page=tuple(fault_lines((fault,))), faults=(fault,))
    lines = _license_lines(facts) if isinstance(facts, LicenseFacts) else _request_lines(facts)
    return Report(kind=kind, facts=facts, page=(*lines, *fault_lines(())))


def _shape(document: JsonObject) -> tuple[str, bool]:
    """The member that tells what it is, and whether it is one of ours."""
    for name in ("keys", "kids"):
        if name in document:
            return (name if "type" in document or "v" in document or name == "keys" else "bare"), "v" in document
    raise UsageError("a JSON object that is neither a license nor a license request", code="unknown-document")


def _clearkey_license(data: bytes) -> LicenseFacts:
    found = clearkey.read_license(data)
    keys = tuple(GivenKey(kid=kid, use="content") for kid, _ in found.keys)
    return LicenseFacts(key_system=CLEARKEY, type=found.type, keys=keys)


def _hierarchy_license(data: bytes) -> LicenseFacts:
    found = hierarchy.read_license(data)
    return LicenseFacts(
        key_system=HIERARCHY,
        type=None,
        keys=tuple(GivenKey(kid=it.kid, use=it.use, from_ms=it.nbf_ms, output=it.output) for it in found.keys),
        denied=tuple(DeniedKey(kid=it.kid, reason=it.reason) for it in found.denied),
        next=tuple(ComingKey(kid=it.kid, from_ms=it.from_ms) for it in found.next),
        policy=found.policy,
    )


def _clearkey_request(data: bytes) -> RequestFacts:
    found = clearkey.read_request(data, tolerant=True)
    return RequestFacts(key_system=CLEARKEY, type=found.type, kids=found.kids)


def _hierarchy_request(data: bytes) -> RequestFacts:
    found = hierarchy.read_request(data)
    return RequestFacts(
        key_system=HIERARCHY, type=found.type, kids=found.kids, robustness=found.robustness, time_ms=found.time_ms
    )


def _key_ids(data: bytes) -> RequestFacts:
    return RequestFacts(key_system=CLEARKEY, type=None, kids=keyids.read(data))


_READERS: Final[Mapping[tuple[str, bool], tuple[str, Callable[[bytes], LicenseFacts | RequestFacts]]]] = {
    ("keys", False): ("license", _clearkey_license),
    ("keys", True): ("license", _hierarchy_license),
    ("kids", False): ("license-request", _clearkey_request),
    ("kids", True): ("license-request", _hierarchy_request),
    ("bare", False): ("keyids", _key_ids),
}


def _license_lines(facts: LicenseFacts) -> Iterator[Line]:
    yield from heading("license")
    yield Line(f"  key system  {facts.key_system}")
    if facts.type is not None:
        yield Line(f"  type        {facts.type}")
    yield from _policy_lines(facts.policy)
    yield from heading("keys (the keys themselves are never shown)")
    yield from (Line(f"  KID  {_name(key.kid)}  {_terms(key)}") for key in facts.keys)
    yield from (Line(f"  KID  {_name(key.kid)}  denied: {key.reason}") for key in facts.denied)
    yield from (Line(f"  KID  {_name(key.kid)}  to come, from {instant(key.from_ms * 1000)}") for key in facts.next)
    if not (facts.keys or facts.denied or facts.next):
        yield Line("  none")


def _terms(key: GivenKey) -> str:
    output = f", output HDCP {key.output}" if key.output else ""
    return f"{key.use}, {window(key.from_ms, None)}{output}"


def _policy_lines(policy: hierarchy.Policy | None) -> Sequence[Line]:
    if policy is None:
        return ()
    renewal = "never" if policy.renew_at_ms is None else instant(policy.renew_at_ms * 1000)
    return (
        Line(f"  valid       {window(policy.nbf_ms, policy.exp_ms)}{'' if policy.exp_ms else ', without end'}"),
        Line(f"  renewal     {renewal}"),
        Line(f"  output      {'any' if policy.output is None else f'HDCP {policy.output}'}"),
        Line(f"  persistent  {'may be stored' if policy.persist else 'may not be stored'}"),
    )


def _request_lines(facts: RequestFacts) -> Iterator[Line]:
    yield from heading("license request" if facts.type else "key ids")
    yield Line(f"  key system  {facts.key_system}")
    if facts.type is not None:
        yield Line(f"  type        {facts.type}")
    if facts.robustness is not None:
        yield Line(f"  robustness  {facts.robustness}")
        told = "no clock" if facts.time_ms is None else instant(facts.time_ms * 1000)
        yield Line(f"  its time    {told}")
    yield from (Line(f"  KID         {_name(kid)}") for kid in facts.kids)


def _name(kid: KeyId) -> str:
    """A key id of a license has 1 to 512 bytes."""
    text = escaped(str(kid))
    return text if len(text) <= 64 else f"{text[:64]}… ({len(kid)} bytes)"
