"""The front of virtual time: services called directly, told apart by the host of the request.

It has the five verbs of a service itself (`wire.http.Service`), so an in-memory network drives it like one.
"""

from __future__ import annotations

from collections.abc import Mapping

from player.wire.http import Reply, Request, Service


class InProcess:
    """Request ids must be unique over all hosts. A host that nobody serves closes the connection (status 0)."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = dict(services)
        self._serving: dict[int, Service] = {}  # by request id, until answered or gone
        self._unserved: list[Reply] = []

    def receive(self, request: Request, now: int) -> None:
        service = self._services.get(request.host)
        if service is None:
            self._unserved.append(Reply(request.id, 0, (), b""))
            return
        self._serving[request.id] = service
        service.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        service = self._serving.pop(request_id, None)
        if service is not None:
            service.gone(request_id, now)

    def replies(self) -> list[Reply]:
        ready, self._unserved = self._unserved, []
        for service in self._services.values():
            ready.extend(service.replies())
        for reply in ready:
            self._serving.pop(reply.id, None)
        return ready

    def deadline(self) -> int | None:
        return min((due for each in self._services.values() if (due := each.deadline()) is not None), default=None)

    def handle_deadline(self, now: int) -> None:
        for service in self._services.values():
            due = service.deadline()
            if due is not None and due <= now:
                service.handle_deadline(now)
