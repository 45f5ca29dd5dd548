"""The device under a CDM: what its display can do, and the root keys it holds beside every license.

One immutable value that clients alike share; what happens to a device leads to another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from player.eme.status import KeyStatus
from player.ids import ContentKey, KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`hdcp`: what the display can do, "" without a display that protects anything.

    `downscale_hdcp`: a display that can do this much shows at lower quality what it may not show in full; "": none
    does. `passes`: what is restricted is shown all the same. `roots`: the newest last; no repr shows one.
    """

    hdcp: str
    downscale_hdcp: str = ""
    passes: bool = False
    roots: tuple[tuple[KeyId, ContentKey], ...] = ()
    lost: bool = False  # the CDM is gone for good

    def status(self, output: str) -> KeyStatus:
        """Of a key whose output needs this HDCP version, "": none."""
        if output <= self.hdcp:
            return KeyStatus.USABLE
        downscaled = bool(self.downscale_hdcp) and self.hdcp >= self.downscale_hdcp
        return KeyStatus.OUTPUT_DOWNSCALED if downscaled else KeyStatus.OUTPUT_RESTRICTED

    def decrypts(self, status: KeyStatus) -> bool:
        """EME 6.3: which keys decrypt now."""
        if status is KeyStatus.OUTPUT_RESTRICTED:
            return self.passes
        return status is KeyStatus.USABLE or status is KeyStatus.OUTPUT_DOWNSCALED
