"""Where victims come from: a process that has imported everything they need, and forks one after the other.

Nothing of a scheduler is made in it, and it has one thread, so that a victim is as good as a fresh program; but it is
there in a hundredth of a second instead of half of one, and kills at random instants do not all fall into its imports.
Run as `python -m faults.cradle`: each line it reads is a victim's environment, and where that says what it has to say;
it answers with the process's number, and, when that has ended, with how.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["Cradle"]

_TESTS = Path(__file__).parents[1]
_IMPORTED = ("anyio._backends._asyncio", "anyio._backends._trio", "asyncio", "sqlite3", "trio", "aurora_scheduler")


class Cradle:
    """The parent's end: one process at a time."""

    def __init__(self, source: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "faults.cradle"],
            env=os.environ | {"PYTHONPATH": f"{source}{os.pathsep}{_TESTS}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._pid: int | None = None

    def bear(self, environment: dict[str, str], directory: Path, said: Path, program: str = "faults.victim") -> int:
        """Have a victim begin: its process's number. What it is has a `main`."""
        assert self._pid is None, "the one before is still there"
        assert self._process.stdin is not None
        told = {"environment": environment, "directory": str(directory), "said": str(said), "program": program}
        self._process.stdin.write(f"{json.dumps(told)}\n".encode())
        self._pid = self._hear(None)
        assert self._pid is not None
        return self._pid

    def ended(self, within: float) -> int | None:
        """How the victim ended, as `subprocess` has it: minus the signal that killed it; None: it lives."""
        code = self._hear(within)
        if code is not None:
            self._pid = None
        return code

    def send(self, number: signal.Signals) -> None:
        """A signal for the victim, if it lives."""
        if self._pid is not None:
            with suppress(ProcessLookupError):  # it has ended, and that was not asked for yet
                os.kill(self._pid, number)

    def close(self) -> None:
        """Kill what there is."""
        if self._pid is not None and self.ended(0) is None:
            self.send(signal.SIGKILL)
            self.ended(60)
        with self._process:
            self._process.kill()

    def _hear(self, within: float | None) -> int | None:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], within)[0]:
            return None
        line = self._process.stdout.readline()
        assert line, "the cradle is broken"
        return int(line)


def _rock() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    while line := sys.stdin.readline():
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(told)
            return
        _say(child)
        _, status = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(told: dict[str, dict[str, str] | str]) -> None:
    """Be a victim, in a directory of its own, with nobody to listen to."""
    environment, directory, said = told["environment"], told["directory"], told["said"]
    assert isinstance(environment, dict)
    assert isinstance(directory, str)
    os.environ.update(environment)
    os.chdir(directory)
    nothing = os.open(os.devnull, os.O_RDONLY)
    errors = os.open(str(said), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for source, target in ((nothing, 0), (errors, 1), (errors, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(errors)
    importlib.import_module(str(told["program"])).main()


if __name__ == "__main__":
    _rock()
