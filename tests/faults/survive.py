"""A program: open one damaged database after the other with the real scheduler, and say what became of each.

`python -m faults.survive DIRECTORY NUMBER...` prints a line of JSON for each number when it begins with it, and one
when it is done. Who started it watches the clock: a scheduler that hangs, or takes the process down, leaves a
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

    async def ask(call: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        doing = getattr(call, "__name__", "?")
        try:
            answer = await call(*args, **options)
            _answers(answer)
        except AuroraError as error:
            verdict.told(error, f"{doing} {when}")
        except Exception as error:
            verdict.unhandled(error, f"{doing} {when}")
        else:
            return answer

    await ask(manager.get_all_jobs)
    await ask(manager.get_all_jobs, "active")
    await ask(manager.get_all_jobs, tag="often")
    for row in (await ask(manager.get_executions, limit=1000) or [])[:3]:
        await ask(manager.get_executions, before=row, limit=5)
        await ask(manager.cancel_execution, row.id)
    for job_id in JOBS:
        await ask(manager.get_job, job_id)
        await ask(manager.get_executions, job_id)
        if job_id != "due":
            await ask(manager.run_job, job_id)
    await ask(manager.create_job, name="n", schedule="every 1 hour", callback="faults.callbacks.work")
    await ask(manager.update_job, "daily", name="renamed")
    await ask(manager.update_job, "retrying", schedule="every 2 hours")
    await ask(manager.deactivate_job, "phrased")
    for job_id in ("phrased", "paused", "unresolved"):
        await ask(manager.activate_job, job_id)
    await ask(manager.delete_job, "finished")


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
    if not ran:
        lines = [*verdict.said, *(record.getMessage() for record in listening.records)]
        verdict.degraded = verdict.degraded or not any("JobNotFoundError" in line for line in lines)
        if not any("'due'" in line or "jobs.db" in line for line in lines):
            verdict.wrong.append("the job that was due did not run, and nothing was said of it")


def _live_plainly(path: Path, verdict: Verdict, listening: _Listening) -> None:
    """The same life with the plain facade."""
    cron = CronService(path)

    def ask(call: Callable[..., Any], *args: Any, **options: Any) -> bool:
        try:
            _answers(call(*args, **options))
        except AuroraError as error:
            verdict.told(error, call.__name__)
        except Exception as error:
            verdict.unhandled(error, call.__name__)
        else:
            return True
        return False

    before = Files.of(path)
    if not ask(cron.start):
        verdict.refused = True
        if Files.of(path) != before:
            verdict.wrong.append("the file was refused, and written")
        return
    for job_id in JOBS:
        for call in (cron.get_job_status, cron.pause_job, cron.resume_job, cron.run_job):
            ask(call, job_id)
    ask(cron.get_executions)
    ask(cron.schedule_from_text, name="n", schedule_text="every 1 hour", callback=work)
    ask(cron.cancel_job, "due")
    ask(cron.shutdown, drain=1)


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


def _main(directory: Path, numbers: list[int]) -> None:
    good = make_good(directory)
    path = directory / "jobs.db"
    for number in numbers:
        print(json.dumps({"begun": number}), flush=True)
        verdict = survive(good, number, path)
        print(json.dumps({**vars(verdict), "end": verdict.end}), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), [int(number) for number in sys.argv[2:]])
