"""A wall clock that can be wrong: by as much as a file says, which another process writes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import trio

from aurora_scheduler.clock import SystemClock

__all__ = ["SkewedClock", "skew"]

_WIDTH = 12


class SkewedClock(SystemClock):
    """The machine's clock, and what CONTEST_SKEW says; who watches it is told when that changes, as Linux would."""

    def __init__(self, seed: int | None = None) -> None:
        self._file = os.open(os.environ["CONTEST_SKEW"], os.O_RDONLY | os.O_CLOEXEC)
        super().__init__(seed)

    def now(self) -> int:
        """The instant, wrong by so much."""
        return super().now() + self._skew()

    @contextmanager
    def watched(self) -> Generator[Callable[[], Awaitable[object]]]:
        """Within it: what to await until this clock was set."""
        known = self._skew()

        async def was_set() -> None:
            nonlocal known
            while known == self._skew():  # noqa: ASYNC110 - another process changes it
                await trio.sleep(0.05)
            known = self._skew()

        yield was_set

    def _skew(self) -> int:
        return int(os.pread(self._file, _WIDTH, 0))


def skew(path: Path, by: int) -> None:
    """Have the clocks that read this file be wrong by so many microseconds."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, f"{by:<{_WIDTH}}".encode(), 0)
    finally:
        os.close(file)
