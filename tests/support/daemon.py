"""A cron daemon as a second opinion: it looks at the clock once a minute, and knows nothing of the scheduler's search.

It shares no code with the package: the standard library's `datetime` and `zoneinfo`, sets of numbers, and patience.
Its rule is Debian cron's. An expression is *wild* if its minute or its hour field begins with `*`: it is matched with
what the clock shows, minute by minute. Any other is *fixed*: it is matched with every wall time once, those that the
clock jumps over in the minute at which it arrives. A jump forward of three hours or more, or back of more than three,
is a correction, after which everything counts anew.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

MINUTE = timedelta(minutes=1)
#: So long before a window the daemon begins to look, to know what it has seen already.
WARM_UP = 360
EPOCH = date(1970, 1, 1)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


# Expressions, drawn by lot together with what they mean. ------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """One item of a field: its text and its values; for days also the last, and weekdays by number (-1: the last)."""

    text: str
    values: frozenset[int] = frozenset()
    last: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Field:
    """One field: its items, as a list with commas."""

    items: tuple[Item, ...]

    @property
    def text(self) -> str:
        return ",".join(item.text for item in self.items)

    @property
    def starred(self) -> bool:
        return self.text.startswith("*")

    @property
    def values(self) -> frozenset[int]:
        return frozenset().union(*(item.values for item in self.items))


@dataclass(frozen=True)
class Kind:
    """What a field may have: its bounds, names for its values, and how likely it is a plain star."""

    least: int
    most: int
    star: float
    names: Sequence[str] = ()

    def said(self, chance: random.Random, value: int) -> str:
        """The value as a number or as a name, in any case."""
        if not self.names or chance.random() < 0.6:
            return str(value)
        name = self.names[value - self.least]
        return chance.choice([name, name.upper(), name.title()])

    def draw(self, chance: random.Random, near: Sequence[int]) -> Field:
        if chance.random() < self.star:
            return Field((Item("*", frozenset(range(self.least, self.most + 1))),))
        return Field(tuple(self.item(chance, near) for _ in range(chance.choice([1, 1, 1, 1, 2, 3]))))

    def item(self, chance: random.Random, near: Sequence[int]) -> Item:
        low = chance.choice(near) if near and chance.random() < 0.7 else chance.randint(self.least, self.most)
        high = chance.choice([low, chance.randint(low, self.most), chance.randint(low, self.most)])
        step = chance.choice([1, 2, 3, 5, 7, 15])
        step = min(step, self.most - self.least + 1)
        match chance.choice(["value", "value", "value", "range", "range", "steps", "every", "from"]):
            case "value":
                return Item(self.said(chance, low), frozenset({low}))
            case "range":
                return Item(f"{self.said(chance, low)}-{self.said(chance, high)}", frozenset(range(low, high + 1)))
            case "steps":
                text = f"{self.said(chance, low)}-{self.said(chance, high)}/{step}"
                return Item(text, frozenset(range(low, high + 1, step)))
            case "every":
                return Item(f"*/{step}", frozenset(range(self.least, self.most + 1, step)))
            case _:
                return Item(f"{self.said(chance, low)}/{step}", frozenset(range(low, self.most + 1, step)))


class MonthDay(Kind):
    def item(self, chance: random.Random, near: Sequence[int]) -> Item:
        if chance.random() < 0.12:
            return Item(chance.choice("Ll"), last=True)
        return super().item(chance, near)


class Weekday(Kind):
    def item(self, chance: random.Random, near: Sequence[int]) -> Item:
        day = chance.choice(near) if near and chance.random() < 0.7 else chance.randint(0, 6)
        pick = chance.random()
        said = "7" if day == 0 and chance.random() < 0.3 else self.said(chance, day)
        if pick < 0.1:
            return Item(chance.choice([f"{said}L", f"L{said}"]), nth=frozenset({(day, -1)}))
        if pick < 0.2:
            number = chance.randint(1, 5)
            return Item(f"{said}#{number}", nth=frozenset({(day, number)}))
        if pick < 0.25:
            return Item("7", frozenset({0}))
        if pick < 0.3:
            low = chance.randint(1, 6)
            return Item(f"{self.said(chance, low)}-7", frozenset({0, *range(low, 7)}))
        return super().item(chance, near)


KINDS = (
    Kind(0, 59, 0.15),
    Kind(0, 23, 0.3),
    MonthDay(1, 31, 0.55),
    Kind(1, 12, 0.75, MONTHS),
    Weekday(0, 6, 0.55, WEEKDAYS),
)
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@YEARLY": "0 0 1 1 *",
}


@dataclass(frozen=True)
class Expression:
    """Five fields and what they mean."""

    fields: tuple[Field, ...]
    alias: str | None = None

    @property
    def text(self) -> str:
        return self.alias or " ".join(field.text for field in self.fields)

    @property
    def wild(self) -> bool:
        return self.fields[0].starred or self.fields[1].starred

    @cached_property
    def minutes(self) -> frozenset[int]:
        """The minutes of the day."""
        return frozenset(hour * 60 + minute for hour in self.fields[1].values for minute in self.fields[0].values)

    def means(self, day: date) -> bool:
        """Whether it means that day."""
        _, _, by_number, month, by_weekday = self.fields
        if day.month not in month.values:
            return False
        weekday = day.isoweekday() % 7
        is_last = (day + timedelta(days=1)).day == 1
        is_last_of_its_weekday = (day + timedelta(days=7)).month != day.month
        number = day.day in by_number.values or (is_last and any(item.last for item in by_number.items))
        nths = frozenset().union(*(item.nth for item in by_weekday.items))
        name = (
            weekday in by_weekday.values
            or (weekday, (day.day - 1) // 7 + 1) in nths
            or (is_last_of_its_weekday and (weekday, -1) in nths)
        )
        return (number and name) if by_number.starred or by_weekday.starred else (number or name)


def draw_expression(chance: random.Random, walls: Sequence[int]) -> Expression:
    """An expression whose fields are likely those of one of these wall times, in minutes since 1970."""
    if chance.random() < 0.03:
        alias = chance.choice(sorted(ALIASES))
        numbers = [[None if word == "*" else int(word)] for word in ALIASES[alias].split()]
        fields = tuple(
            Field((Item("*", frozenset(range(kind.least, kind.most + 1))) if value is None
                   else Item(str(value), frozenset({value})),))
            for kind, (value,) in zip(KINDS, numbers, strict=True)
        )  # fmt: skip
        return Expression(fields, alias)
    days = sorted({EPOCH + timedelta(days=wall // 1440) for wall in walls})
    near = (
        [wall % 60 for wall in walls],
        [wall // 60 % 24 for wall in walls],
        [day.day for day in days],
        [day.month for day in days],
        [day.isoweekday() % 7 for day in days],
    )
    return Expression(tuple(kind.draw(chance, each) for kind, each in zip(KINDS, near, strict=True)))


# The daemon. --------------------------------------------------------------------------------------------------------


class Watch:
    """What the clock of a zone shows from `start` on, a look a minute; wall times are minutes since 1970."""

    def __init__(self, zone: ZoneInfo, start: datetime, minutes: int) -> None:
        self.zone = zone
        self.start = start
        self.minutes = minutes
        self._shown: list[int] = []
        self._counted: list[tuple[int, ...]] = []
        seen: set[int] = set()
        before = None
        for number in range(-WARM_UP, minutes):
            wall = self._wall(start + number * MINUTE)
            jump = 0 if before is None else wall - before - 1
            before = wall
            if jump >= 180 or jump < -180:
                seen.clear()
                jump = 0
            fresh = tuple(each for each in range(wall - max(jump, 0), wall + 1) if each not in seen)
            seen.update(fresh)
            if number >= 0:
                self._shown.append(wall)
                self._counted.append(fresh)

    def _wall(self, now: datetime) -> int:
        wall = now.astimezone(self.zone)
        return (wall.toordinal() - EPOCH.toordinal()) * 1440 + wall.hour * 60 + wall.minute

    def interesting(self) -> list[int]:
        """Wall times about the turn in this window; where there is none, about its middle."""
        for last, wall in pairwise(self._shown):
            if wall != last + 1:
                low, high = sorted((last + 1, wall))
                return [low - 1, low, (low + high) // 2, high - 1, high]
        return [self._shown[len(self._shown) // 2] + number * 360 for number in range(-2, 3)]

    def is_decided(self, expression: Expression) -> bool:
        """Whether the rule decides: a fixed expression whose firings are others than what the clock shows."""
        shown = [(wall,) for wall in self._shown]
        return not expression.wild and self._matching(expression, shown) != self._matching(expression, self._counted)

    def firings(self, expression: Expression) -> list[datetime]:
        """When the daemon would run it."""
        looks = [(wall,) for wall in self._shown] if expression.wild else self._counted
        return self._matching(expression, looks)

    def _matching(self, expression: Expression, looks: Sequence[Sequence[int]]) -> list[datetime]:
        """The looks, a minute each, at which one of the wall times is meant."""
        meant: dict[int, bool] = {}

        def matches(wall: int) -> bool:
            day, minute = divmod(wall, 1440)
            if minute not in expression.minutes:
                return False
            if day not in meant:
                meant[day] = expression.means(EPOCH + timedelta(days=day))
            return meant[day]

        return [
            self.start + number * MINUTE for number, walls in enumerate(looks) if any(matches(wall) for wall in walls)
        ]


# Where to look. -----------------------------------------------------------------------------------------------------


@cache
def all_zones() -> tuple[str, ...]:
    """Every zone of the zone data, but for copies under other names that mean something else elsewhere."""
    others = ("posix/", "right/", "localtime", "Factory", "posixrules")
    return tuple(sorted(name for name in available_timezones() if not name.startswith(others)))


@cache
def turns(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The days from 1973 to 2037 between whose noons the zone's offset changes, found by looking every third day."""
    step = timedelta(days=3)
    found: list[datetime] = []
    day = datetime(1973, 1, 3, 12, tzinfo=UTC)
    while day.year < 2038:
        if day.astimezone(zone).utcoffset() != (day + step).astimezone(zone).utcoffset():
            near = [day + timedelta(days=number) for number in range(4)]
            offsets = [each.astimezone(zone).utcoffset() for each in near]
            found += [each for each, old, new in zip(near, offsets, offsets[1:], strict=False) if old != new]
        day += step
    return tuple(found)


def draw_start(chance: random.Random, zone: ZoneInfo) -> datetime:
    """A minute less than 30 hours before a day of a turn; now and then, or where there is none, any minute."""
    around = turns(zone)
    if not around or chance.random() < 0.05:
        return datetime(1973, 1, 3, tzinfo=UTC) + chance.randrange(64 * 365 * 1440) * MINUTE
    return chance.choice(around) - chance.randrange(30 * 60) * MINUTE
