"""What becomes of the CDM's answers on a page: entries of its queue, and what each shows to views and promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from player.eme.events import KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.status import ClosedReason
from player.runtime.media_key_session import MediaKeySession


class Told(NamedTuple):
    """An output with the views it concerns, and the session's id as of now; None: closed long ago."""

    session: MediaKeySession | None
    parent: MediaKeySession | None
    session_id: str
    output: Output


def entries(outputs: Sequence[Output]) -> Iterator[list[Output]]:
    """Entries of the page's queue: what one task settles, or one event to dispatch.

    Sessions that close by themselves close in tasks of their own; children close with their parent.
    """
    task: list[Output] = []
    for output in outputs:
        event = isinstance(output, KeyStatusesChanged | Message)
        if task and (event or _starts_a_task(task[-1], output)):
            yield task
            task = []
        if event:
            yield [output]
        else:
            task.append(output)
    if task:
        yield task


def _starts_a_task(before: Output, output: Output) -> bool:
    alone = isinstance(output, SessionClosed) and output.reason is not ClosedReason.PARENT_CLOSED
    return alone and isinstance(before, SessionClosed)


def running(task: Sequence[Told], settle: Callable[[Settled], None]) -> Callable[[], None]:
    """One task of the page: every attribute is set before a promise is settled, so nobody sees half of it."""

    def run() -> None:
        for told in task:
            if told.session is not None:
                told.session.show(told.output.session, told.parent, told.session_id)
        for told in task:
            if isinstance(told.output, Settled):
                settle(told.output)
            elif told.session is not None:
                told.session.take(told.output)

    return run
