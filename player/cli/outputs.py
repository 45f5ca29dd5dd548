"""Where results are to go, looked at before anything runs: nobody wants to lose a storm to a misspelt folder."""

from __future__ import annotations

import os
from pathlib import Path

from player.errors import UsageError


def check_writable(path: Path) -> None:
    """Raises: UsageError where no file can be written."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path}: may not be written")


def check_folder(path: Path) -> None:
    """Raises: UsageError where no folder is and none can be made."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is no folder")
