"""What happens, as it happens: typed events, and a listener that never holds up who fires."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aurora_scheduler.instants import aware
from aurora_scheduler.model import Change, Execution
from aurora_scheduler.tickets import Ticket

__all__ = ["Event", "EventsLost", "ExecutionEvent", "Feed", "JobEvent", "Listener"]

#: How many events wait for a slow reader; then the oldest are let go.
KEPT = 1000


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job.

    Attributes:
        job_id: the job.
        kind: "created", "updated", "paused", "resumed", "deactivated", "unresolved", "resolved", "finished", "deleted",
            "renamed", "run_requested" or "cancel_requested".
        at: when, in UTC.
        detail: the reason, or what it was about; None where there is nothing to say. A job that was renamed is told of
            twice, under the id it had and the one it has; the detail is the other.
    """

    job_id: str
    kind: str
    at: datetime
    detail: str | None


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """An execution is in another state now: its `status` says in which.

    Attributes:
        execution: the execution as it was then.
    """

    execution: Execution


@dataclass(frozen=True, slots=True)
class EventsLost:
    """The reader was too slow: so many events, the oldest that waited, were let go.

    Attributes:
        count: how many.
    """

    count: int


Event = JobEvent | ExecutionEvent | EventsLost


class Listener:
    """The events from when it was made until the scheduler stops, oldest first: `async for event in listener`.

    One task reads it, on whichever event loop. At most 1,000 events wait; a reader that is slower loses the oldest, and
    gets an `EventsLost` in their place.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque(maxlen=kept)
        self._lost = 0
        self._is_over = False
        self._woken: Ticket[None] | None = None

    def tell(self, events: Iterable[Event]) -> None:
        """Something happened. From any thread; never waits."""
        with self._lock:
            for event in events:
                self._lost += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(event)
            woken, self._woken = self._woken, None
        if woken is not None:
            woken.answer(None)

    def close(self) -> None:
        """Nothing more will happen: what waits is still read."""
        with self._lock:
            self._is_over = True
        self.tell(())

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Event:
        """The next event, as soon as there is one."""
        while True:
            with self._lock:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    return EventsLost(lost)
                if self._waiting:
                    return self._waiting.popleft()
                if self._is_over:
                    raise StopAsyncIteration
                woken = self._woken = Ticket()
            await woken.wait()


class Feed:
    """Hands what was committed to those who listen; who is not listening any more is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
        self._is_over = False

    def listen(self) -> Listener:
        """A listener for what happens from now on."""
        listener = Listener()
        with self._lock:
            self._listeners.add(listener)
            is_over = self._is_over
        if is_over:
            listener.close()
        return listener

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens."""
        with self._lock:
            return bool(self._listeners)

    def tell(self, rows: Iterable[Execution], changes: Iterable[Change]) -> None:
        """These were committed."""
        if not self._listeners:
            return
        with self._lock:
            listeners = list(self._listeners)
        events: list[Event] = [JobEvent(each.job_id, each.kind.value, aware(each.at), each.detail) for each in changes]
        events += map(ExecutionEvent, rows)
        for listener in listeners:
            listener.tell(events)

    def close(self) -> None:
        """Nothing more will be committed."""
        with self._lock:
            self._is_over = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener.close()
