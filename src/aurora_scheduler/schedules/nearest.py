"""The nearest phrase that is accepted, for one that is not: mended where reading stopped, until it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import SequenceMatcher, get_close_matches

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Schedule
from aurora_scheduler.schedules.names import MONTH_NAMES, ORDINALS, WEEKDAY_NAMES
from aurora_scheduler.schedules.words import Misspoken

__all__ = ["nearest"]

_VOCABULARY = (
    *("every", "in", "at", "on", "and", "between", "of", "the", "next", "today", "tomorrow", "noon", "midnight"),
    *("second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "year"),
    *("weekday", "weekdays", "weekend", "weekends", *ORDINALS),
    *(name.lower() for name in (*WEEKDAY_NAMES, *MONTH_NAMES)),
)
#: What people want, if their words cannot be mended.
_EXAMPLES = (
    *("every 5 minutes", "every 1 hour", "every 1 day", "in 30 minutes", "tomorrow at 09:00", "on friday at 17:30"),
    *("every day at 09:00", "every weekday at 09:00", "every weekend at 09:00", "every monday at 09:00", "at 18:00"),
    *("every month on the 1st at 09:00", "every month on the last day at 18:00", "every year on december 25 at 09:00"),
    *("every first monday of the month at 09:00", "every hour at :15", "every 15 minutes between 09:00 and 17:00"),
)
_MOST_MENDS = 3
_MOST_READINGS = 120


def nearest(text: str, error: Misspoken, read: Callable[[str], Schedule]) -> str:
    """A phrase near to `text` that `read` takes; `error` is what it had to say of the text itself.

    Breadth first: what takes one mend is nearer than what takes two.
    """
    seen = {text}
    readings = 0
    faulty = [(text, error)]
    for _ in range(_MOST_MENDS):
        still: list[tuple[str, Misspoken]] = []
        for candidate in (mended for each in faulty for mended in _mended(*each)):
            if candidate in seen or readings == _MOST_READINGS:
                continue
            seen.add(candidate)
            readings += 1
            try:
                schedule = read(candidate)
            except Misspoken as again:
                still.append((candidate, again))
            except ScheduleError:  # a sentence, but past, or never
                continue
            else:
                return candidate if schedule.kind is ScheduleType.ABSOLUTE else schedule.text
        faulty = still
    return max(_EXAMPLES, key=lambda example: SequenceMatcher(None, text.lower(), example).ratio())


def _mended(text: str, error: Misspoken) -> Iterator[str]:
    """The text with one mend at the word at fault, the likeliest first."""
    before, word, after = text[: error.start], text[error.start : error.end], text[error.end :]
    if not word:
        before += " "
    for other in get_close_matches(word.lower(), _VOCABULARY, n=3, cutoff=0.6):
        yield before + other + after
    for fitting in error.fitting:
        yield before + fitting + after
        yield f"{before}{fitting} {word}{after}"
    if word:
        yield before.rstrip() + after
