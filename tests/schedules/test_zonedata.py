"""Which data of a zone there are, and from where a next firing is computed anew when they have changed."""

from __future__ import annotations

import hashlib
import zoneinfo
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aurora_scheduler.instants import SECOND, aware, instant_of
from aurora_scheduler.schedules import accounted, limited, load_zone, parse_schedule, wall_before, zone_data
from aurora_scheduler.schedules.calendar import Calendar
from aurora_scheduler.schedules.zones import instant_of_wall
from support.zones import Zones, zone_file

HOUR = 3600 * SECOND
CITY = "Aurora/City"


def hashed(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def at(*fields: int) -> int:
    return instant_of(datetime(*fields).replace(tzinfo=UTC))


# The data -----------------------------------------------------------------------------------------------------------


def test_the_data_are_told_by_the_file_that_is_read(zones: Zones):
    zones.change(CITY, "Europe/Berlin")
    assert zone_data(CITY) == hashed(zone_file("Europe/Berlin"))
    zones.change(CITY, "Asia/Tokyo")
    assert zone_data(CITY) == hashed(zone_file("Asia/Tokyo"))


def test_the_first_directory_on_the_path_counts_and_the_package_comes_last(zones: Zones, tmp_path):
    other = Zones(tmp_path / "other")
    for each, like in (zones, "Asia/Tokyo"), (other, "Asia/Kolkata"):
        each.write(CITY, like)
    zoneinfo.reset_tzpath([str(other.directory), str(zones.directory)])
    assert zone_data(CITY) == hashed(zone_file("Asia/Kolkata"))
    zones.forget()
    zoneinfo.reset_tzpath([str(zones.directory)])
    for name in "Europe/Berlin", "America/Argentina/Ushuaia", "UTC":
        assert zone_data(name) == hashed(zone_file(name))


def test_they_are_read_once_as_the_zone_itself_is(zones: Zones):
    zones.write(CITY, "Europe/Berlin")
    known = zone_data(CITY)
    zones.write(CITY, "Asia/Tokyo")
    assert zone_data(CITY) == known
    zones.forget()
    assert zone_data(CITY) != known


def test_of_a_zone_that_is_unknown_there_are_none_until_it_comes(zones: Zones):
    assert zone_data(CITY) == ""
    zones.write(CITY, "Europe/Berlin")
    assert zone_data(CITY) != ""


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "Europe", "Europe/", "/etc/passwd", "../x", "Europe/../UTC", "UTC\0", "x" * 5000, "\ud800"],
    ids=ascii,
)
def test_what_is_no_zone_has_no_data(name):
    with pytest.raises((ValueError, OSError, LookupError)):
        ZoneInfo(name)
    assert zone_data(name) == ""


def test_a_file_that_cannot_be_read_is_no_zone(zones: Zones, monkeypatch):
    zones.write(CITY, "Europe/Berlin")

    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert zone_data(CITY) == ""


# The wall time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "wall"),
    [
        (at(2030, 1, 1, 12), at(2030, 1, 1, 13)),
        (at(2030, 7, 1, 12), at(2030, 7, 1, 14)),
        (at(2030, 3, 31, 1), at(2030, 3, 31, 2)),  # the end of the gap, in which 02:30 falls too
        (at(2030, 10, 27, 1), at(2030, 10, 27, 3)),
        (at(2030, 10, 27, 1) + 1, at(2030, 10, 27, 2) + 1),
    ],
)
def test_the_wall_time_of_an_instant_is_the_one_before_the_clock_is_turned(instant, wall):
    assert wall_before(load_zone("Europe/Berlin"), instant) == wall


@pytest.mark.parametrize("year", [1, 9999])
def test_the_calendar_has_wall_times_to_its_ends(year):
    when = at(1, 1, 2) if year == 1 else at(9999, 12, 30)
    assert abs(wall_before(load_zone("Asia/Tokyo"), when) - when) <= 10 * HOUR


# Computing anew -----------------------------------------------------------------------------------------------------

#: With and without daylight saving, in both halves of the world, by an hour and by half an hour.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Lagos", "Asia/Kolkata", "Australia/Lord_Howe"]
FIXED = ["30 2 * * *", "0,30 2 * * *", "0 3 * * *", "15 1,2,3 * * 0", "0 9 1 * *", "59 23 * * *", "0 0 * * *"]
WILD = ["*/30 * * * *", "0 * * * *", "*/20 2 * * *", "0 */2 * * *"]
instants = st.integers(at(2025, 1, 1), at(2035, 1, 1))
#: Around the turns of Berlin, where it is odd.
odd = st.builds(
    lambda turn, hours: turn + hours * HOUR // 4,
    st.sampled_from([at(2030, 3, 31, 1), at(2030, 10, 27, 1)]),
    st.integers(-20, 20),
)


