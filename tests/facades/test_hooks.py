"""Hooks and pings as users say them: what is accepted, stored, refused and shown."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_scheduler import CronService, OptionError, SchedulerManager
from aurora_scheduler.testing import simulated
from facades.waiting import DEADLINE, eventually
from support import hooks
from support.hooks import Told

ALLOWED = ["os.*", "posix.*", "nt.*"]
EVERY_DAY = {"name": "doomed", "relative_time": "every 1 day"}


@pytest.fixture
def told() -> Iterator[Told]:
    with hooks.heard() as told:
        yield told


def fail(**said: object) -> dict[str, object]:
    """The arguments of a job that fails."""
    return EVERY_DAY | {"callback": os.rmdir, "callback_args": {"path": "no such directory"}, "max_retries": 0} | said


class Ledger:
    """An object of the application's."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, job_name: str, error: str) -> None:
        self.lines.append(f"{job_name}: {error}")


def test_hooks_are_stored_by_name_and_called_by_whoever_fires_the_job(database: Path, told: Told):
    with CronService(database) as cron:
        job_id = cron.schedule_relative(**fail(on_failure=hooks.failed, on_deactivate="support.hooks.put_to_rest"))
    with CronService(database) as cron:
        job = cron.get_job(job_id)
        assert (job.on_failure, job.on_deactivate) == ("support.hooks:failed", "support.hooks:put_to_rest")
        row = cron.run_job(job_id, wait=True)
    assert told.named("failed")[0]["execution_id"] == row.id
    assert told.named("put_to_rest")[0]["job_id"] == job_id


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"on_failure": "no.such.hook"}, 'there is no module named "no"'),
        ({"on_failure": "support.hooks.nothing"}, 'there is no "nothing" in it'),
        ({"on_failure": "hook"}, "it names no function in a module"),
        ({"on_failure": lambda: None}, "a lambda has no name to be found by"),
        ({"on_failure": 5}, "a function, or its name as text, is wanted"),
        (
            {"on_failure": hooks.wants_more},
            'it requires "weather", and is told nothing but job_id, job_name, execution',
        ),
        ({"on_deactivate": hooks.failed}, 'it requires "execution_id", "scheduled_for", "attempt", "error", "status"'),
        ({"on_deactivate": dict}, "it is a class"),
        ({"ping": 5}, "must be a URL"),
        ({"ping": ""}, "must be a URL"),
        ({"ping": "example.org/token"}, "http or https, and a host"),
        ({"ping": "ftp://example.org/"}, "http or https, and a host"),
        ({"ping": "file:///etc/passwd"}, "http or https, and a host"),
        ({"ping": "https:///token"}, "http or https, and a host"),
        ({"ping": "https://example.org:port/"}, "http or https, and a host"),
        ({"ping": "https://[::1/"}, "http or https, and a host"),
        ({"ping": "https://example.org/a b"}, "no spaces"),
        ({"ping": "https://example.org/\r\nHost: x"}, "printable"),
        ({"ping": "https://exämple.org/"}, "ASCII"),
        ({"ping": "https://example.org/" + "x" * 2000}, "at most 2,000"),
    ],
    ids=lambda value: ascii(value)[:60] if isinstance(value, str) else next(iter(value)),
)
def test_what_is_refused_names_the_option_and_why(cron: CronService, said: dict[str, object], reason: str):
    with pytest.raises(OptionError) as caught:
        cron.schedule_relative(**fail(**said))
    assert caught.value.option == next(iter(said))
    assert reason in str(caught.value)
    assert cron.get_all_jobs() == []


