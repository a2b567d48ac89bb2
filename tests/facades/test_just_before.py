"""Calls that come in the very moment before a job fires, in real time: each is answered, and kept to."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict

import pytest

from aurora_scheduler import CronService, ExecutionStatus

#: Of each job, what its callbacks were called for, as seconds of the wall clock.
called_for = defaultdict(list)
#: The service of the test, for callbacks that call it.
services = []


@pytest.fixture
def cron(tmp_path):
    called_for.clear()
    with CronService(tmp_path / "jobs.db") as service:
        services[:] = [service]
        yield service


def note(job_id, scheduled_for):
    called_for[job_id].append(scheduled_for.timestamp())


def just_before(cron, job_id, chance):
    """Wait until the job is about to fire, by a few milliseconds."""
    due = cron.get_job(job_id).next_run_time.timestamp()
    time.sleep(max(0.0, due - time.time() - chance.uniform(0, 0.006)))


def test_once_a_pause_is_answered_nothing_fires_that_comes_due_later(cron):
    jobs = [cron.schedule_from_text(name=f"job {n}", schedule_text="every 1 second", callback=note) for n in range(12)]
    wrong, paused = [], threading.Semaphore(0)

    def torment(job_id, seed):
        chance = random.Random(seed)
        for _ in range(3):
            just_before(cron, job_id, chance)
            assert cron.pause_job(job_id)
            answered = time.time()
            time.sleep(0.1)
            wrong.extend(at - answered for at in called_for[job_id] if at > answered)
            assert cron.resume_job(job_id)
            paused.release()

    threads = [threading.Thread(target=torment, args=(job_id, seed)) for seed, job_id in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert all(paused.acquire(blocking=False) for _ in range(3 * len(jobs))), "a call failed"


async def call_back(others):
    """Plain calls on the scheduler's own loop, which stands still meanwhile."""
    (cron,) = services
    for number, other in enumerate(others):
        just_before(cron, other, random.Random(number))
        cron.pause_job(other)
        cron.resume_job(other)
        cron.run_job(other)


def test_a_callback_that_blocks_the_loop_with_such_calls_is_answered(cron):
    others = [cron.schedule_from_text(name=f"o{n}", schedule_text="every 1 second", callback=note) for n in range(3)]
    time.sleep(0.1)
    job = cron.schedule_from_text(
        name="caller", schedule_text="in 1 hour", callback=call_back, callback_args={"others": others}
    )
    ended = cron.run_job(job, wait=True)
    assert (ended.status, ended.error) == (ExecutionStatus.SUCCEEDED, None)


def test_a_service_that_is_shut_down_in_that_moment_answers_every_call(cron):
    jobs = [cron.schedule_from_text(name=f"job {n}", schedule_text="every 1 second", callback=note) for n in range(8)]
    answers = []

    def torment(job_id, seed):
        just_before(cron, job_id, random.Random(seed))
        try:
            answers.append(cron.pause_job(job_id))
        except Exception as error:
            answers.append(type(error).__name__)

    threads = [threading.Thread(target=torment, args=(job_id, seed)) for seed, job_id in enumerate(jobs)]
    for thread in threads:
        thread.start()
    just_before(cron, jobs[0], random.Random(0))
    cron.shutdown()
    for thread in threads:
        thread.join()
    assert len(answers) == len(jobs)
    assert set(answers) <= {True, "SchedulerStopped"}
