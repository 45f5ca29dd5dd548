"""A page that plays with a usage record until it is killed: `usage_writer FOLDER ACCURACY_S`.

It tells the id of its session, then the wall time of each decryption, in ms, once that decryption's records are stored.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from player.cdm.spec import CdmSpec
from player.eme.cdm import Decrypt
from player.ids import CLEARKEY, ContentKey, KeyId
from player.isobmff.sample import Protection, Sample, Scheme
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.page import Page
from player.wire import keyids
from player.wire.clearkey import write_license

KID: Final = KeyId(b"0123456789012345")
RECORD: Final = "persistent-usage-record"
LICENSE: Final = write_license([(KID, ContentKey(bytes(16)))], RECORD)
ASKED: Final = {"session_types": [RECORD], "audio_capabilities": [{"content_type": 'audio/mp4; codecs="mp4a.40.2"'}]}
SAMPLE: Final = Sample(0, 16, 1, Protection(scheme=Scheme.CENC, kid=KID, iv_size=8), bytes(8), ())


async def main(folder: str, accuracy_s: float) -> None:
    spec = CdmSpec(features=("persistent_usage_record",), accuracy_s=accuracy_s, save_every_s=accuracy_s / 3)
    page = Page(profile=BrowsingProfile(Path(folder)), cdm=spec)
    access = await page.request_media_key_system_access(CLEARKEY, [ASKED])
    keys = await access.create_media_keys()
    session = keys.create_session(RECORD)
    await session.generate_request("keyids", keyids.write([KID]))
    await session.update(LICENSE)
    print(session.session_id, flush=True)
    while True:
        at_ms = time.time_ns() // 1_000_000
        keys.decrypt(Decrypt(0, bytearray(16), (SAMPLE,), 0))
        print(at_ms, flush=True)
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
