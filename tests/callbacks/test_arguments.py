"""`callback_args` are JSON, or refused with the place and the way out."""

from __future__ import annotations

import json
from collections import OrderedDict, UserDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.callbacks import checked_arguments
from aurora_scheduler.errors import ArgumentsError

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(texts, inner),
    max_leaves=30,
)


@given(st.dictionaries(texts, json_values))
def test_whatever_is_json_comes_back_as_json_gives_it_back(args):
    assert checked_arguments(args) == json.loads(json.dumps(args))


def test_no_arguments_are_an_empty_mapping():
    assert checked_arguments(None) == {} == checked_arguments({})


class Pair(NamedTuple):
    a: int
    b: int


class Colour(IntEnum):
    RED = 1


class Word(StrEnum):
    YES = "yes"


class Mixed(str, Enum):  # noqa: UP042
    """The way before StrEnum."""

    YES = "yes"


class Text(str):  # noqa: SLOT000
    """With a text of its own, which is not what it is."""

    def __str__(self):
        return "other"

    def __len__(self):
        return 0


class Ratio(float):
    def __repr__(self):
        return "a half"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, 1),
        (Word.YES, "yes"),
        (Mixed.YES, "yes"),
        (Text("yes"), "yes"),
        (Ratio(0.5), 0.5),
        (True, True),
        ((1, (2, [3])), [1, [2, [3]]]),
        (Pair(1, 2), [1, 2]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        ({Word.YES: 1}, {"yes": 1}),
        (10**400, 10**400),
        (-0.0, -0.0),
        (1e308, 1e308),
        ("\0\x1f\x7f\u2028😀", "\0\x1f\x7f\u2028😀"),
    ],
)
def test_kinds_of_plain_values_become_plain(value, plain):
    checked = checked_arguments({"value": value})["value"]
    assert repr(checked) == repr(plain)
    assert type(checked) is type(plain)


def test_what_is_stored_is_a_copy():
    inner = [1]
    args = {"a": inner}
    checked = checked_arguments(args)
    inner.append(2)
    args["b"] = []
    assert checked == {"a": [1]}


@pytest.mark.parametrize("args", [[], [("a", 1)], "a=1", b"{}", 1, True, {"a"}, object()])
def test_arguments_that_are_no_mapping_are_refused(args):
    with pytest.raises(ArgumentsError, match=f"callback_args is of type {type(args).__name__}; it must be a mapping"):
        checked_arguments(args)


@dataclass
class Point:
    x: int


class Plain(Enum):
    A = 1


def cyclic_list():
    value: list[Any] = [1]
    value.append(value)
    return value


def cyclic_dict():
    value: dict[str, Any] = {}
    value["back"] = [value]
    return value


def nested(levels):
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2030, 1, 1, tzinfo=UTC), r"\.isoformat\(\)"),
        (date(2030, 1, 1), r"\.isoformat\(\)"),
        (time(1), r"\.isoformat\(\)"),
        (timedelta(1), r"\.total_seconds\(\)"),
        ({1}, r"is of type set, .*sorted"),
        (frozenset(), r"is of type frozenset, .*sorted"),
        (b"x", r"is of type bytes, .*base64"),
        (bytearray(), r"base64"),
        (Decimal(1), r"str\(\.\.\.\)"),
        (Path("x"), r"str\(\.\.\.\)"),
        (Plain.A, r"\.value"),
        (Point(1), r"dataclasses\.asdict"),
        (Point, r"is of type type, which is not JSON; pass text"),
        (deque(), r"is of type deque, which is not JSON; pass text"),
        (range(3), r"is of type range"),
        (1j, r"is of type complex"),
        (object(), r"is of type object"),
        (print, r"is of type builtin_function_or_method"),
        (float("nan"), r"is nan, which JSON does not have"),
        (float("inf"), r"is inf"),
        (-float("inf"), r"is -inf"),
        (10**5000, r"more digits"),
        ("a\ud800", r"lone surrogate \(character 1\)"),
        ("x" * 100_000 + "\udfff", r"lone surrogate \(character 100000\)"),
        (nested(100), r"more than 100 levels"),
        (nested(100_000), r"more than 100 levels"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_is_refused_with_its_place_and_the_way_out(value, told):
    with pytest.raises(ArgumentsError, match=r'(?s)callback_args\["a"\]\[2\].*' + told) as caught:
        checked_arguments({"a": [0, 1, value]}, "package.module:function")
    assert "'package.module:function'" in str(caught.value)
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({1: 2}, "callback_args has a key of type int"),
        ({None: 2}, "callback_args has a key of type NoneType"),
        ({"a": [{"b": {(1,): 2}}]}, r'callback_args\["a"\]\[0\]\["b"\] has a key of type tuple'),
        ({"a\ud800": 1}, "a key in callback_args is text with a lone surrogate"),
        ({"x" * 1000: {1}}, r'callback_args\["x{37}…"\] is of type set'),
    ],
)
def test_keys_are_text_at_any_depth(args, told):
    with pytest.raises(ArgumentsError, match=told):
        checked_arguments(args)


@pytest.mark.parametrize("value", [cyclic_list(), cyclic_dict()], ids=["list", "dict"])
def test_what_contains_itself_is_refused(value):
    with pytest.raises(ArgumentsError, match="contains itself"):
        checked_arguments({"a": value})


def test_what_is_there_twice_does_not_contain_itself():
    shared = [1]
    assert checked_arguments({"a": [shared, shared], "b": shared}) == {"a": [[1], [1]], "b": [1]}


def test_arguments_are_at_most_a_mebibyte_in_utf_8():
    room = (1 << 20) - len('{"a":""}')
    assert checked_arguments({"a": "x" * room})
    with pytest.raises(ArgumentsError, match="1,048,577 bytes as JSON text"):
        checked_arguments({"a": "x" * (room + 1)})
    with pytest.raises(ArgumentsError, match="1,200,008 bytes as JSON text"):
        checked_arguments({"a": "ä" * 600_000})


def test_a_small_value_that_is_endless_as_text_is_refused_in_good_time():
    value: Any = ["x" * 1000]
    for _ in range(60):
        value = [value] * 10
    with pytest.raises(ArgumentsError, match="more than 16,777,216 bytes"):
        checked_arguments({"a": value})
