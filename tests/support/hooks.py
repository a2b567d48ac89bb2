"""Hooks that the tests' jobs name: what each is told is noted, and then it does what the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aurora_scheduler.engine import current_execution

__all__ = ["Told", "failed", "failed_async", "heard", "put_to_rest", "put_to_rest_async", "wants_more"]


@dataclass(eq=False)
class Told:
    """What hooks were told, in order, each with the name of the hook; and what they do then."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    executions: list[str | None] = field(default_factory=list)
    then: Callable[[dict[str, Any]], Any] = lambda told: None

    def named(self, hook: str) -> list[dict[str, Any]]:
        """What one of them was told."""
        return [told for name, told in self.calls if name == hook]


_told = Told()


@contextmanager
def heard() -> Iterator[Told]:
    """A test's own."""
    global _told
    _told = Told()
    yield _told


def _hear(hook: str, told: dict[str, Any]) -> Any:
    _told.calls.append((hook, told))
    _told.threads.append(threading.get_ident())
    _told.executions.append(current_execution.get())
    return _told.then(told)


def failed(
    job_id: str,
    job_name: str,
    execution_id: str,
    scheduled_for: datetime,
    attempt: int,
    error: str,
    status: str,
    will_retry: bool,
) -> Any:
    return _hear("failed", dict(locals()))


async def failed_async(job_name: str, execution_id: str, will_retry: bool = False) -> Any:
    result = _hear("failed_async", dict(locals()))
    return await result if hasattr(result, "__await__") else result


def put_to_rest(job_id: str, job_name: str, reason: str) -> Any:
    return _hear("put_to_rest", dict(locals()))


async def put_to_rest_async(reason: str) -> Any:
    result = _hear("put_to_rest_async", dict(locals()))
    return await result if hasattr(result, "__await__") else result


def wants_more(job_name: str, weather: str) -> None:
    """No hook: nobody tells the weather."""
