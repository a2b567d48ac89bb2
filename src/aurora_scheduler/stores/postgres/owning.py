"""The locks of who fires the jobs, and of who writes: they end with the connection or transaction that has them."""

from __future__ import annotations

from aurora_scheduler.stores.postgres.connection import Connection

__all__ = ["LOCK_WRITER", "UNLOCK", "lock_as_owner", "owner_of"]

#: Which advisory lock the owner holds, and which who writes; the second key is the table's.
_OWNER, _WRITER = 0x61756F, 0x617577
_KEY = "'aurora_jobs'::regclass::oid::int"

LOCK_WRITER = f"SELECT pg_advisory_xact_lock({_WRITER}, {_KEY})"
UNLOCK = f"SELECT pg_advisory_unlock({_OWNER}, {_KEY})"


def lock_as_owner(sql: Connection) -> bool:
    """Try to take the owner's lock."""
    ((is_locked,),) = sql.find(f"SELECT pg_try_advisory_lock({_OWNER}, {_KEY})")
    return bool(is_locked)


def owner_of(sql: Connection) -> str | None:
    """Who has the owner's lock, as far as this role may know; None: nobody."""
    rows = sql.find(
        "SELECT host(client_addr), pg_stat_activity.pid FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND classid = {_OWNER} AND objid = 'aurora_jobs'::regclass::oid AND objsubid = 2"
    )
    for address, process in rows:
        where = f"at {address}" if address is not None else "on the server's machine"
        return f"a program {where}, served by the server's process {process},"
    return None
