"""Texts as PostgreSQL can hold them: it has no NUL, and Python has. And values as they stand in a statement."""

from __future__ import annotations

from collections.abc import Iterable

from aurora_scheduler.stores.rows import Row

__all__ = ["held", "literal", "said"]

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


def literal(value: object) -> str:
    """A number, a text, or a list of numbers, texts and None, as it stands in a statement.

    For a connection with `standard_conforming_strings`, in which a backslash is one. psycopg makes it, too, and takes
    five times as long.

    >>> print(literal(["it's", None, 7]))
    '{"it''s",NULL,7}'
    """
    if value.__class__ is int:
        return str(value)
    text = f"{{{','.join([_element(each) for each in value])}}}" if isinstance(value, list) else str(held(value))
    return "'" + text.replace("'", "''") + "'"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if value.__class__ is int:
        return str(value)
    text = str(held(value))
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


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
