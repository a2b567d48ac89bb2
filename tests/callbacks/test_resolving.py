"""From a name to the function; whatever stands in the way is told as it is."""

from __future__ import annotations

import sys
import threading

import pytest

from aurora_scheduler.callbacks import name_of, resolve
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import CallbackName
from callbacks import samples


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported, and is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(text):
    with pytest.raises(CallbackError) as caught:
        resolve(name_of(text))
    return caught.value


def test_a_module_is_imported_and_the_name_walked(module):
    module("fresh_module", "class Outer:\n  class Inner:\n    @staticmethod\n    def f(): return 'found'")
    assert resolve(CallbackName("fresh_module", "Outer.Inner.f"))() == "found"


def test_an_object_that_can_be_called_is_found_by_its_written_name():
    assert resolve(name_of("callbacks.samples.instance")) is samples.instance
    assert resolve(name_of("callbacks.samples.shortened")) is samples.shortened


def test_a_missing_module_is_named():
    error = refusal("no_such_module_anywhere.sub.f")
    assert 'there is no module named "no_such_module_anywhere"' in str(error)
    assert error.__suppress_context__


def test_a_class_written_with_a_dot_gets_the_right_spelling():
    assert '"callbacks.samples:Owner.static"' in str(refusal("callbacks.samples.Owner.static"))


def test_a_module_that_lacks_a_module_is_not_missing_itself(module):
    module("lacking", "import no_such_module_anywhere")
    error = refusal("lacking.f")
    assert "importing lacking raised ModuleNotFoundError: No module named 'no_such_module_anywhere'" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise ImportError('half installed')", "ImportError: half installed"),
        ("raise ModuleNotFoundError('nameless')", "ModuleNotFoundError: nameless"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit('usage: …')", "SystemExit: usage: …"),
        ("def f(:", "SyntaxError"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class E(Exception):\n  def __str__(self): 1 / 0\nraise E", "E: <E whose text cannot be had"),
        ("raise ValueError('x' * 1_000_000)", "ValueError: xxx"),
    ],
)
def test_what_a_module_raises_while_it_is_imported_is_told(module, text, told):
    module("raising", text)
    error = refusal("raising.f")
    assert f"importing raising raised {told}" in str(error)
    assert len(str(error)) < 1000


def test_a_person_who_interrupts_an_import_is_heard(module):
    module("interrupted", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        resolve(CallbackName("interrupted", "f"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("callbacks.samples.no_such", 'there is no "no_such" in it'),
        ("callbacks.samples:Owner.no_such", 'there is no "no_such" in it'),
        ("callbacks.samples:No.static", 'there is no "No" in it'),
        ("callbacks.samples.number", "it is of type int, which cannot be called"),
        ("callbacks.samples.Owner", "it is a class"),
        ("callbacks.samples.exploding", 'looking for "exploding" raised RuntimeError: no such luck'),
    ],
)
def test_what_is_no_function_is_refused(text, told):
    assert told in str(refusal(text))


def test_a_module_that_is_just_being_imported_elsewhere_is_not_waited_for(module, monkeypatch):
    """A program may create a job while it is imported, and wait for the scheduler's thread, which looks up the job."""
    module("busy", "def f(): ...\nimport callbacks.samples as s\ns.during_import()\n")
    found = []

    def during_import():
        thread = threading.Thread(target=lambda: found.append(resolve(CallbackName("busy", "f"))), daemon=True)
        thread.start()
        thread.join(10)

    monkeypatch.setattr(samples, "during_import", during_import, raising=False)
    function = resolve(CallbackName("busy", "f"))
    assert found == [function]
