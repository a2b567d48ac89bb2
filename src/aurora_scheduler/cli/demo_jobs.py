"""What the demonstration's jobs do: real work on real files."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

__all__ = ["back_up", "flaky", "index", "listen", "remind"]

_SKIPPED = frozenset({".git", ".hg", ".nox", ".venv", "node_modules", "__pycache__"})
_MOST_FILES, _MOST_BYTES = 1000, 40_000_000


def index(path: str) -> dict[str, Any]:
    """Sizes and SHA-256 of the files under a directory."""
    files, size, whole = 0, 0, hashlib.sha256()
    for file in _files(Path(path)):
        if files == _MOST_FILES or size > _MOST_BYTES:
            break
        try:
            content = file.read_bytes()
        except OSError:  # it went away, or is not ours to read
            continue
        whole.update(hashlib.sha256(content).digest())
        files += 1
        size += len(content)
    return {"success": True, "message": f"{files:,} files, {size:,} bytes, sha256 {whole.hexdigest()[:12]}…"}


def _files(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _SKIPPED)
        for name in sorted(files):
            file = Path(directory, name)
            if file.is_file() and file.stat().st_size <= _MOST_BYTES:
                yield file


def back_up(database: str, copy: str) -> dict[str, Any]:
    """An online backup of a database, while others write to it; checked, and then put in its place."""
    fresh = Path(f"{copy}.new")
    with (
        closing(sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(fresh)) as target,
    ):
        source.backup(target)
        (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
        (rows,) = target.execute("SELECT count(*) FROM aurora_executions").fetchone()
    os.replace(fresh, copy)
    return {"success": verdict == "ok", "message": f"{rows} executions copied, integrity {verdict}"}


def remind(text: str) -> dict[str, Any]:
    """A one-off."""
    return {"success": True, "message": text}


async def listen() -> dict[str, Any]:
    """An async callback, on the scheduler's own Trio loop."""
    await trio.sleep(0.2)
    return {"success": True, "message": "listened for 0.2 s without a thread"}


def flaky(attempt: int) -> dict[str, Any]:
    """Fails twice, then succeeds."""
    if attempt < 3:
        raise ConnectionError(f"no answer (attempt {attempt})")
    return {"success": True, "message": f"answered at attempt {attempt}"}
