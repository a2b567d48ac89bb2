"""Whatever a callback returns or raises becomes a value that can be stored."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import sys
import tracemalloc
import warnings
import weakref
from collections import UserDict
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
import trio
import trio.lowlevel
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.callbacks import raised, returned
from aurora_scheduler.model import ExecutionStatus, Outcome

KIB = 1024
SUCCEEDED, FAILED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED


def assert_storable(outcome) -> Any:
    """What every outcome promises to the store."""
    assert isinstance(outcome, Outcome)
    assert outcome.status in (SUCCEEDED, FAILED)
    assert type(outcome.result) is dict
    assert outcome.result["success"] is (outcome.status is SUCCEEDED)
    text = json.dumps(outcome.result, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    assert len(text.encode()) <= 64 * KIB
    assert (outcome.error is None) is (outcome.status is SUCCEEDED)
    assert len((outcome.error or "").encode()) <= 4 * KIB
    assert len((outcome.traceback or "").encode()) <= 32 * KIB
    for column in (outcome.error, outcome.traceback):
        assert "\0" not in (column or "")
    return outcome


# Returned. --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, {"success": True}),
        ({}, {"success": True}),
        ({"message": "sent"}, {"success": True, "message": "sent"}),
        ({"success": 1, "rows": (1, 2)}, {"success": True, "rows": [1, 2]}),
        (UserDict(success="yes", a=1), {"success": True, "a": 1}),
        ("done", {"success": True, "message": "done"}),
        (42, {"success": True, "message": "42"}),
        (False, {"success": True, "message": "False"}),
        ([1, "a", (2,), {"b": b"c"}], {"success": True, "message": "[1, 'a', (2,), {'b': b'c'}]"}),
        ((), {"success": True, "message": "()"}),
        (b"raw", {"success": True, "message": "b'raw'"}),
        (ValueError("kept"), {"success": True, "message": "kept"}),
        ("caf\udce9", {"success": True, "message": "caf\\udce9"}),
    ],
)
def test_what_means_success_is_kept(value, result):
    outcome = assert_storable(returned(value))
    assert outcome == Outcome(status=SUCCEEDED, result=result)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"success": False, "error": "no host"}, "no host"),
        ({"success": False, "message": "no host"}, "no host"),
        ({"success": False, "error": "no host", "message": "sorry"}, "no host"),
        ({"success": False, "error": None, "message": "sorry"}, "sorry"),
        ({"success": False, "error": "", "message": "sorry"}, "sorry"),
        ({"success": False, "error": 404}, "404"),
        ({"success": False, "error": ["a", 1]}, "['a', 1]"),
        ({"success": 0}, "the callback returned success=False and gave no reason"),
        ({"success": None}, "the callback returned success=False and gave no reason"),
        ({"success": False, "error": ""}, "the callback returned success=False and gave no reason"),
    ],
)
def test_a_mapping_that_says_so_is_a_failure(value, error):
    outcome = assert_storable(returned(value))
    assert (outcome.status, outcome.error) == (FAILED, error)
    assert outcome.result == {**value, "success": False}


def test_a_mapping_that_is_not_json_is_kept_as_its_repr_and_flagged():
    value = {"message": "sent", "when": date(2030, 1, 1), "error": 7}
    assert assert_storable(returned(value)).result == {
        "success": True,
        "message": "sent",
        "repr": "{'success': True, 'message': 'sent', 'when': datetime.date(2030, 1, 1), 'error': 7}",
        "flags": ["not_json"],
    }


@pytest.mark.parametrize("odd", [{1: 2}, {"a": float("nan")}, {"a": "\ud800"}, {"a": {1}}, {"a": 10**5000}])
def test_what_json_does_not_have_is_flagged(odd):
    outcome = assert_storable(returned({"success": False, "error": "why", **odd}))
    assert outcome.error == "why"
    assert outcome.result["flags"] == ["not_json"]
    assert outcome.result["error"] == "why"


def test_a_long_mapping_keeps_its_first_part_and_is_flagged():
    result = assert_storable(returned({"message": "m", "rows": ['"quoted"'] * 100_000})).result
    assert result["flags"] == ["cut"]
    assert result["message"] == "m"
    assert result["text"].startswith('{"success":true,"message":"m","rows":["\\"quoted\\""')
    assert len(json.dumps(result)) > 63 * KIB


def test_a_long_mapping_that_is_not_json_has_both_flags():
    result = assert_storable(returned({"success": False, "rows": [date(2030, 1, 1)] * 100_000})).result
    assert result["flags"] == ["not_json", "cut"]
    assert result["repr"].startswith("{'success': False, 'rows': [datetime.date(2030, 1, 1), datetime")


@pytest.mark.parametrize("size", [64 * KIB - 30, 64 * KIB - 29, 64 * KIB + 1])
@pytest.mark.parametrize("character", ["x", "ä", "😀", "\n", "\0", '"'])
def test_the_limit_is_one_of_bytes_of_json_text(size, character):
    for value in (character * size, {"message": character * size}, {"k": character * size}, [character * size]):
        result = assert_storable(returned(value)).result
        fits = len(json.dumps({"success": True, **(value if isinstance(value, dict) else {"message": str(value)})},
                              ensure_ascii=False, separators=(",", ":")).encode()) <= 64 * KIB  # fmt: skip
        if character != "\0":  # NUL has no place in a text column, and is escaped there
            assert ("flags" not in result) or (result["flags"] == ["cut"] and not fits)


def test_a_message_that_just_fits_is_not_cut():
    room = 64 * KIB - len('{"success":true,"message":""}')
    assert returned("x" * room).result == {"success": True, "message": "x" * room}


@pytest.mark.parametrize(
    "huge",
    [
        "x" * 50_000_000,
        b"\0" * 20_000_000,
        [None] * 5_000_000,
        {"a": "x" * 50_000_000},
        {"a": [None] * 5_000_000},
        {"a": [[{1}] * 1000] * 5_000},
        {"success": False, "error": "x" * 50_000_000},
    ],
    ids=["text", "bytes", "list", "mapping with a text", "mapping with a list", "not json", "error"],
)
def test_a_huge_result_costs_little(huge):
    tracemalloc.start()
    try:
        assert_storable(returned(huge))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # An error's own text is copied whole before it is cut; nothing grows beyond that.
    assert peak < (150_000_000 if isinstance(huge, dict) and "error" in huge else 5_000_000)


def laughs():
    value: Any = "ha"
    for _ in range(60):
        value = [value] * 10
    return value


def nested(levels, leaf):
    for _ in range(levels):
        leaf = [leaf]
    return leaf


def cyclic():
    value: Any = {"a": [1]}
    value["a"].append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [laughs(), {"a": laughs()}, nested(100_000, 0), {"a": nested(100_000, 0)}, cyclic(), [cyclic()]],
    ids=["laughs", "laughs in a mapping", "deep", "deep in a mapping", "cyclic", "cyclic in a list"],
)
def test_what_has_no_end_is_cut(value):
    assert assert_storable(returned(value)).status is SUCCEEDED


def test_the_text_of_builtin_containers_is_that_of_python():
    value = [(), (1,), {}, {"a": [], 2: (3, 4)}, "q'uo\"te", b"x", 1.5, None, bytearray(b"y")]
    assert returned(value).result == {"success": True, "message": str(value)}
    inside: list[Any] = [1]
    inside.append(inside)
    assert returned(inside).result == {"success": True, "message": str(inside)}


async def coroutine(): ...


async def async_generator():
    yield 1


def generator():
    yield 1


class Awaitable:
    def __await__(self):
        yield


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (coroutine, "declare it `async def`"),
        (generator, "without `yield`"),
        (async_generator, "without `yield`"),
        (Awaitable, "declare it `async def`"),
    ],
)
def test_work_that_was_not_done_is_a_failure(function, told):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = assert_storable(returned(function()))
        gc.collect()
    assert outcome.status is FAILED
    assert told in outcome.error


def test_a_coroutine_that_somebody_awaits_already_is_left_to_them():
    async def work():
        await trio.lowlevel.checkpoint()
        return "done"

    running = work()
    running.send(None)
    assert returned(running).status is FAILED
    assert inspect.getcoroutinestate(running) == inspect.CORO_SUSPENDED
    running.close()


# Raised. ----------------------------------------------------------------------------------------------------------


def caught(function, *args):
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError


def throw(error):
    raise error


class Quit(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (Quit("enough"), "Quit: enough"),
        (OSError(2, "No such file", "caf\udce9"), "FileNotFoundError: [Errno 2] No such file: 'caf\\udce9'"),
        (ValueError("nul \0, lone \ud800"), "ValueError: nul \\x00, lone \\ud800"),
    ],
)
def test_an_exception_is_told_by_type_and_message(error, told):
    outcome = assert_storable(raised(caught(throw, error)))
    assert outcome.status is FAILED
    assert outcome.error == told
    assert outcome.result == {"success": False, "error": told}
    assert outcome.traceback.startswith("Traceback (most recent call last):\n")
    assert "raise error" in outcome.traceback


def test_causes_and_notes_are_in_the_traceback():
    def work():
        try:
            throw(KeyError("first"))
        except KeyError as error:
            failure = ValueError("second")
            failure.add_note("while counting")
            raise failure from error

    traceback = assert_storable(raised(caught(work))).traceback
    places = [traceback.index(text) for text in ("KeyError: 'first'", "direct cause", "ValueError: second")]
    assert places == sorted(places)
    assert traceback.endswith("while counting\n")


def test_an_exception_group_is_a_tree():
    inner = ExceptionGroup("inner", [KeyError("k"), OSError("disk")])
    outcome = assert_storable(raised(caught(throw, ExceptionGroup("both", [ValueError("v"), inner]))))
    assert outcome.error == "ExceptionGroup: both (2 sub-exceptions)"
    for line in (
        "  | ExceptionGroup: both",
        "    | ValueError: v",
        "    | ExceptionGroup: inner",
        "      | OSError: disk",
    ):
        assert line in outcome.traceback


def test_how_the_scheduler_called_the_callback_is_left_out():
    namespace = {"__name__": "aurora_scheduler.engine.runners"}
    exec(compile("def call(function):\n    function()", "runners.py", "exec"), namespace)
    error = caught(namespace["call"], lambda: throw(ValueError("x")))
    error.__traceback__ = error.__traceback__.tb_next  # without the frame of this test
    traceback = assert_storable(raised(error)).traceback
    assert "runners.py" not in traceback
    assert "throw" in traceback


def test_an_error_of_the_schedulers_own_keeps_the_place_it_comes_from():
    namespace = {"__name__": "aurora_scheduler.engine.runners"}
    exec(compile("def call():\n    1 / 0", "runners.py", "exec"), namespace)
    error = caught(namespace["call"])
    error.__traceback__ = error.__traceback__.tb_next
    assert "runners.py" in assert_storable(raised(error)).traceback


def test_a_long_traceback_keeps_its_first_line_and_its_end():
    def descend(depth):
        return throw(ValueError("the bottom " + "ä" * 2000)) if depth == 0 else ascend(depth)

    def ascend(depth):
        descend(depth - 1)

    outcome = assert_storable(raised(caught(descend, 300)))
    lines = outcome.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "of which this is the end" in lines[1]
    assert lines[-1].startswith("ValueError: the bottom ä")
    assert len(outcome.traceback.encode()) > 31 * KIB


def test_a_long_message_is_cut():
    outcome = assert_storable(raised(caught(throw, ValueError("x" * 10_000_000))))
    assert outcome.error.startswith("ValueError: xxx")
    assert outcome.error.endswith("x…")
    assert len(outcome.error.encode()) == 4 * KIB


def test_endless_recursion_is_an_error_like_another():
    def descend():
        descend()

    assert assert_storable(raised(caught(descend))).error.startswith("RecursionError: maximum recursion depth")


async def asyncio_sleep():
    await asyncio.sleep(1)


async def asyncio_checkpoint():
    await asyncio.sleep(0)


async def asyncio_lock():
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def asyncio_wait():
    await asyncio.wait_for(asyncio_checkpoint(), 1)


async def asyncio_in_a_nursery():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asyncio_sleep)


@pytest.mark.parametrize(
    "function", [asyncio_sleep, asyncio_checkpoint, asyncio_lock, asyncio_wait, asyncio_in_a_nursery]
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_asyncio_code_under_trio_is_told_where_to_run(function):
    error = caught(trio.run, function)
    assert assert_storable(raised(error)).error.endswith('give its job runner="app")')
    del error
    gc.collect()


def test_the_way_out_is_told_after_a_long_message_too():
    outcome = assert_storable(raised(RuntimeError("no running event loop" + "x" * 10_000)))
    assert outcome.error.endswith('give its job runner="app")')


@pytest.mark.parametrize(
    "error", [RuntimeError("a running event loop"), TypeError("asyncio"), AttributeError("create_future")]
)
def test_other_errors_get_no_advice_about_asyncio(error):
    assert "runner" not in assert_storable(raised(error)).error


def test_the_exception_is_let_go():
    class Kept: ...

    def work():
        kept = Kept()
        references.append(weakref.ref(kept))
        raise ValueError("x")  # not by `throw`, whose frame would hold the error that holds the frame

    references: list[weakref.ref] = []
    gc.disable()
    try:
        try:
            work()
        except ValueError as error:
            outcome = raised(error)
        assert references[0]() is None
    finally:
        gc.enable()
    assert_storable(outcome)


# Strangers' objects. ----------------------------------------------------------------------------------------------


def raiser(error):
    def method(*args, **kwargs):
        raise error

    return method


SPECIAL = [
    "__str__", "__repr__", "__bool__", "__len__", "__iter__", "__getitem__", "__contains__", "__eq__", "__hash__",
    "__getattribute__", "__format__", "__bytes__", "__class__", "__dict__", "__traceback__", "__notes__", "__cause__",
    "keys", "items", "get", "close", "exceptions", "encode",
]  # fmt: skip
ERRORS = [ValueError("x"), SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RecursionError(), StopIteration()]
methods = st.dictionaries(
    st.sampled_from(SPECIAL),
    st.one_of(
        st.sampled_from(ERRORS).map(raiser),
        st.sampled_from(ERRORS).map(lambda error: property(raiser(error))),
        st.sampled_from([42, "\ud800", "x" * 100_000, None, []]).map(lambda value: lambda *args: value),
    ),
    max_size=6,
)


class AnyMapping(Mapping):
    def __getitem__(self, key):
        return {"success": False}[key]

    def __iter__(self):
        return iter(["success"])

    def __len__(self):
        return 1


def made(base, namespace, *args):
    try:
        return type("Hostile", (base,), namespace)(*args)
    except BaseException:
        return type("Hostile", (base,), {"__str__": namespace.get("__str__", base.__str__)})(*args)


returned_strangers = st.one_of(
    st.builds(made, st.sampled_from([object, dict, list, str, int, AnyMapping, UserDict, tuple]), methods),
    st.binary(),
    st.text(st.characters()),
    st.dictionaries(st.text(st.characters()), st.text(st.characters())),
)


@given(st.one_of(returned_strangers, st.dictionaries(st.sampled_from(["success", "error", "a"]), returned_strangers)))
def test_whatever_is_returned_becomes_an_outcome(value):
    assert_storable(returned(value))


@given(st.builds(made, st.sampled_from([Exception, BaseException, OSError, SystemExit, UserWarning]), methods))
def test_whatever_is_raised_becomes_an_outcome(error):
    assert_storable(raised(error))
    assert_storable(returned(error))


@given(st.builds(made, st.just(Exception), methods))
def test_a_stranger_in_a_group_or_as_a_cause_becomes_an_outcome(error):
    assert_storable(raised(ExceptionGroup("g", [error])))
    outer = ValueError("outer")
    outer.__cause__ = error
    assert_storable(raised(outer))


def test_a_success_that_cannot_be_told_is_a_failure():
    class Array:
        def __bool__(self):
            raise ValueError("ambiguous")

    outcome = assert_storable(returned({"success": Array()}))
    assert outcome.status is FAILED
    assert "cannot be read: ValueError" in outcome.error


def test_a_class_that_lies_about_its_name_is_told_by_its_own():
    class Meta(type):
        @property
        def __name__(cls):  # type: ignore[override]
            raise SystemExit

    class Liar(Exception, metaclass=Meta):
        def __str__(self):
            raise SystemExit

    assert assert_storable(raised(Liar())).error.startswith("Liar: <Liar whose text cannot be had: SystemExit>")


def test_a_deep_group_is_an_outcome():
    error: Exception = ValueError("leaf")
    for _ in range(sys.getrecursionlimit() * 2):
        error = ExceptionGroup("g", [error])
    assert_storable(raised(error))
