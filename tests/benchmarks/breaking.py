"""The most jobs `every 1 second` that a scheduler keeps up with: by and by more of them, until a firing is lost.

By hand, from `tests`: `python -m benchmarks.breaking`; with `--write ../docs/figures` the table is put there.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.compare import NAMES, RACES, run

SECONDS = 15
#: How many jobs there are, in turn: each time a quarter more.
SIZES = [round(1000 * 1.25**step, -2) for step in range(16)]
RACERS = ("apscheduler 3", "aurora async", "aurora sync")


def main() -> None:
    """Find it for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="the directory that the table is put into")
    said = parser.parse_args()
    lines = [
        f"Jobs `every 1 second`, spread over the second, for {SECONDS} seconds, each time a quarter more of them:",
        "",
        "| | the most without a firing lost | p50, p99 then, ms late | with a quarter more: lost |",
        "|---|---|---|---|",
        *map(_row, RACERS),
    ]
    text = "\n".join(lines)
    print(text)
    if said.write is not None:
        Path(said.write, "breaking.md").write_text(f"{text}\n")


def _row(racer: str) -> str:
    kept: tuple[int, dict[str, Any]] | None = None
    for jobs in map(int, SIZES):
        lead = 4 + jobs / (200 if racer.startswith("apscheduler") else 4000)
        race = replace(RACES["thousands"], options={"jobs": jobs, "seconds": SECONDS, "lead": lead}, slower={})
        measured = run(race, racer)
        wrong = f" {measured['wrong']}" if measured["wrong"] else ""
        print(f"  {racer}, {jobs}: {measured.get('lost')} lost, p99 {measured.get('p99', 0):.3g} ms{wrong}", flush=True)
        if measured["wrong"] or measured["lost"]:
            share = f"{measured['lost'] / measured['due']:.1%}" if "lost" in measured else "failed"
            return _told(racer, kept, share)
        kept = jobs, measured
    return _told(racer, kept, "not tried")


def _told(racer: str, kept: tuple[int, dict[str, Any]] | None, then: str) -> str:
    if kept is None:
        return f"| {NAMES[racer]} | fewer than {SIZES[0]:,.0f} | | {then} |"
    jobs, measured = kept
    return f"| {NAMES[racer]} | {jobs:,} | {measured['p50']:.3g}, {measured['p99']:.3g} | {then} |"


if __name__ == "__main__":
    main()
