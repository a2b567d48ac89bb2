"""How the house stands: who may import whom, and who may ask for the time.

Floors are counted from the ground. A module imports from its own floor and from those below, never from above; nothing
runs in a circle, and no import hides inside a function. To add a module, put it on its floor in `FLOORS`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "aurora_scheduler"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

#: Modules and rooms (packages) by floor. A room's modules are on the room's floor.
FLOORS = {
    0: {"answers", "errors", "instants", "jsonable", "logs", "model", "statuses", "values"},
    1: {"callbacks", "schedules", "rules"},
    2: {"definition", "events", "forks", "garbage", "options", "ports", "tickets"},
    3: {"clock", "commands", "stores", "timers"},
    4: {"engine"},
    5: {"hearing", "host", "runtime"},
    6: {"manager", "preview", "scheduler", "service"},
    7: {"cli", "programs", "testing"},
}
#: `__init__` shows the public names: everything up to this floor is behind it, nobody inside goes through it.
DOOR_LOOKS_UP_TO = 6

#: Rooms that never import each other, though their floors would allow it: both see only `ports`.
STRANGERS = {frozenset({"engine", "stores"})}
#: What may be imported inside a function: what may not be installed, or takes long and is seldom needed.
LATE = {"anyio.to_process", "croniter", "rich", "sqlalchemy", "sqlite_utils", "tomli_w", "urllib"}
#: Rooms of ours that stand on something that may not be installed.
LATE_ROOMS = {"stores.postgres"}
#: The only doors: library -> the modules that may import it.
DOORS = {
    "croniter": {"schedules.cron"},
    "logging": {"cli.demo.child", "cli.firing", "logs"},
    "random": {"clock"},
    "secrets": {"clock"},
    "time": {"clock", "timers"},
    "uuid": {"clock"},
}
#: Calls that ask for the time without importing `time`, and the modules that may make them.
TELLS_TIME = {
    *(f"{kind}.{call}" for kind in ("date", "datetime") for call in ("now", "today", "utcnow")),
    *(f"{library}.current_time" for library in ("anyio", "trio")),
}
MAY_TELL_TIME = {"clock", "timers"}
MAY_PRINT = {"cli"}
LONGEST = 500


@dataclass(frozen=True)
class Import:
    """`importer` imports `target` in `line`; names are without the package's own, which is the door: `""`."""

    importer: str
    target: str
    ours: bool
    line: int
    in_function: bool

    def __str__(self) -> str:
        target = f"{PACKAGE}.{self.target}".rstrip(".") if self.ours else self.target
        return f"{self.importer or '__init__'}, line {self.line}, imports {target}"


@dataclass(frozen=True, repr=False)
class House:
    """The modules, by name, and what they import."""

    trees: dict[str, ast.Module]
    lengths: dict[str, int]
    imports: tuple[Import, ...]

    @property
    def inner(self) -> list[Import]:
        """The imports from module to module, without those of the door."""
        return [each for each in self.imports if each.ours and each.importer]


def read_house(source: Path) -> House:
    """Read all modules of the package, without importing them."""
    files = {path.relative_to(source).with_suffix("").parts: path.read_text() for path in sorted(source.rglob("*.py"))}
    texts = {".".join(parts).removesuffix("__init__").rstrip("."): text for parts, text in files.items()}
    trees = {name: ast.parse(text, name) for name, text in texts.items()}
    imports = tuple(found for name, tree in trees.items() for found in _imports(name, tree, set(trees)))
    return House(trees, {name: text.count("\n") for name, text in texts.items()}, imports)


def _imports(importer: str, tree: ast.Module, modules: set[str]) -> Iterator[Import]:
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}, line {node.lineno}: imports are written in full"
            # `from package import name`: the module package.name where there is one, else the package.
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name.removeprefix(f"{PACKAGE}.") in modules else str(node.module) for name in full]
        else:
            continue
        for name in dict.fromkeys(names):
            ours = name == PACKAGE or name.startswith(f"{PACKAGE}.")
            target = name.removeprefix(PACKAGE).removeprefix(".") if ours else name
            yield Import(importer, target, ours, node.lineno, id(node) in inside)


def room(module: str) -> str:
    """The first part of a module's name: the room it lies in, or itself."""
    return module.partition(".")[0]


def floor(module: str) -> int | None:
    """The floor a module is on."""
    return next((number for number, rooms in FLOORS.items() if room(module) in rooms), None)


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """One circle in a graph, as a walk that ends where it begins, or None."""
    finished: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in finished:
            return None
        found = next((found for after in sorted(edges[node]) if (found := walk(after, [*path, node]))), None)
        finished.add(node)
        return found

    return next((found for node in sorted(edges) if (found := walk(node, []))), None)


# Each rule looks at a house and tells what is wrong with it. ------------------------------------------------------


def every_module_is_on_a_floor(house: House) -> Iterator[str]:
    for module in house.trees:
        if module and floor(module) is None:
            yield f"{module} is on no floor: put {room(module)!r} into FLOORS in {Path(__file__).name}"


def nobody_imports_from_above(house: House) -> Iterator[str]:
    for each in house.inner:
        here, there = floor(each.importer), floor(each.target)
        if each.target and here is not None and there is not None and there > here:
            yield f"{each}: from floor {here} up to floor {there}"


def strangers_never_meet(house: House) -> Iterator[str]:
    for each in house.inner:
        if frozenset({room(each.importer), room(each.target)}) in STRANGERS:
            yield f"{each}: these two never import each other"


