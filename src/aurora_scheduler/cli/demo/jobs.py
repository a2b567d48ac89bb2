"""The jobs of the demo: callbacks that do real work, and how they are declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from aurora_scheduler.cli.demo.backups import back_up
from aurora_scheduler.cli.demo.indexing import index_directory
from aurora_scheduler.cli.demo.stage import Stage
from aurora_scheduler.cli.texts import counted, size
from aurora_scheduler.definition import NewJob

__all__ = ["declared"]

#: How long the async job takes: long enough to be caught at it.
_ANSWER_TAKES = 1.2
#: The attempt of "flaky" that is the first to succeed.
_THIRD = 3


def declared(stage: Stage) -> list[NewJob]:
    """The jobs, each with an id: to declare them again, after a restart, goes on with them as they are."""
    files: dict[str, Any] = {"database": str(stage.database)}
    regular: dict[str, Any] = {"max_retries": 0, "on_exhausted": "continue"}  # the next firing is retry enough
    again: dict[str, Any] = {"max_retries": 5, "retry_delay": "1 second"}
    return [
        _job(
            "index",
            "every 2 seconds",
            index,
            files | {"directory": str(stage.directory), "target": str(stage.index)},
            regular,
        ),
        _job("backup", "every 6 seconds", backup, files | {"target": str(stage.backup)}, regular),
        _job("ask", "every 3 seconds", ask, {}, regular),
        _job("once", "in 3 seconds", once, {}, {}),
        _job("flaky", "in 1 second", flaky, {}, again),
    ]


def _job(name: str, schedule: str, callback: Any, args: dict[str, Any], options: dict[str, Any]) -> NewJob:
    options = {"job_id": f"demo-{name}", "if_exists": "update", "tags": ["demo"]} | options
    return NewJob(name=name, schedule=schedule, callback=callback, callback_args=args, **options)


def index(directory: str, database: str, target: str) -> dict[str, Any]:
    """Write down the sizes and SHA-256 of the files in a directory. Sync: runs in a worker thread."""
    found = index_directory(Path(directory), Path(database))
    found.write(Path(target))
    said = f"{counted(len(found.entries), 'file')}, {size(found.octets)}"
    if found.unreadable:
        said += f", {found.unreadable} unreadable"
    if found.is_cut:
        said += " (the rest left out: enough for a demo)"
    return {"success": True, "message": said, "files": len(found.entries), "bytes": found.octets}


def backup(database: str, target: str) -> str:
    """Copy the scheduler's own database while it works, and check the copy. Sync: runs in a worker thread."""
    tables = back_up(Path(database), Path(target))
    return f"{size(Path(target).stat().st_size)}, {counted(tables, 'table')}, integrity ok"


async def ask(attempt: int) -> str:
    """Wait as for a slow answer. Async: runs in the scheduler's own loop, and keeps nobody waiting."""
    await trio.sleep(_ANSWER_TAKES)
    return "answered" if attempt == 1 else f"answered, at attempt {attempt}"


def once() -> str:
    """A one-off, which a restart must not repeat."""
    return "done, once and for all"


def flaky(attempt: int) -> str:
    """Fail twice, and then succeed."""
    if attempt < _THIRD:
        raise ConnectionError(f"nobody there yet, at attempt {attempt}")
    return f"got through, at attempt {attempt}"
