"""NOTIFY and LISTEN: whoever changes a job, or leaves one to others, has all hear of it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from aurora_scheduler.stores.postgres.connection import Connection

__all__ = ["NOTIFY", "PostgresListener", "hear_changes"]

_CHANNEL = "aurora_changes"
NOTIFY = f"NOTIFY {_CHANNEL}"


def hear_changes(sql: Connection) -> None:
    """Listen for them."""
    sql.do(f"LISTEN {_CHANNEL}")


class PostgresListener:
    """A connection that only listens. See `aurora_scheduler.ports.Listener`.

    `begin` has it listen to something; what comes from a connection among `own` is nothing new.
    """

    def __init__(self, url: str, place: str, begin: Callable[[Connection], None], own: Collection[int] = ()) -> None:
        self._url = url
        self._place = place
        self._begin = begin
        self._own = own
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect, and listen."""
        self._connection = Connection(self._url, self._place)
        self._begin(self._connection)

    def fileno(self) -> int:
        """What becomes readable."""
        assert self._connection is not None
        return self._connection.fileno()

    def heard(self) -> list[str]:
        """What there was."""
        assert self._connection is not None
        return [text for text, pid in self._connection.heard() if pid not in self._own]

    def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
