"""`callback_args` as they are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aurora_scheduler.callbacks.json_text import NotJson, json_pieces
from aurora_scheduler.callbacks.texts import head, type_name
from aurora_scheduler.errors import ArgumentsError

__all__ = ["checked_arguments"]

_MOST = 1 << 20
#: So few arguments, so short and so small, are always accepted, and come back as they are.
_FEW, _SHORT, _SMALL = 20, 1000, 1 << 53
#: Beyond this nobody counts on: a small value that holds the same list a million times is endless as text.
_ENDLESS = 16 * _MOST


def checked_arguments(args: object, callback: object = None) -> dict[str, Any]:
    """The arguments as JSON gives them back: a deep copy of plain values. None is no arguments.

    Args:
        args: a mapping of names to JSON values, or None.
        callback: whom the arguments are for, as an error tells it.

    Raises:
        ArgumentsError: they are not JSON (it names the place, the type, and what to do instead), or over 1 MiB of it.

    >>> checked_arguments({"to": ("a@example.org",), "copies": 2})
    {'to': ['a@example.org'], 'copies': 2}
    """
    if args is None:
        return {}
    if type(args) is dict and len(args) <= _FEW and all(map(_is_plain, args, args.values())):
        return dict(args)
    if not isinstance(args, Mapping):
        reason = f"callback_args is of type {type_name(args)}; it must be a mapping of argument names to values"
        raise ArgumentsError(callback, reason)
    try:
        text, complete = head(json_pieces(args, "callback_args"), _ENDLESS)
    except NotJson as error:
        raise ArgumentsError(callback, str(error)) from None
    size = len(text.encode())
    if size > _MOST:
        told = f"{size:,} bytes" if complete else f"more than {_ENDLESS:,} bytes"
        reason = f"callback_args are {told} as JSON text, and {_MOST:,} is the most; keep what is large in a file"
        raise ArgumentsError(callback, f"{reason} or a table, and pass its name")
    checked: dict[str, Any] = json.loads(text)
    return checked


def _is_plain(key: object, value: object) -> bool:
    """Whether nothing is to be looked at, or made anew: a short text, a small number, a truth, or nothing."""
    if type(key) is not str or not key.isascii() or len(key) > _SHORT:
        return False
    if type(value) is str:
        return value.isascii() and len(value) <= _SHORT
    return value is None or type(value) is bool or (type(value) is int and -_SMALL < value < _SMALL)
