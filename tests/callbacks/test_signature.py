"""What a function takes, and what it is called with."""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import weakref

import pytest

from aurora_scheduler.callbacks import CONTEXT_NAMES, bind, check_arguments, is_async
from aurora_scheduler.errors import ArgumentsError
from callbacks import samples

CONTEXT = {name: f"the {name}" for name in CONTEXT_NAMES}


def positional(a, /, b=1): ...


def positional_with_default(a=1, /, b=1): ...


def keywords(a, *, b, c=3, attempt): ...


def anything(**kwargs): ...


def some_and_anything(job_id, a=1, *args, **kwargs): ...


def all_context(job_id, job_name, execution_id, scheduled_for, attempt, idempotency_key): ...


def none(): ...


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (none, {}),
        (keywords, {"a": 1, "b": 2}),
        (keywords, {"a": 1, "b": 2, "c": 3, "attempt": 4}),
        (anything, {}),
        (anything, {"whatever": 1, "job_id": 2}),
        (some_and_anything, {"x": 1}),
        (all_context, {}),
        (positional_with_default, {"b": 1}),
        (samples.undecorated, {}),
        (samples.shortened, {"to": "x"}),
        (samples.shortened, {"copies": 5}),
        (samples.instance, {"to": 1}),
        (samples.UnhashableCallable(), {"to": 1}),
        (samples.SlottedCallable(), {"to": 1}),
        (samples.Owner.of_class, {}),
        (print, {"end": ""}),
    ],
)
def test_arguments_that_fit_are_let_through(function, args):
    check_arguments(function, args)


@pytest.mark.parametrize(
    ("function", "args", "told"),
    [
        (none, {"a": 1}, r'takes no argument "a" by name; it takes none'),
        (keywords, {"a": 1, "b": 2, "d": 3, "e": 4}, r'no argument "d", "e" by name; it takes a, b, c, attempt'),
        (keywords, {"a": 1}, r'callback_args lack "b".*it takes a, b, c, attempt'),
        (keywords, {}, r'callback_args lack "a", "b"'),
        (some_and_anything, {"job_id": 1, "args": 2, "": 3}, None),
        (positional, {"a": 1}, r'requires "a" by position.*take the `/` out'),
        (positional_with_default, {"a": 1}, r'takes no argument "a" by name; it takes b'),
        (samples.Owner.method, {}, r'lack "self"'),
        (samples.instance, {}, r'lack "to"'),
        (samples.UnhashableCallable(), {"x": 1}, r'no argument "x"'),
        (samples.SlottedCallable(), {"x": 1}, r'no argument "x"'),
    ],
)
def test_arguments_that_do_not_fit_are_named(function, args, told):
    if told is None:
        check_arguments(function, args)
        return
    with pytest.raises(ArgumentsError, match=told) as caught:
        check_arguments(function, args)
    assert caught.value.callback is function
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("function", "args", "called_with"),
    [
        (none, {}, {}),
        (all_context, {}, CONTEXT),
        (all_context, {"attempt": "mine"}, {**CONTEXT, "attempt": "mine"}),
        (keywords, {"a": 1, "b": 2}, {"a": 1, "b": 2, "attempt": "the attempt"}),
        (anything, {"a": 1}, {"a": 1}),
        (some_and_anything, {"x": 1}, {"job_id": "the job_id", "x": 1}),
        (samples.UnhashableCallable(), {"to": 1}, {"to": 1}),
        (samples.SlottedCallable(), {"to": 1}, {"to": 1}),
    ],
)
def test_a_function_gets_its_arguments_and_the_context_it_names(function, args, called_with):
    assert bind(function, args, CONTEXT) == called_with


class Liar:
    """A callable whose signature cannot be had."""

    @property
    def __signature__(self):
        raise RuntimeError("no signature")

    def __call__(self, **kwargs): ...


def test_a_function_without_a_signature_gets_its_arguments_alone():
    assert bind(Liar(), {"a": 1}, CONTEXT) == {"a": 1}
    check_arguments(Liar(), {"a": 1})


def test_a_callback_cannot_change_the_arguments_of_its_next_run():
    args = {"to": [{"name": "a"}]}
    given = bind(samples.plain, args, {})
    given["to"][0]["name"] = "b"
    given["to"].append("c")
    assert args == {"to": [{"name": "a"}]}


def test_what_is_remembered_of_a_function_does_not_keep_it_alive():
    class Big: ...

    big = Big()

    def function(a: int, b: object = big): ...

    check_arguments(function, {"a": 1})
    seen = weakref.ref(function), weakref.ref(big)
    del function, big
    gc.collect()
    assert [reference() for reference in seen] == [None, None]


def test_a_signature_is_read_once(monkeypatch):
    def function(a): ...

    check_arguments(function, {"a": 1})
    monkeypatch.setattr(inspect, "signature", None)
    assert bind(function, {"a": 1}, CONTEXT) == {"a": 1}


async def fetch(): ...


def plain_wrapper():
    @functools.wraps(fetch)
    def wrapper():
        return fetch()

    return wrapper


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (fetch, True),
        (functools.partial(fetch), True),
        (samples.async_instance, True),
        (samples.async_instance.__call__, True),
        (samples.instance, False),
        (plain_wrapper(), False),
        (samples.plain, False),
        (samples.async_generator, False),
        (samples.generator, False),
        (print, False),
    ],
)
def test_what_is_awaited_is_a_coroutine_function_itself(function, expected):
    assert is_async(function) is expected


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_a_function_that_is_marked_as_a_coroutine_function_is_one():
    assert is_async(inspect.markcoroutinefunction(plain_wrapper()))  # type: ignore[attr-defined,unused-ignore]
