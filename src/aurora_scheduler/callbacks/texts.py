"""Any object as a text that can be stored: never raises, never grows without bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

__all__ = ["cut", "head", "repr_pieces", "storable", "text_of", "type_name"]

_DEEPEST = 50


def type_name(value: object) -> str:
    """The name of the value's class. Asks `type` itself: a class may lie about its name, or raise.

    >>> type_name(1.5)
    'float'
    """
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name


def storable(text: str) -> str:
    r"""The text as every database takes it: lone surrogates and NUL characters are escaped.

    >>> storable("caf\udce9")
    'caf\\udce9'
    """
    plain = str.__str__(text)  # of a subclass, the characters and nothing else
    return plain.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def cut(text: str, most: int) -> str:
    """The text, storable and at most `most` bytes long in UTF-8; an ellipsis stands where it was cut.

    >>> cut("a long story", 8)
    'a lon…'
    """
    data = storable(str.__str__(text)[: most + 1]).encode()
    if len(data) <= most:
        return data.decode()
    return data[: most - len("…".encode())].decode("utf-8", "ignore") + "…"


def text_of(value: object, how: Callable[[Any], str] = str) -> str:
    """`str(value)`, or what else `how` makes of it; a sentence where that raises, whatever it raises.

    >>> text_of(1.5)
    '1.5'
    """
    try:
        return storable(how(value))
    except BaseException as error:  # an odd object must not become an odd failure of the scheduler
        kind = "repr" if how is repr else "text"
        return f"<{type_name(value)} whose {kind} cannot be had: {type_name(error)}>"


def head(pieces: Iterable[str], most: int) -> tuple[str, bool]:
    """As many pieces as reach beyond `most` characters, joined; and whether that was all.

    >>> head(["abc", "def", "ghi"], 5)
    ('abcdef', False)
    """
    taken: list[str] = []
    length = 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > most:
            return "".join(taken), False
    return "".join(taken), True


def repr_pieces(value: object, most: int) -> Iterator[str]:
    """`repr(value)`, piece by piece, so that who has enough of a huge container can stop.

    >>> "".join(repr_pieces({"a": [1, (2,)]}, 100))
    "{'a': [1, (2,)]}"
    """
    return _repr(value, most, ())


def _repr(value: Any, most: int, above: tuple[int, ...]) -> Iterator[str]:
    kind = type(value)
    if kind in _BRACKETS:
        left, right = _BRACKETS[kind]
        if id(value) in above or len(above) == _DEEPEST:
            yield f"{left}...{right}"
            return
        above = (*above, id(value))
        items = (_item(key, value[key], most, above) for key in value) if kind is dict else (
            _repr(item, most, above) for item in value
        )  # fmt: skip
        yield left
        for number, item in enumerate(items):
            yield from chain([", "] if number else [], item)
        yield f",{right}" if kind is tuple and len(value) == 1 else right
    elif kind in (str, bytes, bytearray):
        yield text_of(value[: most + 1], repr)
    else:
        yield text_of(value, repr)


def _item(key: object, value: object, most: int, above: tuple[int, ...]) -> Iterator[str]:
    yield from chain(_repr(key, most, above), [": "], _repr(value, most, above))


_BRACKETS: dict[type, tuple[str, str]] = {dict: ("{", "}"), list: ("[", "]"), tuple: ("(", ")")}
