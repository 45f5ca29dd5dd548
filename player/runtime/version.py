"""Which keystorm this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

DISTRIBUTION = "keystorm"


def version() -> str:
    """The version of the installed distribution; "0" in a checkout that is not installed."""
    try:
        return installed(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"
