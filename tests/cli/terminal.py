"""A program in a pseudo terminal, and what a person sees there: just enough of a terminal for what rich writes."""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

__all__ = ["Screen", "Terminal"]

DEADLINE = 60.0

_PIECE = re.compile(
    r"\x1b\[(?P<arguments>[0-9;?]*)(?P<command>[A-Za-z])|\x1b\](?:[^\x07\x1b]*)(?:\x07|\x1b\\)|(?P<char>[^\x1b])"
)


class Screen:
    """The lines that were written, and the last of them that fit: what is seen."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.has_cursor = True
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Have the terminal take what was written."""
        text, self._rest = self._rest + text, ""
        place = 0
        while place < len(text):
            piece = _PIECE.match(text, place)
            if piece is None:  # the beginning of one
                self._rest = text[place:]
                return
            place = piece.end()
            if piece["char"] is not None:
                self._write(piece["char"])
            elif piece["command"] is not None:
                self._obey(piece["command"], piece["arguments"])

    @property
    def seen(self) -> list[str]:
        """The lines in sight."""
        return ["".join(line).rstrip() for line in self._lines[-self.rows :]]

    def __str__(self) -> str:
        return "\n".join(self.seen)

    def _write(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row += 1
            if self._row == len(self._lines):
                self._lines.append([])
        else:
            if self._column == self.columns:
                self._write("\r")
                self._write("\n")
            line = self._lines[self._row]
            line.extend(" " * (self._column + 1 - len(line)))
            line[self._column] = char
            self._column += 1

    def _obey(self, command: str, arguments: str) -> None:
        if command == "A":
            top = max(0, len(self._lines) - self.rows)
            self._row = max(top, self._row - int(arguments or 1))
        elif command == "K":
            assert arguments == "2", f"this terminal does not know ESC[{arguments}K"
            self._lines[self._row] = []
        elif command in "hl" and arguments == "?25":
            self.has_cursor = command == "h"
        else:
            assert command == "m", f"this terminal does not know ESC[{arguments}{command}"


class Terminal:
    """A program that has a terminal for its input, output and errors; it is killed at the end, if it is still there."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        variables: Mapping[str, str],
        *,
        rows: int = 24,
        columns: int = 120,
        errors: int | None = None,
    ) -> None:
        self.screen = Screen(rows, columns)
        self.written = ""
        ours, theirs = os.openpty()
        self._ours: int | None = ours
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._theirs = theirs  # kept open: what was written last is still there to be read when the program has ended
        self.before = termios.tcgetattr(theirs)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        its_own = ("COLUMNS", "LINES", "NO_COLOR")
        environment = {name: value for name, value in os.environ.items() if name not in its_own}
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={**environment, "TERM": "xterm-256color", **variables},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if errors is None else errors,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()
        os.close(self._theirs)

    def until(self, fact: Callable[[Screen], object], what: str) -> None:
        """Look on until the screen shows something."""
        give_up = time.monotonic() + DEADLINE
        while not fact(self.screen):
            has_ended = self.process.poll() is not None
            assert self._read(0.1) or not has_ended, f"it ended, and never showed {what}:\n{self.screen}"
            assert time.monotonic() < give_up, f"not within {DEADLINE:.0f} s: {what}\n{self.screen}"

    def hang_up(self) -> None:
        """Let go of the terminal: nothing can be written to it any more."""
        if self._ours is not None:
            os.close(self._ours)
            self._ours = None

    def end(self) -> int:
        """Look on until it has ended; what it ended with."""
        give_up = time.monotonic() + DEADLINE
        while self._read(0.1) or self.process.poll() is None:
            assert time.monotonic() < give_up, f"it has not ended within {DEADLINE:.0f} s:\n{self.screen}"
        return self.process.wait()

    @property
    def modes(self) -> list[object]:
        """What the terminal is set to do."""
        return list(termios.tcgetattr(self._theirs))

    def _read(self, seconds: float) -> bool:
        assert self._ours is not None
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        text = self._decoder.decode(os.read(self._ours, 65536))
        self.written += text
        self.screen.feed(text)
        return True
