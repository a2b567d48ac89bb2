"""A whole database is moved to another place, of whatever kind: jobs, history, changes; each row is compared."""

from __future__ import annotations

from aurora_scheduler.errors import StoreError
from aurora_scheduler.stores.places import examine, open_store
from aurora_scheduler.stores.tables import copy_rows

__all__ = ["move"]

#: What owns the source meanwhile, so that nobody begins to fire its jobs.
_MOVER = "it is being copied"


def move(source: str, target: str) -> dict[str, int]:
    """Copy all of `source`, a database that nobody fires, into `target`, which has nothing of ours: rows by table.

    All or nothing is written. The source stays as it is. Raises `StoreError`.
    """
    if open_store(source).path == open_store(target).path:
        raise StoreError(open_store(target).path, "it is the one that is to be copied; give a new one")
    fires = examine(source).owner
    if fires is not None:
        raise StoreError(open_store(source).path, f"{fires}; stop it first, so that nothing is fired from both")
    ours, theirs = open_store(source), open_store(target)
    ours.open()
    try:
        if not ours.own(_MOVER):
            raise StoreError(ours.path, "another process fires its jobs; stop it first")
        theirs.open()
        try:
            with ours.transaction(), theirs.transaction():
                return copy_rows(ours.tables, theirs.tables, theirs.path)
        finally:
            theirs.close()
    finally:
        ours.close()
