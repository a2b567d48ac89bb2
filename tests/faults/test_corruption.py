"""Damaged databases: whatever is in the file, the scheduler works, or refuses it untouched, or says what is wrong.

Each file is opened by the real scheduler in a process of its own, which lives a whole life on it: initialise, every
public call, start, fire, every call again, stop. `HYPOTHESIS_PROFILE=thorough` tries more than a thousand files.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from faults.damage import CONTENT_COUNT, DAMAGES, EVERY_CONTENT
from stores.making import surroundings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
#: How many databases are damaged in each way.
EACH = 40 if THOROUGH else 2
#: Of the contents that a column should never hold, every so many are tried.
EVERY = 1 if THOROUGH else 41
#: A file that takes longer than this, in seconds, has made the scheduler hang.
LIMIT = 20.0
#: The machine may be busy with something else.
SLACK = 3.0

ENDS = ("worked", "refused", "degraded", "unhandled")


def lives(directory: Path, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What becomes of each file. A process that hangs or dies is told, and another goes on with the next file."""
    left = list(numbers)
    while left:
        with (directory / "errors.txt").open("wb") as errors_file:
            process = subprocess.Popen(
                [sys.executable, "-m", "faults.survive", str(directory), *map(str, left)],
                stdout=subprocess.PIPE,
                stderr=errors_file,
                env=surroundings(),
                text=True,
            )
        with process:
            while left:
                watch = threading.Timer(LIMIT * SLACK, process.kill)
                watch.start()
                assert process.stdout is not None
                begun, done = process.stdout.readline(), process.stdout.readline()
                watch.cancel()
                if not done:
                    break
                assert json.loads(begun) == {"begun": left[0]}
                yield json.loads(done)
                del left[0]
            process.kill()
        if left:
            errors = (directory / "errors.txt").read_text(errors="replace")[-2000:]
            assert begun, f"the process did not come to begin: {errors}"
            what = "hung" if process.returncode == -9 else f"the process ended with {process.returncode}"
            yield {"number": left.pop(0), "name": what, "end": "unhandled", "wrong": [f"{what}: {errors}"]}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of every file."""
    faulthandler.cancel_dump_traceback_later()  # a thousand files take longer than any one test should
    numbers = [*range(EACH * len(DAMAGES)), *range(EVERY_CONTENT, EVERY_CONTENT + CONTENT_COUNT, EVERY)]
    halves = [numbers[::2], numbers[1::2]]

    def live(half: Sequence[int]) -> list[dict[str, Any]]:
        return list(lives(tmp_path_factory.mktemp("damaged"), half))

    with ThreadPoolExecutor(len(halves)) as pool:
        return [verdict for found in pool.map(live, halves) for verdict in found]


def test_no_damaged_file_does_worse_than_to_be_refused_or_told(verdicts, capsys):
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        kind = verdict["name"] if verdict["number"] < EVERY_CONTENT else "each content of each column"
        kinds[kind][verdict["end"]] += 1
    with capsys.disabled():
        print(f"\n{'damaged':32}{'files':>7}" + "".join(f"{end:>11}" for end in ENDS))
        for kind, ends in [*kinds.items(), ("all", sum(kinds.values(), Counter()))]:
            print(f"{kind:32}{ends.total():7}" + "".join(f"{ends[end]:11}" for end in ENDS))
    wrong = [f"{each['number']} ({each['name']}): {each['wrong'][0]}" for each in verdicts if each["wrong"]]
    assert wrong == [], "\n".join(wrong)


def test_each_way_to_damage_a_file_was_tried(verdicts):
    assert set(DAMAGES) <= {verdict["name"] for verdict in verdicts}


def test_the_ends_are_not_all_the_same(verdicts):
    """Else it would not be the damage that is tested."""
    assert {verdict["end"] for verdict in verdicts} >= {"worked", "refused", "degraded"}
