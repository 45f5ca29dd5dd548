"""`python -m player.scenario FOLDER…`: read every scenario file below, and say of each what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from player.errors import KeystormError
from player.scenario.load import SUFFIX, load
from player.scenario.specs import to_storm


def main(folders: list[str]) -> int:
    """Exit code 0, or 2 where a file was refused."""
    refused = 0
    for path in sorted(path for folder in folders for path in Path(folder).rglob(f"*{SUFFIX}")):
        try:
            to_storm(load(path))
        except KeystormError as error:
            print(error, file=sys.stderr)
            refused += 1
    return 2 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