@given(st.sampled_from(FIXED), st.sampled_from(ZONES), st.sampled_from(ZONES), instants | odd)
@example("30 2 * * *", "Europe/Berlin", "Africa/Lagos", at(2030, 3, 31, 0))  # it had been due at the gap's end
@example("30 2 * * *", "Africa/Lagos", "Europe/Berlin", at(2030, 3, 31, 0))
@example("30 2 * * *", "Africa/Lagos", "Europe/Berlin", at(2030, 10, 27, 0))  # its instant is the second 02:30 now
def test_a_fixed_schedule_goes_on_with_the_first_wall_time_that_has_not_had_its_turn(text, before, after, now):
    old, new = parse_schedule(text, before), parse_schedule(text, after)
    assert isinstance(old, Calendar)
    coming = old.next_instant(now)
    assert coming is not None
    wall = wall_before(old.zone, coming)
    done, first = old.pattern.before(wall), old.pattern.at_or_after(wall)
    assert done is not None
    assert first is not None
    assert instant_of_wall(naive(done), old.zone) <= now, "what is before it has had its turn"
    anew = new.next_instant(accounted(new, coming, wall, now))
    assert anew == instant_of_wall(naive(first), new.zone)


def naive(wall: int) -> datetime:
    return aware(wall).replace(tzinfo=None)


@given(st.sampled_from(WILD), st.sampled_from(ZONES), st.sampled_from(ZONES), instants | odd, st.integers(0, 48))
def test_a_wild_schedule_goes_on_from_now_with_what_the_clock_shows(text, before, after, last, hours):
    old, new = parse_schedule(text, before), parse_schedule(text, after)
    now = last + hours * HOUR // 4
    coming = old.next_instant(last)
    assert coming is not None
    anew = new.next_instant(accounted(new, coming, wall_before(old.zone, coming), now))
    assert anew == new.next_instant(now if now < coming else coming - 1)


@given(st.sampled_from(FIXED + WILD), st.sampled_from(ZONES), instants | odd, st.booleans())
def test_with_data_that_say_the_same_nothing_moves(text, zone, now, known):
    schedule = parse_schedule(text, zone)
    coming = schedule.next_instant(now)
    assert coming is not None
    wall = wall_before(schedule.zone, coming) if known else None
    assert schedule.next_instant(accounted(schedule, coming, wall, now)) == coming


@pytest.mark.parametrize("now", [at(2030, 5, 28), at(2030, 5, 29)])
def test_a_single_time_is_still_to_come_wherever_it_is_now(now):
    old, new = (parse_schedule("2030-05-28 15:00", zone) for zone in ("Asia/Tokyo", "America/New_York"))
    for before, after in (old, new), (new, old):
        coming = before.next_instant(0)
        assert coming is not None
        anew = after.next_instant(accounted(after, coming, wall_before(before.zone, coming), now))
        assert anew == after.next_instant(0) != coming


def test_an_interval_within_limits_follows_real_time():
    old, new = (
        limited(parse_schedule("every 1 hour", zone, now=at(2030, 5, 28)), (), (9 * HOUR, 17 * HOUR))
        for zone in ("Europe/Berlin", "Asia/Kolkata")
    )
    now = at(2030, 5, 28, 2, 10)
    coming = old.next_instant(now)
    assert coming == at(2030, 5, 28, 7)
    assert new.next_instant(accounted(new, coming, wall_before(old.zone, coming), now)) == at(2030, 5, 28, 4)
    assert new.next_instant(accounted(new, coming, wall_before(old.zone, coming), coming)) == coming


def test_a_fixed_schedule_with_days_left_out_goes_by_wall_times_too():
    old, new = (
        limited(parse_schedule("0 9 * * *", zone), ("2030-05-29",), None) for zone in ("Europe/Berlin", "Africa/Lagos")
    )
    now = at(2030, 5, 28, 7)  # 09:00 in Berlin, and 08:00 with the new data: it has had its turn
    coming = old.next_instant(now)
    assert coming == at(2030, 5, 30, 7)
    assert new.next_instant(accounted(new, coming, wall_before(old.zone, coming), now)) == at(2030, 5, 30, 8)
