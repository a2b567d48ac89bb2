"""JSON text, strictly and lazily: a value that is not JSON is refused with its place, a huge one can be left midway.

The standard library's encoder takes more than comes back: it makes texts of numbers that are keys, and writes NaN,
which is no JSON, and lone surrogates, which no database takes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from os import PathLike
from typing import Any

from aurora_scheduler.callbacks.texts import cut, type_name

__all__ = ["NotJson", "json_pieces"]

_DEEPEST = 100
_PIECE = 1 << 16

#: What to do instead, by type; the first that fits.
_ADVICE: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((date, time), "pass its .isoformat() and parse it in the callback"),
    (timedelta, "pass its .total_seconds()"),
    ((set, frozenset), "pass a list: sorted(...)"),
    ((bytes, bytearray, memoryview), "pass its .decode(), or base64 text"),
    ((Decimal, PathLike), "pass its text: str(...)"),
    (Enum, "pass its .value"),
)


class NotJson(ValueError):
    """A value that is not JSON; its text names the place, the type, and what to do instead."""


def json_pieces(value: object, place: str) -> Iterator[str]:
    """The JSON text of a value, piece by piece. Tuples are arrays, any mapping is an object.

    Raises:
        NotJson: on the way, at the first thing that is not JSON. `place` is how it calls the whole.

    >>> "".join(json_pieces({"a": (1, None)}, "value"))
    '{"a":[1,null]}'
    """
    return _write(value, place, ())


def _write(value: Any, place: str, above: tuple[int, ...]) -> Iterator[str]:
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield from _string(str.__str__(value), place)
    elif isinstance(value, int):
        yield _integer(value, place)
    elif isinstance(value, float):
        yield _number(value, place)
    elif isinstance(value, Mapping | list | tuple):
        inside = _entered(value, place, above)
        yield from _object(value, place, inside) if isinstance(value, Mapping) else _array(value, place, inside)
    else:
        raise NotJson(f"{place} is of type {type_name(value)}, which is not JSON; {_advice(value)}")


def _entered(value: object, place: str, above: tuple[int, ...]) -> tuple[int, ...]:
    if id(value) in above:
        raise NotJson(f"{place} contains itself; JSON has no cycles: pass a copy without the reference back")
    if len(above) == _DEEPEST:
        raise NotJson(f"{cut(place, 100)} is nested more than {_DEEPEST} levels deep; pass something flatter")
    return (*above, id(value))


def _object(value: Mapping[Any, Any], place: str, inside: tuple[int, ...]) -> Iterator[str]:
    before = "{"
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotJson(f"{place} has a key of type {type_name(key)}; keys in JSON are text: use str(...)")
        key = str.__str__(key)
        yield before
        yield from _string(key, f"a key in {place}")
        yield ":"
        yield from _write(item, f'{place}["{cut(key, 40)}"]', inside)
        before = ","
    yield "{}" if before == "{" else "}"


def _array(value: list[Any] | tuple[Any, ...], place: str, inside: tuple[int, ...]) -> Iterator[str]:
    yield "["
    for index, item in enumerate(value):
        if index:
            yield ","
        yield from _write(item, f"{place}[{index}]", inside)
    yield "]"


def _string(value: str, place: str) -> Iterator[str]:
    yield '"'
    for start in range(0, len(value), _PIECE):
        piece = value[start : start + _PIECE]
        try:
            piece.encode()
        except UnicodeEncodeError as error:
            raise NotJson(
                f"{place} is text with a lone surrogate (character {start + error.start}), which cannot be stored; "
                'clean it: text.encode("utf-8", "backslashreplace").decode()'
            ) from None
        yield encode_basestring(piece)[1:-1]
    yield '"'


def _integer(value: int, place: str) -> str:
    try:
        return int.__repr__(value)  # of an IntEnum, the number
    except ValueError:
        raise NotJson(f"{place} is an int of more digits than Python reads back; pass hex(...)") from None


def _number(value: float, place: str) -> str:
    if not math.isfinite(value):
        raise NotJson(f"{place} is {float.__repr__(value)}, which JSON does not have; pass None, or a text")
    return float.__repr__(value)


def _advice(value: object) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "pass dataclasses.asdict(...)"
    fitting = (advice for types, advice in _ADVICE if isinstance(value, types))
    return next(fitting, "pass text, numbers, lists and dicts, or a key by which the callback finds it")
