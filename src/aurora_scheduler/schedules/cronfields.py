"""The five fields of a cron expression: what each accepts, and the hints for what is not accepted.

The dialect is Debian's: names in any case, 0 and 7 are Sunday, ranges, lists, steps; besides it `n/step` (from n to
the end), the last day of the month `L`, the last Friday `5L`, the second Monday `1#2`. What is read differently
elsewhere is refused, or put into words that can be read in one way only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.schedules.names import LAST_OF_MONTH

__all__ = ["ALIASES", "EXPRESSIONS", "Field", "fields"]

#: The expressions that are accepted, in words.
EXPRESSIONS = (
    'five fields, minute hour day month weekday, like "0 9 * * 1-5"; or @hourly, @daily, @weekly, @monthly, @yearly'
)

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one of the five fields accepts. `end` is where `n/step` ends; `most` may be a second name of `least`."""

    name: str
    least: int
    most: int
    end: int
    names: tuple[str, ...] = ()
    more: str = ""

    @property
    def accepted(self) -> str:
        names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"*, numbers {self.least} to {self.most}{names}, ranges 1-5, lists 1,3, steps */2{self.more}"


_KINDS = (
    _Kind("minute", 0, 59, 59),
    _Kind("hour", 0, 23, 23),
    _Kind("day of month", 1, 31, 31, (), ", L for the last day"),
    _Kind("month", 1, 12, 12, _MONTHS),
    _Kind("day of week", 0, 7, 6, _WEEKDAYS, ", 5L for the last Friday, 1#2 for the second Monday"),
)
_DAY, _WEEKDAY = _KINDS[2], _KINDS[4]

_VALUE = r"[0-9]+|[a-z]{3}"
_ITEM = re.compile(rf"(?:(?P<star>\*)|(?P<low>{_VALUE})(?:-(?P<high>{_VALUE}))?)(?:/(?P<step>[0-9]+))?")
_NTH = re.compile(rf"(?P<weekday>{_VALUE})#(?P<n>[0-9]+)")
_LAST = re.compile(rf"l(?P<before>{_VALUE})|(?P<after>{_VALUE})l")


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        plain: its ordinary items, in a form that every reader of cron understands alike; "" where there are none.
        starred: whether the field begins with `*`.
        last: whether it names the last day of the month.
        nth: the weekdays of the month that it names by number: pairs of a weekday and its number.
    """

    plain: str
    starred: bool
    last: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()


def fields(text: str) -> tuple[Field, Field, Field, Field, Field]:
    """The five fields of an expression, checked. Raises `ScheduleError`, with the item at fault and a hint.

    >>> [field.plain for field in fields("5-5 7/8 1,L * MON-fri")]
    ['5', '7-23/8', '1', '*', '1-5']
    """
    lowered = text.lower()
    if lowered.startswith("@"):
        if lowered not in ALIASES:
            why = "it would depend on when the scheduler starts" if lowered == "@reboot" else "there is no such name"
            raise ScheduleError(text, why, accepted=EXPRESSIONS)
        lowered = ALIASES[lowered]
    words = lowered.split()
    if len(words) != len(_KINDS):
        seconds = "; a field for seconds or years is not accepted" if len(words) > len(_KINDS) else ""
        raise ScheduleError(
            text,
            f"a cron expression has five fields, and this has {len(words)}{seconds}",
            part=" ".join(text.split()[len(_KINDS) :]) or None,
            accepted=EXPRESSIONS,
        )
    minute, hour, day, month, weekday = (
        _FieldReader(text, word, kind).read() for word, kind in zip(words, _KINDS, strict=True)
    )
    return minute, hour, day, month, weekday


@dataclass(frozen=True, slots=True)
class _FieldReader:
    """Reads one word as a field of one kind."""

    text: str
    word: str
    kind: _Kind

    def read(self) -> Field:
        plain: list[str] = []
        last = False
        nth: set[tuple[int, int]] = set()
        for item in self.word.split(","):
            if item == "l" and self.kind is _DAY:
                last = True
            elif self.kind is _WEEKDAY and (found := _NTH.fullmatch(item)):
                nth.add((self._value(found["weekday"]) % 7, self._nth(found["n"], item)))
            elif self.kind is _WEEKDAY and (found := _LAST.fullmatch(item)):
                nth.add((self._value(found["before"] or found["after"]) % 7, LAST_OF_MONTH))
            else:
                plain.append(self._item(item))
        return Field(",".join(plain), self.word.startswith("*"), last, frozenset(nth))

    def _item(self, item: str) -> str:
        """The item with numbers for names, as a range where it is one, as a single value where it is only one."""
        found = _ITEM.fullmatch(item)
        if found is None:
            self._refuse(self._why_not(item), item)
        step = self._step(found["step"], item)
        if found["star"]:
            return f"*{step}"
        low = self._value(found["low"])
        high = self._value(found["high"]) if found["high"] else max(low, self.kind.end) if step else low
        if high < low:
            self._refuse(f"the range ends before it begins{self._way_round(found['high'], low, high)}", item)
        return f"{low}-{high}{step}" if high > low else str(low)

    def _way_round(self, said: str, low: int, high: int) -> str:
        if self.kind is _WEEKDAY and high == 0:
            return f"; write {low}-7, since 7 is Sunday too"
        first, last = f"{low}-{self.kind.end}", f"{self.kind.least}-{high}"
        return f"; write {first},{last}"

    def _step(self, digits: str | None, item: str) -> str:
        if digits is None:
            return ""
        most = self.kind.end - self.kind.least + 1
        if not 1 <= int(digits) <= most:
            self._refuse(f"the step is {digits}, and must be 1 to {most}", item)
        return f"/{int(digits)}"

    def _value(self, said: str) -> int:
        kind = self.kind
        if said in kind.names:
            return kind.names.index(said) + kind.least
        if not said.isdigit():
            self._refuse(f"{said!r} is not a {kind.name}", said)
        if not kind.least <= int(said) <= kind.most:
            self._refuse(f"the value is {said}, and must be {kind.least} to {kind.most}", said)
        return int(said)

    def _nth(self, digits: str, item: str) -> int:
        if not 1 <= int(digits) <= 5:
            self._refuse(f"the number after # is {digits}, and must be 1 to 5", item)
        return int(digits)

    def _why_not(self, item: str) -> str:
        if not item:
            return "a list has an empty item"
        if "?" in item:
            return "? is not accepted; write *"
        if item == "l":
            return f"L is the last day of the month, not a {self.kind.name}; the last Friday is 5L"
        if re.fullmatch(r"(l-?)?[0-9]*w", item):
            return "W, the nearest weekday, is not accepted"
        if item[0] == "-":
            return "negative numbers are not accepted"
        if "/" in item and not re.search(r"/[0-9]+$", item):
            return "a step is a whole number"
        return "it is not a number, a range, a step or a name"

    def _refuse(self, why: str, part: str) -> NoReturn:
        start = self.text.lower().find(part)
        said = self.text[start : start + len(part)] if start >= 0 and part else self.word
        raise ScheduleError(self.text, f"in the {self.kind.name} field, {why}", part=said, accepted=self.kind.accepted)
