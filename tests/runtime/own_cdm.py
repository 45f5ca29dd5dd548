"""The CDM that docs/own_cdm.md shows: small, honest, with stored sessions."""

from __future__ import annotations

import doctest
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from player.cdm.own import OwnCdm
from player.eme.cdm import Cdm
from player.eme.key_system import KeySystem, Requirement, Way
from player.eme.status import SessionType
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.media_keys import MediaKeys
from player.runtime.page import Page

DOC = Path(__file__).resolve().parents[2] / "docs" / "own_cdm.md"
NAME = "org.example.xor"
LICENSE = SessionType.PERSISTENT_LICENSE
SUPPORTS = KeySystem(
    init_data_types=("webm",),
    session_types=(SessionType.TEMPORARY, LICENSE),
    ways=(Way(persistent_state=Requirement.OPTIONAL),),
)
CONFIGURATION = {
    "session_types": ["temporary", "persistent-license"],
    "persistent_state": "required",
    "video_capabilities": [{"content_type": 'video/mp4; codecs="avc1.42C00C"'}],
}


def _shown() -> type[Cdm]:
    """The class, as the first examples of the page define it."""
    names: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(DOC.read_text(encoding="utf-8")):
        exec(example.source, names)  # our own page
        if "XorCdm" in names:
            break
    found: type[Cdm] = names["XorCdm"]
    return found


XorCdm = _shown()


def own(cdm: type[Cdm] = XorCdm, supports: KeySystem = SUPPORTS) -> OwnCdm:
    return OwnCdm(key_system=NAME, supports=supports, make=cdm)


async def keys_of(page: Page) -> MediaKeys:
    access = await page.request_media_key_system_access(NAME, [CONFIGURATION])
    return await access.create_media_keys()


def page(
    profile: BrowsingProfile | None = None,
    *,
    seed: int = 1,
    origin: str = "https://a.example",
    cdm: type[Cdm] = XorCdm,
    supports: KeySystem = SUPPORTS,
) -> Page:
    return Page(origin=origin, profile=profile, seed=seed, cdm=own(cdm, supports))


def license_(keys: Mapping[str, int]) -> bytes:
    return json.dumps(dict(keys)).encode()
