"""Programs of events: what can happen to a scheduler, drawn by chance or by Hypothesis."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from support.reference_jobs import SECOND, Part

__all__ = ["BOUNDS", "DURATIONS", "MANNERS", "Event", "draw_program", "programs", "random_program"]

#: What happens, and how.
Event = tuple[Any, ...]
#: Whatever chooses one of several things: chance, or Hypothesis.
Pick = Callable[[Sequence[Any]], Any]

SCHEDULES = (
    "every 1 minute", "every 90 seconds", "every 5 minutes", "*/5 * * * *", "in 30 seconds", "every 1 hour",
    "0 * * * *", "in 10 minutes",
)  # fmt: skip
#: What a job's callbacks do: one of these each time, as chance has it.
QUICK, SHORT, LONG = 0, 20 * SECOND, 200 * SECOND
MANNERS: dict[str, tuple[Part, ...]] = {
    "well": (Part(QUICK),),
    "ill": (Part(QUICK, fails=True),),
    "mixed": (Part(QUICK), Part(SHORT), Part(QUICK, fails=True), Part(SHORT, fails=True)),
    "slow": (Part(SHORT), Part(LONG), Part(LONG, fails=True)),
    "deaf": (Part(QUICK), Part(SHORT, deaf=True), Part(LONG, deaf=True), Part(LONG, fails=True, deaf=True)),
    "endless": (Part(QUICK), Part(None), Part(None, deaf=True), Part(SHORT)),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "misfire": ("run_once", "skip", "run_all"),
    "misfire_grace": (60 * SECOND, 0, 90 * SECOND, 4000 * SECOND),
    "overlap": ("skip", "queue_one", "queue_all", "allow", "cancel_previous"),
    "timeout": (None, 15_017_003, 90_017_011),
    "max_retries": (3, 0, 1, 2),
    "retry_delay": (300 * SECOND, 10 * SECOND, 45 * SECOND),
    "retry_backoff": (1.0, 2.0, 1.5),
    "max_retry_delay": (86_400 * SECOND, 50 * SECOND),
    "on_exhausted": ("deactivate", "continue"),
    "max_runs": (None, 1, 2, 5),
    "jitter": (0, 20 * SECOND, 400 * SECOND),
    "delivery": ("at_least_once", "at_most_once"),
    "max_instances": (None, 1, 2, 3),
}
#: Bounds, in microseconds after the creation.
BOUNDS = {"start_at": (None, 100 * SECOND), "end_at": (None, 400 * SECOND, 4000 * SECOND)}
EDITABLE = ("misfire", "overlap", "timeout", "max_retries", "retry_delay", "on_exhausted", "jitter")
DURATIONS = ("misfire_grace", "timeout", "retry_delay", "max_retry_delay", "jitter")
#: What happens, as often as it is named.
KINDS = (
    *["pass_time"] * 8, "create", "create", "crash_or_start", "crash_or_start", "start_at_grace", "pause", "resume",
    "delete", "edit", "edit", "run_by_hand", "run_by_hand", "cancel", "cancel",
)  # fmt: skip
CLOCK_STEPS = (90, -60, 3_700, -3_000, 18_000, -9_000, -12_000, -100_000)


def draw_program(pick: Pick, steps: int, *, clock: bool = True, faults: bool = True) -> list[Event]:
    """Some jobs, a process, and what happens then. `pick` is chance, or Hypothesis."""
    kinds = list(KINDS)
    kinds += ["set_clock"] * 2 * clock + ["away_or_back", "away_or_back", "lose_answers"] * faults
    jobs = [draw_event(pick, "create") for _ in range(pick((1, 2, 3)))]
    left = max(0, steps - len(jobs) - 1)
    return [*jobs, ("crash_or_start",), *(draw_event(pick, pick(kinds)) for _ in range(left))]


def draw_event(pick: Pick, kind: str) -> Event:
    """One event of a kind; those that do not apply when their turn comes are passed over."""
    slots = (0, 1, 2)
    match kind:
        case "create":
            bounds = {name: pick(values) for name, values in BOUNDS.items()} if pick((False, False, True)) else {}
            return (kind, pick(slots), pick(SCHEDULES), pick(tuple(MANNERS)), _drawn_options(pick, CHOICES), bounds)
        case "edit":
            text = pick((None, *SCHEDULES)) if pick((False, True)) else None
            return (kind, pick(slots), text, _drawn_options(pick, EDITABLE))
        case "pass_time":
            return (kind, pick((61, 1, 20, 100, 300, 1_000, 3_700)))
        case "start_at_grace":
            return (kind, pick(slots), pick((0, 1, -1)))
        case "cancel":
            return (kind, pick(slots), pick((0, 1, 2, 3)))
        case "set_clock":
            return (kind, pick(CLOCK_STEPS))
        case "lose_answers":
            return (kind, pick((61, 1, 20, 300)))
        case "crash_or_start" | "away_or_back":
            return (kind,)
        case _:
            return (kind, pick(slots))


def _drawn_options(pick: Pick, names: Iterable[str]) -> dict[str, Any]:
    return {name: pick(CHOICES[name]) for name in names if pick((False, False, True))}


def random_program(number: int, steps: int, seed: int = 0, *, clock: bool = True, faults: bool = True) -> list[Event]:
    """The program of this number."""
    return draw_program(random.Random(f"{seed} {number}").choice, steps, clock=clock, faults=faults)


@st.composite
def programs(draw: st.DrawFn, steps: int) -> list[Event]:
    """The same by Hypothesis, so that what disagrees becomes short."""
    return draw_program(lambda choices: draw(st.sampled_from(choices)), draw(st.integers(2, steps)))
