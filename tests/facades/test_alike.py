"""Of jobs that are created together, what many of them say is read once: each is made as if it were alone."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler import NewJob
from aurora_scheduler.definition import declare, declare_all
from aurora_scheduler.instants import SECOND
from facades import callbacks

NOW = 1_800_000_000 * SECOND

said = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]),
        "schedule": st.sampled_from(["every 1 hour", "every  1 hour", "0 9 * * *", "0 9 * * * in Europe/Berlin"]),
        "callback": st.sampled_from(["facades.callbacks.nothing", callbacks.nothing, "facades.callbacks:nothing"]),
        "callback_args": st.sampled_from([None, {}]),
    },
    optional={
        "job_id": st.uuids().map(str),
        "if_exists": st.just("error"),
        "tags": st.sampled_from([(), ["x"], ("x",), {"y"}]),
        "timezone": st.sampled_from(["UTC", "Asia/Kathmandu", None]),
        "max_retries": st.sampled_from([1, 2]),
        "retry_delay": st.sampled_from(["1 second", "2 seconds"]),
        "max_runs": st.sampled_from([1, 2]),
        "jitter": st.sampled_from(["0 seconds", "30 seconds", "1 hour"]),
        "start_at": st.sampled_from(["2030-05-28 15:00", "2030-05-29"]),
    },
)


@given(st.lists(said, max_size=6))
def test_each_of_many_is_what_it_would_be_alone(jobs: list[dict]):
    def together(some: list[dict]):
        ids = map(str, itertools.count())
        return list(declare_all((NewJob(**each) for each in some), now=NOW, new_id=lambda: next(ids), timezone="UTC"))

    def alone():
        ids = map(str, itertools.count())
        return [declare(NewJob(**each), now=NOW, new_id=lambda: next(ids), timezone="UTC") for each in jobs]

    assert together(jobs) == alone()
    assert all(
        one.job.callback_args is not other.job.callback_args for one, other in itertools.pairwise(together(jobs))
    )


def test_what_thousands_say_each_for_itself_is_read_rightly_though_not_all_of_it_is_kept():
    jobs = [NewJob(name="x", schedule=f"every {n + 1} seconds", callback=callbacks.nothing) for n in range(2500)]
    ids = map(str, itertools.count())
    made = declare_all([*jobs, *jobs], now=NOW, new_id=lambda: next(ids), timezone="UTC")
    values = [each.job.schedule_value for each in made]
    assert values[:2500] == values[2500:]
    assert len(set(values)) == 2500
