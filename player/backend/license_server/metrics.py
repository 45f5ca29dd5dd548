"""What a license server counts, in the JSON of `GET /metrics`."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from player.clock import SECOND

_REJECTED: Final = frozenset({0, 429, 503})  # turned away, not answered badly


class Metrics:
    """Counts of license requests by how they ended (status 0: closed), in the second in which they did.

    `keys` is how many keys the licenses held; whoever writes a license adds to it. `open_records`: sessions with a
    usage record that were given a license and have not released it, which is how streams at one time are counted.
    """

    def __init__(self) -> None:
        self.requests = self.licenses = self.keys = self.rejected = 0
        self.releases = self.open_records = 0
        self._by_status: Counter[int] = Counter()
        self._per_second: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])

    def count(self, status: int, now: int, *, is_release: bool = False) -> None:
        """One license request has ended."""
        license_given, rejected = status == 200 and not is_release, status in _REJECTED
        self.requests += 1
        self.licenses += license_given
        self.rejected += rejected
        self._by_status[status] += 1
        row = self._per_second[now // SECOND]
        row[0] += 1
        row[1] += license_given
        row[2] += rejected

    def release(self, *, of_record: bool) -> None:
        """A release is acknowledged."""
        self.releases += 1
        if of_record:
            self.open_records = max(0, self.open_records - 1)

    def document(self, *, queue_s: float) -> dict[str, object]:
        return {
            "requests": self.requests,
            "licenses": self.licenses,
            "keys": self.keys,
            "rejected": self.rejected,
            "releases": self.releases,
            "open_records": self.open_records,
            "by_status": {str(status): count for status, count in self._by_status.items()},
            "queue_s": queue_s,
            "per_second": [[second, *row] for second, row in sorted(self._per_second.items())],
        }
