"""From a name to the function."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, NoReturn

from aurora_scheduler.callbacks.allowing import ANY, Allowed
from aurora_scheduler.callbacks.texts import cut, text_of, type_name
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import CallbackName

__all__ = ["MAIN", "main_file", "resolve"]

#: What Python calls the module of the script that it was started with.
MAIN = "__main__"


def resolve(name: CallbackName, allowed: Allowed = ANY) -> Callable[..., Any]:
    """The function of this name. Imports its module, which runs the module's code.

    Raises:
        CallbackError: it is not allowed, by its name (then nothing is imported) or by where it is defined; there is no
            such module, script or name; importing raised; or what is there cannot be called.
            An exception of the module's own is the error's cause.

    >>> resolve(CallbackName("os.path", "join")).__name__
    'join'
    """
    allowed.check_name(name)
    found = _found(name)
    if isinstance(found, type):
        reason = "it is a class, whose object would be made and thrown away; name a function that makes and uses it"
        raise CallbackError(str(name), reason)
    if not callable(found):
        raise CallbackError(str(name), f"it is of type {type_name(found)}, which cannot be called; name a function")
    function: Callable[..., Any] = found
    allowed.check_function(name, function)
    return function


def main_file() -> str | None:
    """The absolute path of the running script; None in an interactive session, which has none."""
    file = getattr(sys.modules.get(MAIN), "__file__", None)
    # Typed or piped in it is "<stdin>", and the prompt of Python 3.13 is a script of Python's own.
    if not isinstance(file, str) or file.startswith("<") or os.path.basename(os.path.dirname(file)) == "_pyrepl":
        return None
    return os.path.abspath(file)


def _found(name: CallbackName) -> Any:
    if name.module == MAIN:
        return _walk(_script(name), name)
    loaded = sys.modules.get(name.module)
    if loaded is not None:
        # A module that is being imported now, perhaps by the very caller who waits for us, may have the function
        # already: to import it again would be to wait for the end of that import.
        with suppress(CallbackError):
            return _walk(loaded, name)
    return _walk(_imported(name), name)


def _script(name: CallbackName) -> ModuleType:
    here = main_file()
    if name.file is None or here is None or not _same_file(name.file, here):
        where = f"the script {name.file}" if name.file else "an interactive session"
        now = f"this process runs {here}" if here else "this process runs no script"
        reason = f"it is a function of {where}, and {now}; put it into a module that can be imported"
        raise CallbackError(str(name), reason)
    return sys.modules[MAIN]


def _same_file(one: str, other: str) -> bool:
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False


def _imported(name: CallbackName) -> ModuleType:
    try:
        return importlib.import_module(name.module)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name.module}.".startswith(f"{error.name}."):
            _refuse_unknown(name, error)
        _refuse_broken(name, error)
    except BaseException as error:  # SystemExit too: a script without `if __name__ == "__main__"` ends with one
        _refuse_broken(name, error)


def _refuse_unknown(name: CallbackName, error: ModuleNotFoundError) -> NoReturn:
    advice = "is it installed, and is its directory on sys.path?"
    if "is not a package" in str(error):
        module, _, owner = name.module.rpartition(".")
        advice = f'a function inside a class is written "{module}:{owner}.{name.qualname}"'
    raise CallbackError(str(name), f'there is no module named "{error.name}"; {advice}') from None


def _refuse_broken(name: CallbackName, error: BaseException) -> NoReturn:
    told = cut(f"{type_name(error)}: {text_of(error)}", 500)
    raise CallbackError(str(name), f"importing {name.module} raised {told}") from error


def _walk(module: ModuleType, name: CallbackName) -> Any:
    found: Any = module
    for part in name.qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise CallbackError(str(name), f'there is no "{part}" in it; was it renamed or moved?') from None
        except Exception as error:  # a module's own __getattr__, a descriptor
            told = cut(f"{type_name(error)}: {text_of(error)}", 500)
            raise CallbackError(str(name), f'looking for "{part}" raised {told}') from error
    return found
