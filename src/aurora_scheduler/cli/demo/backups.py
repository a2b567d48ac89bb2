"""An online backup of an SQLite database that others write meanwhile, and a look whether it is whole."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["back_up", "tables_in"]


def back_up(source: Path, target: Path) -> int:
    """Copy the database as it is at one instant; the number of tables in the copy.

    The source is opened for reading only: the copying holds up no writer, and the closing cannot checkpoint. Who
    looks at `target` sees the last complete copy, whenever this process dies.

    Raises:
        sqlite3.Error: the source cannot be read, or the copy is not whole.
    """
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    opened = closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True))
    with opened as reading, closing(sqlite3.connect(partial)) as copy:
        reading.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file, without a log beside it
    tables = tables_in(partial)
    os.replace(partial, target)
    return tables


def tables_in(copy: Path) -> int:
    """The number of tables in a database that nobody writes.

    Raises:
        sqlite3.Error: it is no database, or damaged.
    """
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as sql:
        (verdict,) = sql.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
        (tables,) = sql.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
    return int(tables)
