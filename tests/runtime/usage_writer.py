"""A page that plays with a usage record until it is killed: `usage_writer FOLDER SESSION_ID ACCURACY_S`.

It tells the wall time of each decryption, in ms, once that decryption's records are stored.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.eme.cdm import Call, CdmResult, Decrypt, GenerateRequest, Handled, Update, Wake
from player.eme.status import SessionType
from player.ids import CLEARKEY, ContentKey, KeyId, Pool
from player.isobmff.sample import Protection, Sample, Scheme
from player.runtime.browsing_profile import BrowsingProfile
from player.wire import clearkey, keyids

SITE: Final = "https://player.example"
KID: Final = KeyId(b"0123456789012345")
RECORD: Final = SessionType.PERSISTENT_USAGE_RECORD
SAMPLE: Final = Sample(0, 16, 1, Protection(scheme=Scheme.CENC, kid=KID, iv_size=8), bytes(8), ())


class Writer:
    def __init__(self, folder: Path, session_id: str, accuracy_s: float) -> None:
        self._store = BrowsingProfile(folder).store(SITE)
        self._session_id = session_id
        self._epoch_us = time.time_ns() // 1000
        spec = CdmSpec(features=("persistent_usage_record",), accuracy_s=accuracy_s, save_every_s=accuracy_s / 3)
        self._cdm = make(CLEARKEY, spec, Pool(), self._epoch_us)
        self._due: int | None = None
        if not self._store.claim(session_id):
            raise SystemExit("the session is open elsewhere")

    def start(self) -> None:
        self._ask(GenerateRequest(0, 0, RECORD, "keyids", keyids.write([KID])))
        self._ask(Update(0, 0, clearkey.write_license([(KID, ContentKey(bytes(16)))], RECORD)))

    def play(self) -> int:
        """One sample; the wall time of its decryption in ms."""
        if self._due is not None and self._due <= self._now():
            self._due = None
            self._ask(Wake())
        at = self._now()
        self._ask(Decrypt(0, bytearray(16), (SAMPLE,), 0), at)
        return (self._epoch_us + at) // 1000

    def _ask(self, call: Call, now: int | None = None) -> CdmResult:
        result = self._cdm.handle(call, self._now() if now is None else now, Draw(1, 1))
        if isinstance(result, Handled) and result.error is not None:
            raise SystemExit(result.reason)
        if result.records:
            self._store.write({self._session_id: result.records[-1].data})
        self._due = result.wake_at if result.wake_at is not None else self._due
        return result

    def _now(self) -> int:
        return time.time_ns() // 1000 - self._epoch_us


def main(folder: str, session_id: str, accuracy_s: str) -> None:
    writer = Writer(Path(folder), session_id, float(accuracy_s))
    writer.start()
    while True:
        print(writer.play(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
