"""What a victim says of itself while it lives: one line, one `write`, so that a kill leaves whole lines only.

The lines are the world outside the database: what callbacks did, and what calls were answered. The checker holds the
database against them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Growing", "Journal", "Line", "read", "write"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who (`pid`), when (microseconds since the epoch), what, and the particulars."""

    pid: int
    at: int
    what: str
    said: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.said[name]


class Journal:
    """A file that is only ever appended to, by several threads and processes."""

    def __init__(self, path: str | Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, what: str, **said: Any) -> None:
        """Append one line."""
        text = json.dumps({"pid": os.getpid(), "at": time.time_ns() // 1000, "what": what, **said})
        os.write(self._descriptor, f"{text}\n".encode())


class Growing:
    """A journal that is read while it is written: each time, only what is new."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lines: list[Line] = []
        self._read = 0

    def lines(self) -> list[Line]:
        """All lines so far."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]  # the last line may be only half there yet
        self._read += len(text)
        self._lines += [_line(json.loads(each)) for each in text.splitlines()]
        return self._lines


def read(path: Path) -> list[Line]:
    """All lines, in the order in which they were written."""
    if not path.exists():
        return []
    return [_line(json.loads(text)) for text in path.read_text().splitlines()]


def write(path: Path, lines: list[Line]) -> None:
    """A journal with these lines, in place of the one that is there: for tests of the checker."""
    told = [{"pid": line.pid, "at": line.at, "what": line.what, **line.said} for line in lines]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in told))


def _line(said: dict[str, Any]) -> Line:
    return Line(said.pop("pid"), said.pop("at"), said.pop("what"), said)
