"""Time zones: names, wall times and instants, and the daylight-saving rule of cron.

A *wall time* is what a clock on the wall shows: a naive `datetime`, or microseconds since 1970-01-01 00:00 on that
clock. Wall time minus the zone's offset is the instant. Where the offset changes, the zone *turns*: forward leaves a
gap of wall times that never occur, back lets some occur twice.

**The daylight-saving rule.** A *wild* cron expression, one whose minute or hour field begins with `*`, follows real
time: it sees whatever the clock shows, so it has nothing to do in a gap and fires twice where times repeat. A *fixed*
one means each wall time once: it reads on where it had stopped, so times in a gap are due at the gap's end, and
repeated ones are done already. A turn forward by three hours or more, or back by more than three, is no daylight saving
but a correction of the clock: then the fixed one too just goes by the clock. Each `Stretch` says where both read on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import FIRST, LAST, SECOND, aware, instant_of, micros

__all__ = [
    "DAY",
    "Stretch",
    "find_zone",
    "instant_of_datetime",
    "instant_of_wall",
    "load_zone",
    "naive_wall",
    "nearest_zone",
    "stretch_at",
    "zones_of_city",
]

DAY = 86_400 * SECOND
_ACCEPTED = 'an IANA time zone name like "Europe/Berlin", "America/New_York" or "UTC"'
#: Copies of other zones under names that mean something else elsewhere; "right/" counts leap seconds.
_NOT_ZONES = ("posix/", "right/", "posixrules", "localtime", "Factory")
_LONGEST_NAME = 100
_CORRECTION = 180 * 60 * SECOND
_EPOCH_WALL = aware(0).replace(tzinfo=None)
#: Turns are looked for in chunks of so much time,
_CHUNK = 8 * DAY
#: by comparing offsets so far apart. No zone has turned twice within less than six days since 1973.
_STEP = 3 * DAY


def load_zone(name: object) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises `ScheduleError` for anything else: None, numbers, paths, abbreviations and names that are not known here.

    >>> load_zone("Europe/Berlin")
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    if not isinstance(name, str):
        raise ScheduleError(
            name, f"a time zone is a name, not {type(name).__name__}", accepted=_ACCEPTED, what="time zone"
        )
    return _load(name)


@lru_cache(maxsize=1024)
def _load(name: str) -> ZoneInfo:
    if not name or len(name) > _LONGEST_NAME or not name.isascii() or name.startswith(_NOT_ZONES):
        raise ScheduleError(name, "it is not the name of a time zone", accepted=_ACCEPTED, what="time zone")
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        reason = f"no time zone of this name is known here{_hint(name)}"
        raise ScheduleError(name, reason, accepted=_ACCEPTED, what="time zone") from error


def _hint(name: str) -> str:
    """What may have been meant by a name that no zone has."""
    if name.isupper() and len(name) <= 5:
        return ", and abbreviations mean different zones to different people; say a place in it"
    near = nearest_zone(name)
    return "" if near is None else f"; did you mean {near!r}?"


@lru_cache(maxsize=1024)
def nearest_zone(name: str) -> str | None:
    """The zone of this city, or the one with the most similar name, or None.

    >>> nearest_zone("tokyo"), nearest_zone("Europe/Berln"), nearest_zone("Mars/Olympus")
    ('Asia/Tokyo', 'Europe/Berlin', None)
    """
    known = _known_zones()
    near = zones_of_city(name) or [known[each] for each in get_close_matches(name.lower(), known, n=1)]
    return near[0] if near else None


def find_zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name in any case, or None.

    >>> find_zone("europe/berlin"), find_zone("january")
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), None)
    """
    key = _known_zones().get(name.lower())
    if key is None and "/" not in name:
        return None
    try:
        return load_zone(key or name)  # it may have come, or gone, since they were listed
    except ScheduleError:
        return None


def zones_of_city(name: str) -> tuple[str, ...]:
    """The names of the time zones that end with this city.

    >>> zones_of_city("berlin")
    ('Europe/Berlin',)
    """
    return tuple(sorted(zone for key, zone in _known_zones().items() if key.endswith(f"/{name.lower()}")))


@lru_cache(maxsize=1)
def _known_zones() -> Mapping[str, str]:
    return {name.lower(): name for name in available_timezones() if not name.startswith(_NOT_ZONES)}


def instant_of_datetime(moment: datetime, zone: ZoneInfo) -> int:
    """The instant of a datetime; a naive one is a wall time of `zone`."""
    return instant_of(moment) if moment.utcoffset() is not None else instant_of_wall(moment, zone)


