"""Callbacks that are found by name, and things that are not."""

from __future__ import annotations

import functools


def plain(to="nobody", copies=1):
    return {"success": True, "to": to, "copies": copies}


async def awaited(to="nobody"):
    return to


async def async_generator():
    yield 1


def generator():
    yield 1


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def undecorated():
    """Kept under another name than the one it is found by, which leads to its wrapper."""


raw = undecorated
undecorated = doubled(undecorated)


def replaced(): ...


old_replaced = replaced


def replaced(): ...  # type: ignore[no-redef]


first_name = doubled(plain)  # found as `plain`, which lacks the decoration

shortened = functools.partial(plain, copies=2)
nameless = lambda: None  # noqa: E731
number = 42


class Owner:
    @staticmethod
    def static(): ...

    @classmethod
    def of_class(cls): ...

    def method(self): ...

    class Inner:
        @staticmethod
        def static(): ...


class Heir(Owner):
    pass


owner = Owner()


class Callable:
    def __call__(self, to): ...


class AsyncCallable:
    async def __call__(self, to): ...


class UnhashableCallable(Callable):
    __hash__ = None  # type: ignore[assignment]


class SlottedCallable:
    __slots__ = ()

    def __call__(self, to): ...


instance = Callable()
async_instance = AsyncCallable()


def __getattr__(name):
    if name == "exploding":
        raise RuntimeError("no such luck")
    raise AttributeError(name)
