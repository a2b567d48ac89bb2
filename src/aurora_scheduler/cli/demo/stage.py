"""Where a demo plays: what it reads, and the files it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What both processes know. The paths are absolute."""

    directory: Path
    """What the job "index" reads."""
    database: Path

    @property
    def backup(self) -> Path:
        """Where the job "backup" writes."""
        return self.database.with_name(f"{self.database.stem}-backup.db")

    @property
    def index(self) -> Path:
        """Where the job "index" writes."""
        return self.database.with_name(f"{self.database.stem}-index.jsonl")
