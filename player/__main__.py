"""`python -m player` is the command `keystorm`."""

from __future__ import annotations

import gc
import sys

from player.cli.main import main


def command() -> int:
    """One command, and the end of its process, which need not look for garbage: that would take as long as starting."""
    code = main()
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(command())
