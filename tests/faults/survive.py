"""A program: open one damaged database after the other with the real scheduler, and say what became of each.

`python -m faults.survive DIRECTORY FIRST LAST [STEP]` prints one line of JSON for each number, when it has begun with
it and when it is done. Who started it watches the clock: a scheduler that hangs, or takes the process down, leaves a
number without its second line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from aurora_scheduler import AuroraError, CronService, SchedulerManager, SchedulerStopped, StoreError
from faults.callbacks import work
from faults.damage import Files, Good, damage
from faults.good import JOBS, make_good

#: How long, in seconds, a job that was asked for may take to run before it counts as waiting for its database.
_SOON = 1.5


class Verdict:
    """What became of one file."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.refused = False
        self.degraded = False
        self.wrong: list[str] = []
        """What should never be, in words."""
        self.said: list[str] = []

    @property
    def end(self) -> str:
        """One word for it."""
        return "unhandled" if self.wrong else "refused" if self.refused else "degraded" if self.degraded else "worked"

    def told(self, error: AuroraError, doing: str) -> None:
        """An error of ours: it names what it is about and gives advice."""
        self.said.append(f"{doing}: {type(error).__name__}: {error}")
        self.degraded |= isinstance(error, StoreError | SchedulerStopped)
        if isinstance(error, StoreError) and "jobs.db" not in str(error):
            self.wrong.append(f"{doing}: does not name the file: {error}")
        if isinstance(error, StoreError) and not any(mark in str(error).rpartition(".db")[2] for mark in (";", ": ")):
            self.wrong.append(f"{doing}: no advice: {error}")

    def unhandled(self, error: BaseException, doing: str) -> None:
        """Any other exception."""
        where = traceback.extract_tb(error.__traceback__)[-1:]
        at = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
        self.wrong.append(f"{doing}: {type(error).__name__}: {str(error)[:200]}{at}")


