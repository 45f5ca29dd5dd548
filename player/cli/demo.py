"""`keystorm demo`: the scenario `demo` as it stands, with a table and a page to look at."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from player.cli.main import DONE
from player.cli.storm import DEMO, crowd, storm


def arguments(parser: ArgumentParser) -> None:
    crowd(parser)
    default = Path("report.html")
    parser.add_argument("--report", metavar="FILE.html", type=Path, default=default, help="default: %(default)s")
    parser.set_defaults(scenario=DEMO, strategy=None, driver=None, media=None, result=None, trace=None)


def run(options: Namespace) -> int:
    """0 whatever the verdict is: it stands in the table."""
    storm(options)
    return DONE