@pytest.mark.parametrize("facade", [SchedulerManager, CronService])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"on_failure": "no.such.hook"}, 'there is no module named "no"'),
        ({"on_failure": 5}, "a function, or its name as text, is wanted"),
        ({"on_deactivate": hooks.failed}, 'it requires "execution_id"'),
        ({"on_deactivate": dict}, "it is a class"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_is_refused_for_all_jobs(facade, database: Path, said: dict[str, object], reason: str):
    with pytest.raises(OptionError, match=next(iter(said))) as caught:
        facade(database, **said)
    assert reason in str(caught.value)


def test_a_password_is_refused_and_not_shown(cron: CronService):
    with pytest.raises(OptionError, match="must hold no user and no password") as caught:
        cron.schedule_relative(**fail(ping="https://ada:hunter2@example.org/"))
    assert "hunter2" not in f"{caught.value} {caught.value.value!r} {caught.value.args}"


@pytest.mark.anyio
async def test_a_hook_must_be_allowed_as_a_callback_must(anyio_backend: str, database: Path):
    async with SchedulerManager(database, allow_callbacks=ALLOWED) as manager:
        new = {"name": "good", "schedule": "every 1 day", "callback": "os.getcwd"}
        with pytest.raises(OptionError, match="not allowed here"):
            await manager.create_job(**new, on_failure=hooks.failed)
        job_id = await manager.create_job(**new)
        with pytest.raises(OptionError, match="not allowed here"):
            await manager.update_job(job_id, on_failure="support.hooks.failed")


def test_a_stored_hook_that_is_not_allowed_is_not_called(database: Path, told: Told, caplog):
    with CronService(database) as cron:
        job_id = cron.schedule_relative(**fail(on_failure=hooks.failed))
    with CronService(database, allow_callbacks=ALLOWED) as cron:
        assert cron.run_job(job_id, wait=True).status == "failed"
    assert told.calls == []
    assert "the on_failure hook of job 'doomed' failed: CallbackError" in caplog.text


def test_a_hook_for_all_jobs_may_be_any_function_and_need_not_be_allowed(database: Path):
    ledger, rested = Ledger(), []
    with CronService(
        database,
        on_failure=ledger.note,
        on_deactivate=lambda job_name: rested.append(job_name),
        allow_callbacks=ALLOWED,
    ) as cron:
        cron.run_job(cron.schedule_relative(**fail()), wait=True)
    assert len(ledger.lines) == 1
    assert ledger.lines[0].startswith("doomed: FileNotFoundError")
    assert rested == ["doomed"]


def test_a_hook_may_stop_the_scheduler_and_use_it(database: Path, told: Told):
    cron = CronService(database)
    cron.start()
    seen = []

    def then(call: dict[str, object]) -> None:
        seen.append(cron.get_execution(str(call["execution_id"])))
        cron.shutdown()
        seen.append("asked to stop")

    told.then = then
    cron.run_job(cron.schedule_relative(**fail(on_failure=hooks.failed)), wait=True)
    eventually(lambda: len(seen) == 2 and repr(cron) == "<CronService stopped>")
    cron.shutdown()
    assert seen[0].status == "failed"


def test_an_async_hook_that_blocks_the_loop_is_named(cron: CronService, told: Told, caplog):
    may_end = threading.Event()
    told.then = lambda call: may_end.wait(DEADLINE)
    row = cron.run_job(cron.schedule_relative(**fail(on_failure=hooks.failed_async)))
    try:
        (record,) = eventually(lambda: [each for each in list(caplog.records) if "has blocked" in each.getMessage()])
    finally:
        may_end.set()
    assert "callback support.hooks:failed_async of job 'doomed' has blocked the scheduler's loop" in record.getMessage()
    assert (record.job_id, record.execution_id) == (row.job_id, row.id)


@pytest.mark.anyio
async def test_update_job_gives_hooks_and_takes_them(anyio_backend: str, manager: SchedulerManager, told: Told):
    job_id = await manager.create_job(
        name="doomed", schedule="every 1 day", callback=os.rmdir, callback_args={"path": "no such directory"}
    )
    job = await manager.update_job(job_id, on_failure=hooks.failed, ping="https://example.org/token")
    assert (job.on_failure, job.on_deactivate, job.ping) == ("support.hooks:failed", None, "https://example.org/token")
    assert (await manager.update_job(job_id, on_failure=job.on_failure)).version == job.version
    job = await manager.update_job(job_id, on_failure=None, ping=None)
    assert (job.on_failure, job.ping) == (None, None)
    with pytest.raises(OptionError, match=r"on_failure='no\.such'"):
        await manager.update_job(job_id, on_failure="no.such")


def test_a_hook_of_a_script_is_found_again_by_the_same_script_alone(script, database: Path, caplog):
    source = """
        import logging
        from aurora_scheduler import CronService

        def tell(job_name, will_retry):
            print("told of", job_name, will_retry, flush=True)

        if __name__ == "__main__":
            logging.disable()
            with CronService() as cron:
                job_id = cron.schedule_relative(
                    name="doomed", relative_time="every 1 day", callback="os.rmdir", callback_args={"path": "none"},
                    on_failure=tell, job_id="doomed", if_exists="keep", max_retries=5,
                )
                assert cron.get_job(job_id).on_failure == "__main__:tell"
                cron.run_job(job_id, wait=True)
    """
    for _ in range(2):
        assert script(source).ends() == "told of doomed True\n"
    with CronService(database) as cron:
        row = cron.run_job("doomed", wait=True)
        assert row.status == "failed"
    assert "it is a function of the script" in caplog.text


def test_in_a_simulation_hooks_run_and_pings_are_not_sent(told: Told, caplog):
    with simulated(on_deactivate=hooks.put_to_rest_async) as sim:
        cron = sim.cron
        cron.schedule_relative(**fail(on_failure=hooks.failed))
        cron.schedule_relative(
            name="good", relative_time="every 1 hour", callback="os.getcwd", ping="http://127.0.0.1:1/token"
        )
        sim.advance("2 days")
    assert sorted(name for name, _ in told.calls) == ["failed", "put_to_rest_async"]
    assert len(set(told.threads)) == 1
    assert "ping" not in caplog.text
