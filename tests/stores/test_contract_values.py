"""Every store: what goes in comes out, whatever it says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_scheduler.model import Commit
from stores.making import executions, jobs, make_execution, make_job, texts, undone


@given(job=jobs)
def test_a_job_comes_back_as_it_was_given(used_store, job):
    with undone(used_store.transaction()):
        used_store.insert(job)
        assert used_store.job(job.id) == job
        assert used_store.jobs() == [job]


@given(before=jobs, after=jobs)
def test_an_edited_job_comes_back_as_it_was_edited(used_store, before, after):
    after = replace(after, id=before.id, generation=before.generation, version=before.version + 1)
    with undone(used_store.transaction()):
        used_store.insert(before)
        used_store.replace(after)
        assert used_store.job(before.id) == after


@given(before=jobs, after=jobs)
def test_a_decision_writes_the_state_of_a_job_and_leaves_its_definition(used_store, before, after):
    """A firing that races with an edit could otherwise bring the old definition back."""
    state = (
        "updated", "status", "status_reason", "next_fire", "runs", "retry_count", "last_run", "last_run_result",
        "zone_data", "next_wall",
    )  # fmt: skip
    expected = replace(before, version=before.version + 1, **{name: getattr(after, name) for name in state})
    decided = replace(after, id=before.id, generation=before.generation, version=before.version + 1)
    with undone(used_store.transaction()):
        used_store.insert(before)
        used_store.commit(Commit(job=decided))
        assert used_store.job(before.id) == expected


@given(row=executions)
def test_an_execution_comes_back_as_it_was_given(used_store, row):
    with undone(used_store.transaction()):
        used_store.commit(Commit(job=None, new=(row,)))
        assert used_store.execution(row.id) == row
        assert used_store.executions() == [row]
        assert used_store.is_recorded(row.job_id, row.generation, row.scheduled)


@given(after=executions)
def test_a_moved_execution_comes_back_as_it_stands_now(used_store, after):
    before = make_execution()
    names = ("id", "job_id", "generation", "job_name", "timezone")
    numbers = ("scheduled", "last_scheduled", "count", "attempt", "trigger")
    after = replace(after, **{name: getattr(before, name) for name in (*names, *numbers)})
    with undone(used_store.transaction()):
        used_store.commit(Commit(job=None, new=(before,)))
        used_store.commit(Commit(job=None, moved=(after,)))
        assert used_store.execution(before.id) == after


#: What can be a tag (see `options.checked_name`), with those that SQL or JSON could take for something else.
names = texts.filter(lambda text: bool(text.strip()) and text.isprintable()) | st.sampled_from(["1", "true", "a", "A"])


@given(tags=st.lists(st.lists(names, max_size=3), max_size=4))
@settings(max_examples=100)
def test_a_tag_finds_the_jobs_that_have_it_and_no_others(used_store, tags):
    all_jobs = [make_job(str(number), tags=tuple(each)) for number, each in enumerate(tags)]
    with undone(used_store.transaction()):
        for job in all_jobs:
            used_store.insert(job)
        for tag in {tag for job in all_jobs for tag in job.tags} | {"", "a", "1"}:
            assert used_store.jobs(tag=tag) == [job for job in all_jobs if tag in job.tags]


@given(ids=st.lists(texts, unique=True, max_size=6))
def test_ids_are_told_apart_character_by_character(used_store, ids):
    """No case folding, no trimming, no normal forms; a NUL does not end an id."""
    all_jobs = [make_job(job_id, name=str(number)) for number, job_id in enumerate(ids)]
    with undone(used_store.transaction()):
        for job in all_jobs:
            used_store.insert(job)
        assert [used_store.job(job.id) for job in all_jobs] == all_jobs
