"""What a racer is: a scheduler, used as its documentation shows, behind a handful of plain calls."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

__all__ = ["Racer"]


class Racer(Protocol):
    """One scheduler in one way of using it. `number` is what the callback gets."""

    def open(self, directory: Path) -> None:
        """Start, with a database in this directory if it has one."""
        ...

    def once(self, count: int, due: datetime) -> None:
        """Create the jobs 0, 1, ... that run once, all at the same time, in the best way it has for many."""
        ...

    def every_second(self, begins: list[datetime]) -> None:
        """Create the jobs 0, 1, ... that run every second, each from its own time on."""
        ...

    def add(self, number: int) -> None:
        """Create one job that runs every hour: what a caller waits for. From any thread."""
        ...

    def close(self) -> None:
        """Stop; what runs may end."""
        ...

    def complaints(self, directory: Path, firings: int) -> list[str]:
        """After the end: what is wrong with what it has kept, of so many firings that had their effect."""
        ...
