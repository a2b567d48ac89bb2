"""PostgreSQL's errors in our words."""

from __future__ import annotations

import re
from types import TracebackType

import psycopg
from psycopg import errors

from aurora_scheduler.errors import StoreCorruptError, StoreError, StoreReadOnlyError, StoreUnavailableError

__all__ = ["translated"]


class translated:  # noqa: N801  # a word of the `with` statement
    """Within it, `StoreError` of the kind that fits is raised for what psycopg raises.

    While we connect, a server refuses without a code: whether that is for ever (a wrong password) or passes (it starts
    just now) cannot be told.
    """

    __slots__ = ("_is_connecting", "_place")

    def __init__(self, place: str, *, is_connecting: bool = False) -> None:
        self._place = place
        self._is_connecting = is_connecting

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say it in our words."""
        if isinstance(error, psycopg.Error):
            raise _translation(self._place, error, self._is_connecting) from error


#: The session was ended since it stood still amid a transaction, or that took too long; or has forgotten a statement.
_OVER = ("25P03", "25P04", "26000")


#: A table of ours, in a message of whatever language.
_OURS = re.compile(r"\baurora_\w+")


def _translation(place: str, error: psycopg.Error, is_connecting: bool) -> StoreError:
    told = " ".join(str(error).split())
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        look = "the role's rights, and whether the database is read-only (default_transaction_read_only, a standby)"
        return StoreReadOnlyError(place, f"it cannot be written ({_primary(error)}); look at {look}")
    if isinstance(error, errors.UndefinedTable) and (table := _OURS.search(told)):
        return StoreCorruptError(place, f"its table {table[0]} is missing; restore a backup")
    if isinstance(error, errors.UndefinedColumn):  # all columns that we name are ours
        return StoreCorruptError(place, f"a table is not as it was made ({_primary(error)}); restore a backup")
    if is_connecting and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreUnavailableError(place, f"it cannot be reached, or does not let us in ({told})")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or error.sqlstate in _OVER:
        return StoreUnavailableError(
            place, f"it cannot be reached, or has no time for us ({told}); trying again may help"
        )
    return StoreError(place, f"PostgreSQL reports {type(error).__name__}: {told}")


def _primary(error: psycopg.Error) -> str:
    """What the server says, without the statement."""
    return error.diag.message_primary or type(error).__name__
