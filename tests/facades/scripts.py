"""Programs of their own: what a whole process does is tested in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import aurora_scheduler
from facades.waiting import DEADLINE

__all__ = ["Script"]

_TESTS = Path(__file__).parents[1]
_SOURCE = Path(aurora_scheduler.__file__).parents[1]


class Script:
    """A Python program that runs in `directory`, on the database "jobs.db" there unless it says otherwise.

    Warnings are errors in it, and what it writes to standard error fails the test. It is killed when it does not end.
    """

    def __init__(self, directory: Path, source: str) -> None:
        file = directory / "script.py"
        file.write_text(dedent(source))
        self._errors = directory / "errors.txt"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", str(file)],
                cwd=directory,
                env=os.environ
                | {"AURORA_SCHEDULER_DB": str(directory / "jobs.db"), "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_TESTS}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # so that children of its own are killed with it
            )
        self._watch = threading.Timer(DEADLINE, self._kill)
        self._watch.daemon = True
        self._watch.start()

    def says(self, line: str) -> None:
        """Wait for a line on standard output; the next one must be this."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().rstrip("\n")
        if said != line:
            self.is_killed()
            raise AssertionError(f"the script said {said!r}, not {line!r}; errors:\n{self._errors.read_text()}")

    def hears(self) -> None:
        """Let it go on, where it waits in `alone.hear`."""
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def is_killed(self) -> None:
        """Send it `kill -9`. When this returns nothing of it runs any more."""
        self._kill()
        self._close()

    def ends(self, code: int = 0) -> str:
        """Wait for its end: what it said on standard output since."""
        said = self._close()
        ended, errors = self.process.returncode, self._errors.read_text()
        if ended != code or errors:
            raise AssertionError(f"the script ended with {ended}, not {code}; it said {said!r}; errors:\n{errors}")
        return said

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _close(self) -> str:
        with self.process:  # waits for its end: the watch sees to it that there is one
            assert self.process.stdout is not None
            said = self.process.stdout.read()
        self._watch.cancel()
        return said
