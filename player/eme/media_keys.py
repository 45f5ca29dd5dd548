"""setServerCertificate and getStatusForPolicy (EME 5.1): what is decided in the call, and what the answer settles.

Knows no certificate format and no HDCP version: the CDM judges both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from player.eme.cdm import GetStatusForPolicy, Handled, KeysCall, SetServerCertificate
from player.eme.errors import EmeTypeError, named
from player.eme.events import KeysSettled
from player.eme.key_system import KeySystem

MIN_HDCP_VERSION: Final = "min_hdcp_version"


def set_server_certificate(
    supports: KeySystem, certificate: bytes
) -> SetServerCertificate | EmeTypeError | Literal[False]:
    """Steps 1 to 3. False: the key system takes none, and the promise resolves with that at once."""
    if not supports.server_certificate:
        return False
    return SetServerCertificate(certificate) if certificate else EmeTypeError("the certificate is empty")


def get_status_for_policy(
    policy: object, members: Mapping[str, object], *, takes_empty: bool = False
) -> GetStatusForPolicy | EmeTypeError:
    """Step 1 and the first pass over the members: there is one, and each is known and of its type.

    `policy` is a mapping or None; `members` are added to it.
    """
    if policy is not None and not isinstance(policy, Mapping):
        return EmeTypeError("a policy is a mapping")
    policy = {**(policy or {}), **members}
    if not policy and takes_empty:
        return GetStatusForPolicy("")
    if not policy:
        return EmeTypeError("the policy has no member")
    unknown = [name for name in policy if name != MIN_HDCP_VERSION]
    if unknown:
        return EmeTypeError(f"a policy has no member {unknown[0]!r}")
    version = policy[MIN_HDCP_VERSION]
    if not isinstance(version, str):
        return EmeTypeError(f"{MIN_HDCP_VERSION} is a str")
    return GetStatusForPolicy(version)


def settle(call: KeysCall, handled: Handled) -> KeysSettled:
    """What follows from the CDM's answer."""
    if handled.error is not None:
        return KeysSettled(call=call, error=named(handled.error, handled.reason))
    return KeysSettled(call=call, error=None, value=handled.value)
