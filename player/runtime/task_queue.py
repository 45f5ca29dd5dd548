"""The order of a page: one first-in-first-out queue of tasks and event dispatches (EME's "queue a task").

Plain asyncio does not keep the order of the web, where all reactions to a settled promise run before the next task.
So after each entry the queue lets some turns of the loop pass before it runs the next one: with N turns, code that is
up to N - 1 task hops away from a promise sees it settled before the event that follows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

SPARE_TURNS: Final = 4

Entry = Callable[[], None]


class TaskQueue:
    """One a page, so that clients never wait for one another. Entries must not raise; one that does stops nobody."""

    __slots__ = ("_entries", "_loop", "_spare_turns", "_under_way")

    def __init__(self, spare_turns: int = SPARE_TURNS) -> None:
        if spare_turns < 0:
            raise ValueError("spare turns are 0 or more")
        self._loop = asyncio.get_running_loop()
        self._spare_turns = spare_turns
        self._entries: deque[Entry] = deque()
        self._under_way = False

    def put(self, entry: Entry) -> None:
        self._entries.append(entry)
        if not self._under_way:
            self._under_way = True
            self._loop.call_soon(self._run)

    def clear(self) -> None:
        """Drop what has not run."""
        self._entries.clear()

    def _run(self) -> None:
        while self._entries:
            self._run_one(self._entries.popleft())
            if self._spare_turns:
                self._loop.call_soon(self._pass_turn, self._spare_turns - 1)
                return
        self._under_way = False

    def _run_one(self, entry: Entry) -> None:
        try:
            entry()
        except Exception as error:  # noqa: BLE001  # the page goes on
            self._loop.call_exception_handler({"message": "a task of the page raised", "exception": error})

    def _pass_turn(self, left: int) -> None:
        if left:
            self._loop.call_soon(self._pass_turn, left - 1)
        else:
            self._run()