def instant_of_wall(wall: datetime, zone: ZoneInfo) -> int:
    """The instant at which clocks in `zone` show the naive `wall`.

    A wall time in a gap means the gap's end. One that occurs twice means the first occurrence (the second, if its
    `fold` says so).

    >>> aware(instant_of_wall(datetime(2025, 3, 30, 2, 30), load_zone("Europe/Berlin"))).isoformat()
    '2025-03-30T01:00:00+00:00'
    """
    naive = naive_wall(wall)
    first, second = (naive - _wall_offset(wall, zone, fold) for fold in (0, 1))
    if second < first:  # read by the offset after the turn it lies before it, and the other way round: a gap
        return _turn(zone, second, first)
    return second if wall.fold else first


def naive_wall(wall: datetime) -> int:
    """A naive datetime as microseconds since 1970-01-01 00:00 on the wall."""
    return micros(wall - _EPOCH_WALL)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which a zone's offset stays the same.

    Attributes:
        begin: its first instant.
        end: the instant after its last.
        offset: wall time minus instant, in microseconds.
        fixed_from: the wall time from which a fixed schedule reads here. After a turn back later than the stretch's
            own first wall time; after a turn forward earlier: what it missed in the gap is due at `begin`.
    """

    begin: int
    end: int
    offset: int
    fixed_from: int

    @property
    def wild_from(self) -> int:
        """The wall time at `begin`, from which a wild schedule reads here."""
        return self.begin + self.offset


def stretch_at(zone: ZoneInfo, instant: int) -> Stretch:
    """The stretch around an instant from `FIRST` to `LAST`. Stretches are cut at some days without a turn, too."""
    for stretch in _stretches(zone, instant // _CHUNK):
        if instant < stretch.end:
            return stretch
    raise AssertionError(f"{instant} is outside the calendar")


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of a zone's offset.

    Attributes:
        instant: the first instant of the new offset.
        before: wall time minus instant until then, in microseconds.
        after: the same from then on.
    """

    instant: int
    before: int
    after: int

    @property
    def is_correction(self) -> bool:
        """Whether it is too large for daylight saving: then a fixed schedule, too, just goes by the clock."""
        return not -_CORRECTION <= self.after - self.before < _CORRECTION

    @property
    def odd(self) -> tuple[int, int]:
        """The wall times that do not occur, or occur twice: the first, and the one after the last."""
        walls = self.instant + self.before, self.instant + self.after
        return min(walls), max(walls)


def turns(zone: ZoneInfo, first: int, last: int) -> Iterator[Turn]:
    """The turns of a zone from `first` to `last`."""
    stretch = stretch_at(zone, min(max(first - 1, FIRST), LAST))
    while stretch.end <= min(last, LAST):
        following = stretch_at(zone, stretch.end)
        if following.offset != stretch.offset:
            yield Turn(stretch.end, stretch.offset, following.offset)
        stretch = following


@lru_cache(maxsize=4096)
def _stretches(zone: ZoneInfo, chunk: int) -> tuple[Stretch, ...]:
    start, end = max(chunk * _CHUNK, FIRST), min((chunk + 1) * _CHUNK, LAST + 1)
    # A turn back shortly before the chunk is still felt in it: begin a day earlier.
    begin = max(start - DAY, FIRST)
    marks = [*range(begin, end, _STEP), end]
    offsets = [_offset(zone, mark) for mark in marks]
    turns = [
        _turn(zone, *between)
        for *between, before, after in zip(marks, marks[1:], offsets, offsets[1:], strict=False)
        if before != after
    ]
    found: list[Stretch] = []
    read_on = begin + offsets[0]
    for left, right in zip([begin, *turns], [*turns, end], strict=True):
        offset = _offset(zone, left)
        if found and Turn(left, found[-1].offset, offset).is_correction:
            read_on = left + offset
        found.append(Stretch(left, right, offset, read_on))
        read_on = max(read_on, right + offset)
    return tuple(_cut(stretch, start) for stretch in found if stretch.end > start)


def _cut(stretch: Stretch, start: int) -> Stretch:
    """The part of the stretch from `start` on."""
    if stretch.begin >= start:
        return stretch
    return Stretch(start, stretch.end, stretch.offset, max(stretch.fixed_from, start + stretch.offset))


def _turn(zone: ZoneInfo, low: int, high: int) -> int:
    """The instant in (low, high] from which the offset is the one at `high`; one turn lies between."""
    offset = _offset(zone, high)
    low, high = low // SECOND, high // SECOND  # zones turn at whole seconds
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * SECOND) == offset:
            high = middle
        else:
            low = middle
    return high * SECOND


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = aware(min(max(instant, FIRST), LAST + 1), zone).utcoffset()
    assert offset is not None
    return micros(offset)


def _wall_offset(wall: datetime, zone: ZoneInfo, fold: int) -> int:
    offset = wall.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return micros(offset)
