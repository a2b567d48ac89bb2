"""From a function, or what a user wrote for one, to the name under which it is found again after a restart."""

from __future__ import annotations

import functools
import inspect
from types import MethodType
from typing import Any

from aurora_scheduler.callbacks.resolving import MAIN, main_file, resolve
from aurora_scheduler.callbacks.texts import cut, type_name
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import CallbackName

__all__ = ["name_of", "named"]

_ADVICE = "define it with `def` at the top level of a module, and pass what it needs in callback_args"
_SHAPE = 'write "package.module.function", or "package.module:Class.function"'


def name_of(callback: object) -> CallbackName:
    """The name of a callback: of a function that is found again under its own name, or as it was written.

    A written name is checked for its shape only; `resolve` tells whether there is such a function. A function of the
    running script is named together with the script's file. A `CallbackName.stored` gives the name that it is of.

    Raises:
        CallbackError: it is no name and no function, or a function that could not be found again after a restart.

    >>> name_of("package.module.function")
    CallbackName(module='package.module', qualname='function', file=None)
    >>> str(name_of("package.module:Class.static"))
    'package.module:Class.static'
    >>> from os.path import basename
    >>> name_of(basename) == CallbackName(basename.__module__, "basename")
    True
    """
    return _read(callback) if isinstance(callback, str) else _of_function(callback)


def named(module: object, function: object) -> CallbackName:
    """The name of a callback whose module and (qualified) name are given apart.

    Raises:
        CallbackError: one of the two is no such name.

    >>> named("package.module", "function")
    CallbackName(module='package.module', qualname='function', file=None)
    """
    for text in (module, function):
        if not isinstance(text, str):
            reason = f"module and function are to be given as text, and one of them is of type {type_name(text)}"
            raise CallbackError((module, function), reason)
    return _written(str(module), str(function), f"{module}:{function}")


def _read(text: str) -> CallbackName:
    module, _, function = text.partition(":") if ":" in text else text.rpartition(".")
    if module == MAIN and ":" in function:  # as it was stored
        qualname, _, file = function.partition(":")
        return CallbackName(MAIN, qualname, file)
    if not module or not function:
        raise CallbackError(text, f"it names no function in a module; {_SHAPE}")
    return _written(module, function, text)


def _written(module: str, function: str, given: str) -> CallbackName:
    for part in [*module.split("."), *function.split(".")]:
        if not part.isidentifier():
            told = f'"{cut(part, 60)}" is not a name' if part else "a name in it is empty"
            raise CallbackError(given, f"{told}; {_SHAPE}")
    return _placed(module, function, given)


def _of_function(callback: object) -> CallbackName:
    if reason := _why_not(callback):
        raise CallbackError(callback, reason)
    module, qualname = getattr(callback, "__module__", None), getattr(callback, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        reason = f'this {type_name(callback)} does not know its module and name; give them as text, "module:name"'
        raise CallbackError(callback, reason)
    if "<lambda>" in qualname:
        raise CallbackError(callback, f"a lambda has no name to be found by after a restart; {_ADVICE}")
    if "<locals>" in qualname:
        raise CallbackError(callback, f"it was defined inside a function, and is gone after a restart; {_ADVICE}")
    name = _placed(MAIN if module == "__mp_main__" else module, qualname, callback)
    if not _is_same(resolve(name), callback):
        reason = f'its name, "{name}", leads to something else; {_ADVICE}'
        raise CallbackError(callback, reason)
    return name


def _why_not(callback: object) -> str | None:
    """Why this object cannot be a callback, where its kind tells that already."""
    if inspect.iscoroutine(callback):
        callback.close()  # else Python would warn that it was never awaited, and nobody can await it now
    if inspect.isawaitable(callback) or inspect.isgenerator(callback) or inspect.isasyncgen(callback):
        return "it has been called already; give the function itself, without parentheses, and callback_args beside it"
    if isinstance(callback, MethodType) and not isinstance(callback.__self__, type):
        return f"it is bound to an object, which ends with this process; {_ADVICE}"
    if not callable(callback):
        return f"a function, or its name as text, is wanted, and this is of type {type_name(callback)}"
    if isinstance(callback, type):
        return f"it is a class, whose object would be made and thrown away; {_ADVICE}"
    if isinstance(callback, functools.partial):
        return "a functools.partial has no name to be found by; give the function, and its arguments in callback_args"
    return None


def _placed(module: str, qualname: str, given: object) -> CallbackName:
    """The name, with the running script's file where it is a name in the script."""
    if module != MAIN:
        return CallbackName(module, qualname)
    file = main_file()
    if file is None:
        reason = "it was defined at a prompt (Python, IPython, Jupyter, python -c), and is gone after a restart"
        raise CallbackError(given, f"{reason}; put it into a module, and import that here")
    return CallbackName(MAIN, qualname, file)


def _is_same(found: Any, callback: object) -> bool:
    """Whether it is the callback that was found, or a decorator's wrapper around it."""
    if isinstance(callback, MethodType):  # of a class: each look makes a new one
        return isinstance(found, MethodType) and found == callback
    try:
        return inspect.unwrap(found, stop=lambda function: function is callback) is callback
    except ValueError:  # wrappers that wrap each other
        return False
