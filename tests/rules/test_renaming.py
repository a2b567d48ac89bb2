"""What of a job another id changes: as good as nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.model import JobStatus
from aurora_scheduler.rules import renamed
from aurora_scheduler.rules.timing import delay_of
from support.lives import HOUR, MINUTE, START, a_job

ids = st.text(st.characters(categories=["L"]), min_size=1, max_size=20)


@given(
    job_id=ids,
    generation=st.integers(1, 9),
    jitter=st.sampled_from([0, 1, MINUTE, 10 * HOUR]),
    status=st.sampled_from(JobStatus),
)
def test_a_renamed_job_is_the_same_but_for_its_id_and_its_share_of_the_jitter(job_id, generation, jitter, status):
    job = a_job("every 1 hour", jitter=jitter, state={"status": status})
    after = renamed(job, job_id, generation, START + 5)
    assert (after.id, after.generation, after.version, after.updated) == (
        job_id,
        generation,
        job.version + 1,
        START + 5,
    )
    own = ("id", "generation", "version", "updated", "next_delay")
    assert replace(after, **{field: getattr(job, field) for field in own}) == job
    assert after.next_delay == delay_of(after, after.next_fire)
    assert 0 <= after.next_delay <= jitter
    assert after.next_due < START + 2 * HOUR


def test_a_renamed_job_whose_zone_is_unknown_here_keeps_the_share_that_it_has():
    job = a_job("every 1 hour", jitter=MINUTE, state={"timezone": "Middle/Earth", "next_delay": 7})
    assert renamed(job, "new", 1, START).next_delay == 7
