"""NOTIFY and LISTEN: whoever changes a job, or leaves one to others, has all hear of it."""

from __future__ import annotations

from aurora_scheduler.stores.postgres.connection import Connection

__all__ = ["NOTIFY", "PostgresListener"]

_CHANNEL = "aurora_changes"
NOTIFY = f"NOTIFY {_CHANNEL}"


class PostgresListener:
    """A connection that only listens. See `aurora_scheduler.ports.Listener`."""

    def __init__(self, url: str, place: str) -> None:
        self._url = url
        self._place = place
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect, and listen."""
        self._connection = Connection(self._url, self._place)
        self._connection.do(f"LISTEN {_CHANNEL}")

    def fileno(self) -> int:
        """What becomes readable."""
        assert self._connection is not None
        return self._connection.fileno()

    def has_heard(self) -> bool:
        """Whether there was something."""
        assert self._connection is not None
        return self._connection.has_heard()

    def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