def nothing_runs_in_a_circle(house: House) -> Iterator[str]:
    modules, rooms = defaultdict(set), defaultdict(set)
    for each in house.inner:
        modules[each.importer].add(each.target)
        if room(each.importer) != room(each.target):
            rooms[room(each.importer)].add(room(each.target))
    for edges in (modules, rooms):
        complete = defaultdict(set, edges)
        if found := circle(
            {node: complete[node] for node in {*edges, *(to for ends in edges.values() for to in ends)}}
        ):
            yield " -> ".join(found)


def nobody_inside_goes_through_the_door(house: House) -> Iterator[str]:
    for each in house.imports:
        if each.ours and not each.target:
            yield f"{each}: inside, import from the module that has it"
        elif each.ours and not each.importer and (floor(each.target) or 0) > DOOR_LOOKS_UP_TO:
            yield f"{each}: the door shows floors up to {DOOR_LOOKS_UP_TO}"


def no_import_hides_in_a_function(house: House) -> Iterator[str]:
    for each in house.imports:
        late = LATE_ROOMS if each.ours else LATE
        if each.in_function and not {each.target, room(each.target)} & late:
            yield f"{each} inside a function; only {', '.join(sorted(LATE))} may be"


def each_library_has_one_door(house: House) -> Iterator[str]:
    for each in house.imports:
        allowed = None if each.ours else DOORS.get(room(each.target))
        if allowed is not None and each.importer not in allowed:
            yield f"{each}; only {', '.join(sorted(allowed))} may"


def only_the_clock_tells_the_time(house: House) -> Iterator[str]:
    for module, tree in house.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and module not in MAY_TELL_TIME:
                asked = ".".join(ast.unparse(node).split(".")[-2:])
                if asked in TELLS_TIME:
                    yield f"{module}, line {node.lineno}, asks {asked}; only {', '.join(sorted(MAY_TELL_TIME))} may"
            elif isinstance(node, ast.ImportFrom) and module not in MAY_TELL_TIME:
                for alias in node.names:
                    if f"{node.module}.{alias.name}" in TELLS_TIME:
                        yield f"{module}, line {node.lineno}, imports {node.module}.{alias.name}; ask the clock"


def only_the_terminal_prints(house: House) -> Iterator[str]:
    for module, tree in house.trees.items():
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id == "print" and room(module) not in MAY_PRINT:
                yield f"{module}, line {called.lineno}, prints; the library logs"


def what_is_logged_of_a_job_says_which(house: House) -> Iterator[str]:
    for module, tree in house.trees.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log.")):
                continue
            names_one = re.search(r"\b(job|execution) %", ast.unparse(node))
            if names_one and not any(keyword.arg == "extra" for keyword in node.keywords):
                yield f"{module}, line {node.lineno}, tells of a job or an execution without its fields in `extra`"


def no_module_is_too_long(house: House) -> Iterator[str]:
    for module, lines in house.lengths.items():
        if lines > LONGEST:
            yield f"{module} has {lines} lines; {LONGEST} is the most: it holds more than one thing"


RULES = [
    every_module_is_on_a_floor,
    nobody_imports_from_above,
    strangers_never_meet,
    nothing_runs_in_a_circle,
    nobody_inside_goes_through_the_door,
    no_import_hides_in_a_function,
    each_library_has_one_door,
    only_the_clock_tells_the_time,
    only_the_terminal_prints,
    what_is_logged_of_a_job_says_which,
    no_module_is_too_long,
]


@pytest.fixture(scope="module")
def house() -> House:
    return read_house(SOURCE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_stands(rule, house):
    assert house.trees, f"no modules in {SOURCE}"
    wrong = list(rule(house))
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        (every_module_is_on_a_floor, "attic.py", ""),
        (nobody_imports_from_above, "model.py", "import aurora_scheduler.engine"),
        (nobody_imports_from_above, "stores/sqlite.py", "if TYPE_CHECKING:\n    from aurora_scheduler import engine"),
        (strangers_never_meet, "engine/engine.py", "from aurora_scheduler.stores import SqliteStore"),
        (nothing_runs_in_a_circle, "engine/a.py", "from aurora_scheduler.engine import b, c"),
        (nothing_runs_in_a_circle, "errors.py", "from aurora_scheduler import model"),
        (nobody_inside_goes_through_the_door, "cli/main.py", "from aurora_scheduler import Job"),
        (nobody_inside_goes_through_the_door, "__init__.py", "from aurora_scheduler.testing import Store"),
        (no_import_hides_in_a_function, "host.py", "def f():\n    import os"),
        (each_library_has_one_door, "rules.py", "from uuid import uuid4"),
        (each_library_has_one_door, "schedules/text.py", "import croniter.croniter"),
        (only_the_clock_tells_the_time, "host.py", "started = datetime.datetime.now(UTC)"),
        (only_the_clock_tells_the_time, "host.py", "from trio import current_time"),
        (only_the_terminal_prints, "host.py", "print()"),
        (what_is_logged_of_a_job_says_which, "host.py", '_log.error("job %r failed", name)'),
        (no_module_is_too_long, "host.py", "\n" * 501),
    ],
    ids=lambda value: getattr(value, "__name__", None) or ascii(value)[1:40],
)
def test_a_rule_sees_what_it_forbids(rule, module, text, tmp_path):
    """A rule that never complains proves nothing."""
    modules = {
        "engine/__init__.py": "",
        "engine/b.py": "from aurora_scheduler.engine import c",
        "engine/c.py": "from aurora_scheduler.engine import a",
        "model.py": "from aurora_scheduler import errors",
        "testing.py": "",
        module: text,
    }
    for name, content in modules.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert list(rule(read_house(tmp_path)))
