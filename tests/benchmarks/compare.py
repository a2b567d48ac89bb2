"""Aurora Scheduler beside its peers: the same races, in turn, each in a process of its own; medians, spread and ratios.

`nox -s bench -- compare` runs all of it, some 40 minutes. By hand, from `tests`: `python -m benchmarks.compare burst
--rounds 1` prints one of the races; with `--write docs/figures` its table, and its plot, are put there.

The racers take turns, A B C A B C, so that a machine that gets slower does so for all of them. A race in which
something was run twice, or not recorded, is told as failed and has no number; so is a burst that lost something.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: APScheduler 3 and 4 have one name, and need environments of their own.
FOURTH = HERE.parents[1] / ".nox" / "apscheduler4"


@dataclass(frozen=True)
class Race:
    """A scenario, who takes part, and what is told of it: the name of each number, and its unit."""

    title: str
    scenario: str
    racers: tuple[str, ...]
    options: dict[str, Any]
    tells: dict[str, str]
    beside: str
    """Whose number is the 1 of the ratios."""
    slower: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Other options for those who would take too long."""


#: What the racers are called in tables and plots.
NAMES = {
    "aurora async": "Aurora Scheduler, `async def`",
    "aurora sync": "Aurora Scheduler, `def`",
    "aurora async normal": 'Aurora Scheduler, `async def`, `durability="normal"`',
    "aurora sync normal": 'Aurora Scheduler, `def`, `durability="normal"`',
    "aurora async memory": "Aurora Scheduler, `async def`, in memory",
    "aurora plain": "Aurora Scheduler, from threads",
    "apscheduler 3": "APScheduler 3.11, SQLAlchemy store, WAL, `synchronous=FULL`",
    "apscheduler 3 memory": "APScheduler 3.11, memory store",
    "apscheduler 4": "APScheduler 4.0.0a6, SQLAlchemy store",
    "huey": "huey, SQLite",
}
LATENESS = {"p50": "ms late, median", "p99": "ms late, 99 of 100", "lost": "lost", "cpu": "of a processor"}
_SIZES = ("aurora async", "aurora sync", "apscheduler 3", "apscheduler 3 memory")
_LEADS: dict[str, dict[str, Any]] = {"apscheduler 3": {"lead": 8}}
RACES = {
    "burst100": Race(
        "100 jobs that run once, all due at the same time", "burst", _SIZES, {"jobs": 100, "lead": 3},
        {"rate": "firings a second"}, "apscheduler 3",
    ),
    "burst1000": Race(
        "1,000 jobs that run once, all due at the same time", "burst", _SIZES, {"jobs": 1_000, "lead": 4},
        {"rate": "firings a second"}, "apscheduler 3", _LEADS,
    ),
    "burst": Race(
        "10,000 jobs that run once, all due at the same time",
        "burst",
        (
            "aurora async", "aurora sync", "aurora async normal", "aurora sync normal", "apscheduler 3",
            "apscheduler 3 memory", "apscheduler 4", "huey",
        ),
        {"jobs": 10_000, "lead": 6},
        {"rate": "firings a second"},
        "apscheduler 3",
        {
            "apscheduler 3": {"lead": 25}, "apscheduler 3 memory": {"lead": 12}, "huey": {"lead": 12},
            "apscheduler 4": {"jobs": 1_000, "lead": 25},
        },
    ),
    "burst30000": Race(
        "30,000 jobs that run once, all due at the same time", "burst", _SIZES, {"jobs": 30_000, "lead": 14},
        {"rate": "firings a second"}, "apscheduler 3",
        {"apscheduler 3": {"lead": 75}, "apscheduler 3 memory": {"lead": 40}},
    ),
    "light": Race(
        "50 jobs `every 1 second`, spread over the second, for 20 seconds",
        "steady",
        ("aurora async", "aurora sync", "aurora async memory", "apscheduler 3", "apscheduler 3 memory"),
        {"jobs": 50, "seconds": 20, "lead": 2},
        LATENESS,
        "apscheduler 3",
    ),
    "thousand": Race(
        "1,000 jobs `every 1 second`, spread over the second, for 30 seconds",
        "steady",
        ("aurora async", "aurora sync", "apscheduler 3", "apscheduler 3 memory"),
        {"jobs": 1_000, "seconds": 30, "lead": 3},
        LATENESS,
        "apscheduler 3",
    ),
    "thousands": Race(
        "3,000 jobs `every 1 second`, spread over the second, for 60 seconds",
        "steady",
        ("aurora async", "aurora sync", "apscheduler 3"),
        {"jobs": 3_000, "seconds": 60, "lead": 6},
        LATENESS,
        "apscheduler 3",
        {"apscheduler 3": {"lead": 12}},
    ),
    "create": Race(
        "Jobs created one by one, and by 100 callers at once",
        "create",
        ("aurora async", "aurora plain", "apscheduler 3"),
        {"jobs": 2_000, "callers": 100},
        {"alone": "ms each, alone", "rate": "jobs a second, by 100 at once"},
        "apscheduler 3",
    ),
}  # fmt: skip


