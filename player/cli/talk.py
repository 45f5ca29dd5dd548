"""Talk goes to stderr, results to stdout."""

from __future__ import annotations

import sys
from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger


def talk() -> FilteringBoundLogger:
    """A logger, bound now: a lazy one pays for its configuration at each call."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return cast(FilteringBoundLogger, structlog.get_logger().bind())
