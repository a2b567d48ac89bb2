"""Texts as PostgreSQL can hold them: it has no NUL, and Python has."""

from __future__ import annotations

from collections.abc import Iterable

from aurora_scheduler.stores.rows import Row

__all__ = ["held", "said"]

#: Stands before what it makes another character of: itself, and "0" for NUL.
_ESCAPE = "\x01"


def held(value: object) -> object:
    r"""A value as the database can hold it.

    >>> held("a\0b"), held("a\1b"), held("ab"), held(7)
    ('a\x010b', 'a\x01\x01b', 'ab', 7)
    """
    if isinstance(value, str) and (_ESCAPE in value or "\0" in value):
        return value.replace(_ESCAPE, _ESCAPE * 2).replace("\0", f"{_ESCAPE}0")
    return value


def said(rows: Iterable[Row]) -> list[Row]:
    """Rows of the database as they were said."""
    return [tuple(map(_said, row)) if any(map(_is_held, row)) else row for row in rows]


def _is_held(value: object) -> bool:
    return isinstance(value, str) and _ESCAPE in value


def _said(value: object) -> object:
    if not _is_held(value):
        return value
    assert isinstance(value, str)
    return _ESCAPE.join(part.replace(f"{_ESCAPE}0", "\0") for part in value.split(_ESCAPE * 2))
