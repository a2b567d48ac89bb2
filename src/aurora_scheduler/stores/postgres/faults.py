"""PostgreSQL's errors in our words."""

from __future__ import annotations

from types import TracebackType

import psycopg
from psycopg import errors

from aurora_scheduler.errors import StoreError, StoreReadOnlyError, StoreUnavailableError

__all__ = ["translated"]


class translated:  # noqa: N801  # a word of the `with` statement
    """Within it, `StoreError` of the kind that fits is raised for what psycopg raises."""

    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say it in our words."""
        if isinstance(error, psycopg.Error):
            raise _translation(self._place, error) from error


#: The session was ended since it stood still amid a transaction, or that took too long; or has forgotten a statement.
_OVER = ("25P03", "25P04", "26000")


def _translation(place: str, error: psycopg.Error) -> StoreError:
    told = " ".join(str(error).split())
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return StoreReadOnlyError(place, f"it cannot be written ({told}); look at the role's rights")
    if isinstance(error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification):
        return StoreError(place, f"it does not let us in ({told}); look at user and password")
    if isinstance(error, errors.InvalidCatalogName):
        return StoreError(place, f"there is no such database ({told})")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or error.sqlstate in _OVER:
        return StoreUnavailableError(
            place, f"it cannot be reached, or has no time for us ({told}); trying again may help"
        )
    return StoreError(place, f"PostgreSQL reports {type(error).__name__}: {told}")
