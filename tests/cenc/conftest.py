"""The studio is opened once a session."""

from __future__ import annotations

import pytest

from tests.cenc.bitstreams import Bitstreams
from tests.cenc.content import Studio, open_studio
from tests.cenc.gallery import Gallery


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def gallery(studio: Studio) -> Gallery:
    return Gallery(studio=studio)


@pytest.fixture(scope="session")
def bitstreams(studio: Studio) -> Bitstreams:
    return Bitstreams(studio)
