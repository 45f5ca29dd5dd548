"""Calls of MediaKeys itself: server certificates, and what a key with an output rule would be (EME 5.1)."""

from __future__ import annotations

from typing import Final

from player.cdm.emulated import EmulatedCdm
from player.crypto.certificate import public_key_of
from player.eme.cdm import GetStatusForPolicy, Handled, SetServerCertificate
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.status import KeyStatus
from player.wire.hierarchy import Output

MIN_CERTIFICATE_BYTES: Final = 128  # choice: Chromium's limits
MAX_CERTIFICATE_BYTES: Final = 16 * 1024


def refuse_certificate(cdm: EmulatedCdm, call: SetServerCertificate, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """Clear Key: not supported (EME 9.1.1)."""
    return Handled(value=False)


def check_certificate(cdm: EmulatedCdm, call: SetServerCertificate, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """It is read and not kept: no message of this system holds an identifier that would be encrypted to it."""
    size = len(call.certificate)
    if not MIN_CERTIFICATE_BYTES <= size <= MAX_CERTIFICATE_BYTES:
        raise EmeTypeError(f"a certificate has {MIN_CERTIFICATE_BYTES} to {MAX_CERTIFICATE_BYTES} bytes, not {size}")
    try:
        public_key_of(call.certificate)
    except ValueError as error:
        raise EmeTypeError(str(error)) from error
    return Handled(value=True)


def usable_whatever_the_policy(cdm: EmulatedCdm, call: GetStatusForPolicy, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """Clear Key: output is not its affair, so even a version that nobody knows is met (EME 9.1.1)."""
    return Handled(value=KeyStatus.USABLE)


def status_by_display(cdm: EmulatedCdm, call: GetStatusForPolicy, now: int) -> Handled:
    """First whether each member can be judged, then whether each is fulfilled (getStatusForPolicy, step 3)."""
    if call.min_hdcp_version not in tuple(Output):
        raise NotSupportedError(f"no HDCP version {call.min_hdcp_version!r}; there are: {', '.join(Output)}")
    fulfilled = call.min_hdcp_version <= cdm.at(now).device.hdcp
    return Handled(value=KeyStatus.USABLE if fulfilled else KeyStatus.OUTPUT_RESTRICTED)
