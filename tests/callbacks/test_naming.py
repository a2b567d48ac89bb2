"""From a function, or a text, to a name; what cannot be found after a restart is refused at once."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import warnings
from types import ModuleType

import pytest

from aurora_scheduler.callbacks import name_of, named, resolve
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import CallbackName
from callbacks import samples

HERE = "callbacks.samples"


@pytest.mark.parametrize(
    ("text", "module", "qualname"),
    [
        ("function.of", "function", "of"),
        ("package.module.function", "package.module", "function"),
        ("package.module:function", "package.module", "function"),
        ("module:Class.static", "module", "Class.static"),
        ("package.module:Class.Inner.static", "package.module", "Class.Inner.static"),
        ("päckage.modül.funktiön", "päckage.modül", "funktiön"),
    ],
)
def test_a_text_is_split_into_module_and_qualified_name(text, module, qualname):
    assert name_of(text) == CallbackName(module, qualname) == named(module, qualname)


@pytest.mark.parametrize(
    "text",
    [
        "", "f", ".", ":", ".f", "m.", ":f", "m:", "m..f", "a:b:c", "m:.f", "m:C..f", " m.f", "m.f ", "m f", "m.f()",
        "my-module.f", "1.f", "m:f.<locals>.g", "m.<lambda>", "m.f\0", "m.\ud800", "../m.f", "m/n.f", "x" * 5000 + ".-",
    ],
)  # fmt: skip
def test_a_text_that_is_no_name_is_refused_with_the_shape_it_should_have(text):
    with pytest.raises(CallbackError, match=r"package\.module\.function") as caught:
        name_of(text)
    assert caught.value.callback == text
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, 0, 1.5, b"m.f", [], {}, object(), ModuleType("m")])
def test_what_is_neither_text_nor_function_is_refused(value):
    with pytest.raises(CallbackError, match="a function, or its name as text, is wanted"):
        name_of(value)


@pytest.mark.parametrize(("module", "function"), [(None, "f"), ("m", None), ("m", samples.plain), (samples, "f")])
def test_a_name_in_two_parts_wants_two_texts(module, function):
    with pytest.raises(CallbackError, match="given as text"):
        named(module, function)


@pytest.mark.parametrize(("module", "function"), [("", "f"), ("m", ""), ("m:n", "f"), ("m.", "f"), ("m", "f:g")])
def test_a_name_in_two_parts_wants_two_names(module, function):
    with pytest.raises(CallbackError, match="name"):
        named(module, function)


@pytest.mark.parametrize(
    ("function", "qualname"),
    [
        (samples.plain, "plain"),
        (samples.awaited, "awaited"),
        (samples.Owner.static, "Owner.static"),
        (samples.Owner.Inner.static, "Owner.Inner.static"),
        (samples.Heir.static, "Owner.static"),
        (samples.Owner.of_class, "Owner.of_class"),
        (samples.undecorated, "undecorated"),
    ],
)
def test_a_function_is_named_and_found_again(function, qualname):
    name = name_of(function)
    assert name == CallbackName(HERE, qualname)
    assert resolve(name) == function


def test_a_builtin_of_a_module_is_found_again():
    assert resolve(name_of(os.getpid)) is os.getpid


def test_a_function_behind_its_own_decorator_is_found_with_the_decoration():
    assert resolve(name_of(samples.raw)) is samples.undecorated


def closure():
    def inner(): ...

    return inner


def foreign_name():
    def function(): ...

    function.__qualname__ = "plain"
    function.__module__ = "no_such_module_anywhere"
    return function


class Odd:
    """Claims a name that is no text."""

    __qualname__ = "x"  # the class's own

    def __init__(self):
        self.__module__ = HERE
        self.__qualname__ = 42  # type: ignore[assignment]

    def __call__(self): ...


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (lambda: None, "a lambda has no name"),
        (samples.nameless, "a lambda has no name"),
        (closure(), "defined inside a function"),
        (samples.owner.method, "bound to an object"),
        (functools.partial(samples.plain, to="x"), "functools.partial has no name"),
        (samples.shortened, "callback_args"),
        (samples.instance, "does not know its module and name"),
        (Odd(), "does not know its module and name"),
        ([].append, "does not know its module and name"),
        ("".join, "does not know its module and name"),
        (samples.Owner, "it is a class"),
        (dict, "it is a class"),
        (samples.old_replaced, "leads to something else"),
        (samples.first_name, "leads to something else"),
        (samples.Heir.of_class, "leads to something else"),
        (foreign_name(), "no module named"),
        (samples.generator(), "called already"),
        (samples.async_generator(), "called already"),
    ],
)
def test_what_cannot_be_found_again_is_refused_with_the_reason(callback, reason):
    with pytest.raises(CallbackError, match=reason) as caught:
        name_of(callback)
    assert "callback" in str(caught.value)


def test_wrappers_that_wrap_each_other_are_no_endless_search(monkeypatch):
    def one(): ...

    def other(): ...

    one.__wrapped__, other.__wrapped__ = other, one  # type: ignore[attr-defined]
    one.__module__, one.__qualname__ = HERE, "plain"
    monkeypatch.setattr(samples, "plain", other)
    other.__wrapped__ = other  # type: ignore[attr-defined]
    with pytest.raises(CallbackError, match="leads to something else"):
        name_of(one)


def test_a_coroutine_is_refused_and_closed_without_a_warning():
    coroutine = samples.awaited()
    with pytest.raises(CallbackError, match="without parentheses"):
        name_of(coroutine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del coroutine


# Scripts: each is run in an interpreter of its own. ---------------------------------------------------------------

PRELUDE = """
import sys
from aurora_scheduler.callbacks import name_of, named, resolve
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import CallbackName
def f(): return "called"
"""


def run(*command, cwd=None, stdin=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def script(tmp_path, body, name="script.py"):
    path = tmp_path / name
    path.write_text(PRELUDE + body)
    return path


def test_a_function_of_a_script_is_named_with_the_scripts_file(tmp_path):
    path = script(
        tmp_path,
        "n = name_of(f)\n"
        "assert n == name_of('__main__.f') == name_of('__main__:f') == named('__main__', 'f')\n"
        "assert resolve(n) is f\n"
        "print(n.file)",
    )
    assert run(path.name, cwd=tmp_path) == str(path)


def test_a_function_of_another_script_is_not_found_and_both_are_named(tmp_path):
    other = script(tmp_path, "", "other.py")
    path = script(
        tmp_path,
        f"try: resolve(CallbackName('__main__', 'f', {str(other)!r}))\nexcept CallbackError as error: print(error)",
    )
    told = run(path)
    assert str(other) in told
    assert str(path) in told


def test_a_script_is_the_same_through_a_symbolic_link(tmp_path):
    path = script(tmp_path, "print(resolve(CallbackName('__main__', 'f', sys.argv[1]))())")
    (tmp_path / "link.py").symlink_to(path)
    assert run(tmp_path / "link.py", path) == "called"
    assert run(path, tmp_path / "link.py") == "called"


def test_a_worker_process_of_a_script_names_its_functions_like_the_script(tmp_path):
    path = script(
        tmp_path,
        "import multiprocessing\n"
        "def tell(_): return f.__module__, name_of(f)\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        (module, name), = pool.map(tell, [0])\n"
        "    assert module == '__mp_main__', module\n"
        "    assert name == name_of(f), name\n",
    )
    run(path)


@pytest.mark.parametrize("callback", ["f", "'__main__.f'", "'__main__:f'"])
def test_a_function_typed_at_a_prompt_is_refused(callback):
    body = f"{PRELUDE}\ntry: name_of({callback})\nexcept CallbackError as error: print(error)\n"
    assert "Jupyter" in run("-c", body)
    assert "Jupyter" in run("-", stdin=body)


def test_pythons_own_prompt_is_no_script(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/usr/lib/python3.13/_pyrepl/__main__.py", raising=False)
    with pytest.raises(CallbackError, match="prompt"):
        name_of("__main__.f")


def test_a_script_that_is_gone_is_told(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/script.py", raising=False)
    with pytest.raises(CallbackError, match=r"/nowhere/gone\.py, and this process runs"):
        resolve(CallbackName("__main__", "f", "/nowhere/gone.py"))
    with pytest.raises(CallbackError, match="an interactive session, and"):
        resolve(CallbackName("__main__", "f"))
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    with pytest.raises(CallbackError, match="this process runs no script"):
        resolve(CallbackName("__main__", "f", "/nowhere/gone.py"))


@pytest.mark.parametrize(
    "name",
    [
        CallbackName("shop.jobs", "tell"),
        CallbackName("shop", "Desk.tell"),
        CallbackName("__main__", "tell", "/srv/shop: old/run.py"),
    ],
    ids=str,
)
def test_a_stored_name_is_read_as_the_name_that_it_is_of(name):
    assert name_of(name.stored) == name
