"""What turns of the clock make of wall times: those that do not exist, and those that occur twice."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from aurora_scheduler.instants import aware
from aurora_scheduler.schedules.base import Oddity
from aurora_scheduler.schedules.describing import listed
from aurora_scheduler.schedules.names import clock_text
from aurora_scheduler.schedules.pattern import Pattern
from aurora_scheduler.schedules.zones import DAY, Turn, turns

__all__ = ["oddity_of_firing", "oddity_of_turn", "oddity_of_wall"]


def oddity_of_turn(pattern: Pattern, zone: ZoneInfo, turn: Turn, *, wild: bool) -> Oddity | None:
    """What a turn makes of the pattern's wall times, or None where it names none of the odd ones."""
    walls = _named(pattern, *turn.odd)
    if not walls:
        return None
    if turn.after > turn.before:
        return _gap(walls, zone, turn, caught_up=not (wild or turn.is_correction))
    both = "fires both times" if wild or turn.is_correction else "fires the first time only"
    return Oddity("overlap", f"{_said(walls, 'occurs', 'occur')} twice{_on(walls[0], zone)}: {both}")


def oddity_of_firing(pattern: Pattern, zone: ZoneInfo, instant: int, *, wild: bool) -> Oddity | None:
    """What a turn made of this firing, or None."""
    for turn in turns(zone, instant - DAY, instant + DAY):
        if turn.after > turn.before:
            walls = _named(pattern, *turn.odd)
            if turn.instant == instant and walls and not (wild or turn.is_correction):
                return _gap(walls, zone, turn, caught_up=True)
            continue
        first, end = turn.odd
        is_first = instant < turn.instant
        wall = instant + (turn.before if is_first else turn.after)
        if first <= wall < end:
            if wild or turn.is_correction:
                which = "this is the first" if is_first else "this is the second"
            else:
                which = "fires the first time only"
            return Oddity("overlap", f"{_said([wall], 'occurs', '')} twice{_on(wall, zone)}: {which}")
    return None


def oddity_of_wall(wall: int, zone: ZoneInfo, instant: int) -> Oddity | None:
    """What a turn made of a single wall time that fires at `instant`, or None."""
    for turn in turns(zone, instant - DAY, instant + DAY):
        first, end = turn.odd
        if first <= wall < end:
            if turn.after > turn.before:
                return _gap([wall], zone, turn, caught_up=True)
            return Oddity("overlap", f"{_said([wall], 'occurs', '')} twice{_on(wall, zone)}: fires the first time only")
    return None


def _gap(walls: list[int], zone: ZoneInfo, turn: Turn, *, caught_up: bool) -> Oddity:
    end = turn.instant + turn.after
    fires = f"fires at {clock_text(end % DAY)}" if caught_up else "no firing"
    return Oddity("gap", f"{_said(walls, 'does', 'do')} not exist{_on(walls[0], zone)}: {fires}")


def _named(pattern: Pattern, first: int, end: int) -> list[int]:
    """The pattern's wall times from `first` to before `end`."""
    found: list[int] = []
    wall = pattern.at_or_after(first)
    while wall is not None and wall < end:
        found.append(wall)
        wall = pattern.at_or_after(wall + 1)
    return found


def _said(walls: list[int], one: str, several: str) -> str:
    return f"{listed([clock_text(wall % DAY) for wall in walls])} {one if len(walls) == 1 else several}"


def _on(wall: int, zone: ZoneInfo) -> str:
    """`on 2030-03-31 in Berlin`."""
    day = (aware(0).replace(tzinfo=None) + timedelta(microseconds=wall)).date()
    return f" on {day} in {zone.key.rpartition('/')[2].replace('_', ' ')}"