class _Listening(logging.Handler):
    """What the scheduler says of itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


@contextmanager
def _judged(verdict: Verdict) -> Iterator[_Listening]:
    """Whatever the scheduler logs, and whatever dies in a thread, goes into the verdict."""
    listening = _Listening()
    log = logging.getLogger("aurora_scheduler")
    log.addHandler(listening)
    log.propagate = False
    threading.excepthook = lambda args: verdict.unhandled(args.exc_value or SystemExit(), "in a thread")
    sys.unraisablehook = lambda args: verdict.unhandled(args.exc_value or SystemExit(), "unraisable")
    try:
        yield listening
    finally:
        log.removeHandler(listening)
    for record in listening.records:
        verdict.said.append(f"log: {record.getMessage()}"[:300])
        verdict.degraded |= "jobs.db" in record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            for error in _leaves(record.exc_info[1]):
                if not isinstance(error, AuroraError):
                    verdict.unhandled(error, f"logged ({record.getMessage()})")


def _answers(values: Any) -> None:
    """Look at everything that a user can see of what was answered."""
    for value in values if isinstance(values, list) else [values]:
        if value is None or isinstance(value, str | bool | dict):
            continue
        for name in dir(type(value)):
            if not name.startswith("_"):
                getattr(value, name)
        repr(value)


async def _ask_all(manager: SchedulerManager, verdict: Verdict, when: str) -> None:
    """Every public call, on every job."""

    async def ask(doing: str, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            answer = await call()
            _answers(answer)
        except AuroraError as error:
            verdict.told(error, f"{doing} {when}")
        except Exception as error:
            verdict.unhandled(error, f"{doing} {when}")
        else:
            return answer

    await ask("get_all_jobs", manager.get_all_jobs)
    await ask("get_all_jobs by status", lambda: manager.get_all_jobs("active"))
    await ask("get_all_jobs by tag", lambda: manager.get_all_jobs(tag="often"))
    rows = await ask("get_executions", lambda: manager.get_executions(limit=1000))
    for row in (rows or [])[:3]:
        await ask("get_executions before", lambda row=row: manager.get_executions(before=row, limit=5))
        await ask("cancel_execution", lambda row=row: manager.cancel_execution(row.id))
    for job_id in JOBS:
        await ask("get_job", lambda: manager.get_job(job_id))
        await ask("get_executions of", lambda: manager.get_executions(job_id))
        if job_id != "due":
            await ask("run_job", lambda: manager.run_job(job_id))
    await ask(
        "create_job", lambda: manager.create_job(name="n", schedule="every 1 hour", callback="faults.callbacks.work")
    )
    await ask("update_job", lambda: manager.update_job("daily", name="renamed"))
    await ask("update_job", lambda: manager.update_job("retrying", schedule="every 2 hours"))
    await ask("deactivate_job", lambda: manager.deactivate_job("phrased"))
    await ask("activate_job", lambda: manager.activate_job("phrased"))
    await ask("activate_job", lambda: manager.activate_job("paused"))
    await ask("activate_job", lambda: manager.activate_job("unresolved"))
    await ask("delete_job", lambda: manager.delete_job("finished"))


async def _live(path: Path, verdict: Verdict, listening: _Listening) -> None:
    manager = SchedulerManager(path, timezone="UTC")
    before = Files.of(path)
    try:
        await manager.initialize()
    except AuroraError as error:
        verdict.refused = True
        verdict.told(error, "initialize")
        if Files.of(path) != before:
            verdict.wrong.append("the file was refused, and written")
        return
    except Exception as error:
        verdict.unhandled(error, "initialize")
        return
    await _ask_all(manager, verdict, "at rest")
    try:
        manager.start()
        ran = False
        with anyio.move_on_after(_SOON):
            ran = (await manager.run_job("due", wait=True)).status.is_final
    except AuroraError as error:
        verdict.told(error, "firing")
    except Exception as error:
        verdict.unhandled(error, "firing")
    await _ask_all(manager, verdict, "while firing")
    try:
        await manager.stop(drain=1)
    except AuroraError as error:
        verdict.told(error, "stop")
    except Exception as error:
        verdict.unhandled(error, "stop")
    verdict.degraded = verdict.degraded or not ran
    if not ran and not verdict.said and not listening.records:
        verdict.wrong.append("nothing ran, and nothing was said")


def _live_plainly(path: Path, verdict: Verdict, listening: _Listening) -> None:
    """The same life with the plain facade."""
    cron = CronService(path)

    def ask(doing: str, call: Callable[[], Any]) -> Any:
        try:
            _answers(call())
        except (AuroraError, TimeoutError) as error:
            if isinstance(error, AuroraError):
                verdict.told(error, doing)
        except Exception as error:
            verdict.unhandled(error, doing)
        else:
            return True

    before = Files.of(path)
    if not ask("start", cron.start):
        verdict.refused = True
        if verdict.said and Files.of(path) != before:
            verdict.wrong.append("the file was refused, and written")
        return
    for job_id in JOBS:
        ask("get_job_status", lambda: cron.get_job_status(job_id))
        ask("pause_job", lambda: cron.pause_job(job_id))
        ask("resume_job", lambda: cron.resume_job(job_id))
        ask("run_job", lambda: cron.run_job(job_id))
    ask("get_executions", cron.get_executions)
    ask("schedule", lambda: cron.schedule_from_text(task_name="n", schedule_text="every 1 hour", callback=work))
    ask("cancel_job", lambda: cron.cancel_job("due"))
    ask("shutdown", lambda: cron.shutdown(drain=1))


def survive(good: Good, number: int, path: Path) -> Verdict:
    """The whole life of a scheduler on the damaged database of this number."""
    name, files = damage(good, number, path)
    files.put(path)
    verdict = Verdict(number, name)
    with _judged(verdict) as listening:
        if number % 7 == 0:
            _live_plainly(path, verdict, listening)
        else:
            anyio.run(_live, path, verdict, listening, backend=("trio", "asyncio")[number % 2])
    return verdict


def _main(directory: Path, first: int, last: int, step: int = 1) -> None:
    good = make_good(directory)
    path = directory / "jobs.db"
    for number in range(first, last, step):
        print(json.dumps({"begun": number}), flush=True)
        verdict = survive(good, number, path)
        print(json.dumps({**vars(verdict), "end": verdict.end}), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