def run(race: Race, racer: str) -> dict[str, Any]:
    """One race of one racer: what it measured."""
    options = race.options | race.slower.get(racer, {})
    command = [
        str(_python(racer)), "-m", "benchmarks.races", racer, race.scenario,
        *(f"{name}={json.dumps(value)}" for name, value in options.items()),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=HERE.parent, capture_output=True, text=True, timeout=600, check=False, env=_environment()
    )
    if done.returncode:
        return {"wrong": [(done.stderr.strip().splitlines() or ["it died without a word"])[-1]]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _python(racer: str) -> Path:
    if racer != "apscheduler 4":
        return Path(sys.executable)
    python = FOURTH / "bin" / "python"
    if not python.exists():
        venv.create(FOURTH, with_pip=True)
        packages = ["apscheduler==4.0.0a6", "sniffio", "sqlalchemy[asyncio]>=2"]  # some of it is not asked for
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def hold(race: Race, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """All racers in turn, so many times."""
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(rounds):
        for racer in race.racers:
            measured = run(race, racer)
            results[racer].append(measured)
            numbers = ", ".join(f"{measured[name]:.6g} {unit}" for name, unit in race.tells.items() if name in measured)
            wrong = f"  WRONG: {'; '.join(measured['wrong'])}" if measured["wrong"] else ""
            print(f"  {number + 1}/{rounds} {racer}: {numbers}{wrong}", flush=True)
    return results


def table(race: Race, results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The medians, with the least and the most, and the ratio of each to who is beside."""
    lines = [
        "| | " + " | ".join(f"{unit} | ratio" for unit in race.tells.values()) + " |",
        "|---|" + "---|---|" * len(race.tells),
    ]
    for racer in race.racers:
        cells = []
        for name in race.tells:
            mine, theirs = (_numbers(results[each], name) for each in (racer, race.beside))
            if not mine:
                cells += ["failed", ""]
                continue
            middle = statistics.median(mine)
            ratio = f"{middle / statistics.median(theirs):.2f}" if theirs and statistics.median(theirs) else ""
            cells += [f"{_plain(middle)} ({_plain(min(mine))}-{_plain(max(mine))})", ratio]
        lines.append(f"| {NAMES[racer]} | {' | '.join(cells)} |")
    return lines


def _numbers(results: list[dict[str, Any]], name: str) -> list[float]:
    return [each[name] for each in results if name in each and not each["wrong"]]


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:.3g}"


def main() -> None:
    """Hold the races that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("races", nargs="*", choices=[*RACES, []], metavar="race", help="which; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="the directory that the tables and plots are put into")
    said = parser.parse_args()
    came: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in said.races or RACES:
        race = RACES[name]
        print(f"\n{race.title}", flush=True)
        came[name] = hold(race, said.rounds)
        lines = table(race, came[name])
        print("\n".join(lines), flush=True)
        if said.write is not None:
            said.write.mkdir(exist_ok=True)
            text = "\n".join([f"{race.title}; medians of {said.rounds}, with the least and the most:", "", *lines])
            Path(said.write, f"{name}.md").write_text(f"{text}\n")
    if said.write is not None:
        draw(said.write, came)


def draw(directory: Path, came: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """The plots of what was held."""
    from benchmarks.races import plots  # not needed by those who only want numbers

    rates: dict[str, dict[int, list[float]]] = defaultdict(dict)
    for name, results in came.items():
        race = RACES[name]
        if race.scenario == "steady":
            cuts = {_name(racer): _middle(runs) for racer, runs in results.items() if _numbers(runs, "p50")}
            plots.lateness(directory / f"{name}.svg", race.title, cuts)
        elif race.scenario == "burst":
            for racer in _SIZES:
                rates[_name(racer)][race.options["jobs"]] = _numbers(results[racer], "rate")
    if rates:
        plots.throughput(directory / "throughput.svg", "Bursts: one-off jobs, all due at the same time", rates)


def _name(racer: str) -> str:
    return NAMES[racer].replace("`", "")


def _middle(runs: list[dict[str, Any]]) -> list[float]:
    """The medians of what was measured of each share."""
    good = [run["cuts"] for run in runs if "cuts" in run and not run["wrong"]]
    return [statistics.median(values) for values in zip(*good, strict=True)]


if __name__ == "__main__":
    main()
