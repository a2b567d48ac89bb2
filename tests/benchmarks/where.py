"""Where the time of one firing goes: a burst, looked at by py-spy; microseconds of Python's lock for each firing.

By hand, from `tests`: `python -m benchmarks.where async` (or `sync`). What SQLite and the kernel do beside is not in
it, for the lock is free then; the line "all, by the clock" tells what a firing took in the end.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
JOBS = 20_000
_RATE = 800

#: A part of a firing, and the functions whose calls, with all they call, belong to it: the first line that fits.
PARTS = {
    "the rules: what is due, and the claim of it": ("decide", "is_plainly_due"),
    "the rules: what an end means, and the next firing": ("settle", "recover"),
    "writing: rows made of values, statements handed to SQLite": ("ThreadedWriter._keep_writing",),
    "reading": ("ThreadedWriter._keep_reading",),
    "the callback, and the scope that it can be cancelled in": ("Runners._in_trio", "Runners._call"),
    "its end, handed to the writer": ("_ended",),
    "its end, brought into the book": ("_end_written",),
    "beginning it: its task, or its place in a thread": ("Book.launch", "_perform", "CallbackThreads._take_calls"),
    "the claim: its slot, its way to the writer and back": ("Slots._hand_out", "_claim", "Book._claimed"),
    "the job's own task: waking, and going to sleep": ("tend", "Alarms.run", "Bell.wait"),
    "answers from other threads": ("Mailbox.run", "EntryQueue.task"),
    "Trio's loop": ("unrolled_run",),
}  # fmt: skip

_BURST = """
import sys, tempfile, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from benchmarks.races import effects
from benchmarks.races.aurora import Aurora
count, racer = int(sys.argv[2]), Aurora(callback=sys.argv[1])
with tempfile.TemporaryDirectory() as directory:
    racer.open(Path(directory))
    due = datetime.now(UTC) + timedelta(seconds=5)
    racer.once(count, due)
    time.sleep(max(0.0, due.timestamp() - time.time() - 0.5))
    print("ready", flush=True)
    while len(effects.marks) < count:
        time.sleep(0.05)
    took = max(moment for _, moment in effects.marks) - due.timestamp()
    time.sleep(0.5)
    print(took / count * 1e6, flush=True)
    racer.close()
    assert not racer.complaints(Path(directory), count)
"""


def record(kind: str, raw: Path) -> float:
    """Have a burst recorded; microseconds by the clock for each firing."""
    command = [sys.executable, "-c", _BURST, kind, str(JOBS)]
    with subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True) as burst:
        assert burst.stdout is not None
        assert burst.stdout.readline() == "ready\n"
        spy = ["py-spy", "record", "--gil", "--nonblocking", "--nolineno", "--format", "raw", "--rate", str(_RATE)]
        with subprocess.Popen(
            [str(Path(sys.executable).with_name(spy[0])), *spy[1:], "--pid", str(burst.pid), "--output", str(raw)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ):
            return float(burst.stdout.readline())


def part_of(stack: list[str]) -> str:
    """The part of a firing that a stack belongs to."""
    for part, names in PARTS.items():
        if any(name in names for name in stack):
            return part
    return "anything else"


def main(kind: str = "async") -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory, "raw")
        took = record(kind, raw)
        parts: Counter[str] = Counter()
        for line in raw.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            parts[part_of([re.sub(r" \(.*", "", frame) for frame in stack.split(";")])] += int(count)
    print(f"| a burst of {JOBS:,} {kind} callbacks | us a firing |\n|---|---|")
    for part in [*PARTS, "anything else"]:
        print(f"| {part} | {parts[part] / _RATE / JOBS * 1e6:.1f} |")
    print(f"| all of it | {parts.total() / _RATE / JOBS * 1e6:.1f} |\n| all, by the clock | {took:.1f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
