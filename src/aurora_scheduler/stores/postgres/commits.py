"""Whether a transaction took effect whose commit was not answered: the server knows, by the transaction's number.

After a crash it gives numbers anew that were not written down yet. So a crash has to be seen: it empties a table that
is not logged, as does a failover, and who connects next writes another id into it.
"""

from __future__ import annotations

from aurora_scheduler.stores.postgres.connection import Connection

__all__ = ["became", "life"]

_BEGIN = "INSERT INTO aurora_life (id) SELECT gen_random_uuid() ON CONFLICT DO NOTHING"
_LIFE = "SELECT id::text FROM aurora_life"
#: What is not given yet was given before a crash.
_STATUS = (
    "SELECT CASE WHEN %s::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status(%s::xid8)"
    " ELSE 'aborted' END"
)


def life(sql: Connection) -> str:
    """Which of its lives the server is in: from one crash to the next."""
    found = sql.find(_LIFE)
    if not found:
        sql.do(_BEGIN)
        found = sql.find(_LIFE)
    return str(found[0][0])


def became(sql: Connection, transaction: str, begun_in: str) -> bool | None:
    """Whether the transaction of this number was committed, which has ended; None: that cannot be known."""
    ((status,),) = sql.find(_STATUS, transaction, transaction)
    if status == "committed":
        return True if life(sql) == begun_in else None
    return False
