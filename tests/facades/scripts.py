"""Programs of their own: what a whole process does is tested in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
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
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(file)],
            cwd=directory,
            env=os.environ
            | {"AURORA_SCHEDULER_DB": str(directory / "jobs.db"), "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_TESTS}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watch = threading.Timer(2 * DEADLINE, self.process.kill)
        self._watch.daemon = True
        self._watch.start()

    def says(self, line: str) -> None:
        """Wait for a line on standard output; the next one must be this."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().rstrip("\n")
        if said != line:
            self.kill()
            raise AssertionError(f"said {said!r}, not {line!r}; stderr: {self._close()[1]}")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """kill -9: nothing of it runs any more."""
        self.process.kill()
        self.process.wait()

    def killed(self) -> None:
        """Kill it, and let go of it."""
        self.kill()
        self._close()

    def ends(self, code: int = 0) -> str:
        """Wait for its end: what it said on standard output since."""
        out, errors = self._close()
        assert (self.process.returncode, errors) == (code, "")
        return out

    def _close(self) -> tuple[str, str]:
        try:
            return self.process.communicate(timeout=2 * DEADLINE)
        finally:
            self._watch.cancel()
