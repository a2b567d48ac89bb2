"""A block of the `with` statement, made of what is done before it and after it.

What `contextlib.contextmanager` does, in a fourth of its time: every firing enters several.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

__all__ = ["Block"]


class Block:
    """Calls `begin`, then `end` with the error that the block was left with, or None.

    `end` raises what its caller shall hear: the error itself, or another. Where it returns, nothing went wrong.
    """

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[BaseException | None], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        """What comes before."""
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What comes after, however the block was left."""
        self._end(error)
