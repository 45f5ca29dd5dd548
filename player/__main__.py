"""`python -m player` is the command `keystorm`."""

from __future__ import annotations

import sys

from player.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
