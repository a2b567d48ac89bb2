"""Processes that share the jobs of one PostgreSQL database: a burst on 1, 2 and 4, beside procrastinate and pgqueuer.

From `tests`: `python -m benchmarks.nodes` starts servers of its own and prints a table; `--write` says where to put it.
After each race it is seen that every job had its effect, once, and, of ours, its row.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from aurora_scheduler import CronService, NewJob, SchedulerManager
from support.cluster import Server

__all__ = ["main", "mark", "marks"]

HERE = Path(__file__).parent
NODES = (1, 2, 4)
_MARK = "benchmarks.nodes.mark"
#: What has happened in this process: the number of the job, and when.
marks: list[tuple[int, float]] = []


async def mark(number: int) -> None:
    """The callback."""
    marks.append((number, time.time()))


# In the processes that work -------------------------------------------------------------------------------------------


def work_aurora(url: str) -> None:
    """Fire until there is nothing more to be read."""
    with CronService(url, timezone="UTC"):
        print("ready", flush=True)
        sys.stdin.read()


def work_procrastinate(url: str) -> None:
    """Work until there is nothing left."""
    asyncio.run(_procrastinate(url, 0))


def work_pgqueuer(url: str) -> None:
    """The same."""
    asyncio.run(_pgqueuer(url, 0))


async def _procrastinate(url: str, puts: int) -> None:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))
    task = app.task(name="mark")(mark)
    async with app.open_async():
        if puts:
            await app.schema_manager.apply_schema_async()
            for start in range(0, puts, 1000):
                await task.batch_defer_async(*({"number": each} for each in range(start, min(puts, start + 1000))))
        else:
            print("ready", flush=True)
            await app.run_worker_async(concurrency=100, wait=False, install_signal_handlers=False)


async def _pgqueuer(url: str, puts: int) -> None:
    from pgqueuer import PgQueuer
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.models import Job
    from pgqueuer.queries import Queries

    driver = PsycopgDriver(await psycopg.AsyncConnection.connect(url, autocommit=True))
    if puts:
        queries = Queries(driver)
        await queries.install()
        await queries.enqueue(["mark"] * puts, [str(each).encode() for each in range(puts)], [0] * puts)
        return
    worker = PgQueuer(driver)

    @worker.entrypoint("mark")
    async def work(job: Job) -> None:
        assert job.payload is not None
        await mark(int(job.payload))

    async def until_told() -> None:
        await asyncio.to_thread(sys.stdin.read)
        worker.shutdown.set()

    print("ready", flush=True)
    await asyncio.gather(worker.run(batch_size=100), until_told())


WORK: dict[str, Callable[[str], None]] = {
    "Aurora Scheduler": work_aurora,
    "procrastinate": work_procrastinate,
    "pgqueuer": work_pgqueuer,
}


# In the one that asks -------------------------------------------------------------------------------------------------


@contextmanager
def workers(kind: str, count: int, url: str, directory: Path) -> Iterator[None]:
    """So many processes, from when all of them are ready until they are told to end."""
    files = [directory / f"{number}.txt" for number in range(count)]
    command = [sys.executable, "-m", "benchmarks.nodes", "--work", kind, "--url", url, "--marks"]
    running = [
        subprocess.Popen(
            [*command, str(file)], cwd=HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for file in files
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    yield
    for each in running:
        each.communicate()
        assert each.returncode == 0


def burst(kind: str, count: int, jobs: int) -> float:
    """Effects a second, from the first to the last, of so many jobs that are all due, on so many processes."""
    server = Server(durable=True)
    try:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            if kind == "Aurora Scheduler":
                with workers(kind, count, server.url, directory):
                    _race(server.url, jobs)
                _see_rows(server.url, jobs)
            else:
                asyncio.run((_procrastinate if kind == "procrastinate" else _pgqueuer)(server.url, jobs))
                with workers(kind, count, server.url, directory):
                    _until_done(server.url, kind)
            found = [line.split() for file in directory.glob("*.txt") for line in file.read_text().splitlines()]
    finally:
        server.close()
    twice = [number for number, times in Counter(number for number, _ in found).items() if times > 1]
    assert len(found) == jobs, f"{jobs - len(found)} of {jobs} are lost"
    assert not twice, f"{len(twice)} ran twice"
    moments = [float(moment) for _, moment in found]
    return jobs / (max(moments) - min(moments))


async def _put(url: str, jobs: list[NewJob]) -> None:
    """Create them in a process that fires nothing."""
    manager = SchedulerManager(url, timezone="UTC")
    await manager.initialize()
    await manager.create_jobs(jobs)
    await manager.stop()


def _race(url: str, jobs: int) -> None:
    """Have so many jobs come due when all are held, and wait until all have run."""
    due = datetime.now(UTC) + timedelta(seconds=8 + jobs / 1000)
    new = [
        NewJob(name=str(each), schedule=due.isoformat(), callback=_MARK, callback_args={"number": each})
        for each in range(jobs)
    ]
    asyncio.run(_put(url, new))
    assert datetime.now(UTC) < due - timedelta(seconds=5), "it took too long to make the jobs"
    with psycopg.connect(url, autocommit=True) as sql:
        while sql.execute("SELECT 1 FROM aurora_jobs WHERE status = 'active' LIMIT 1").fetchone():
            time.sleep(0.2)


def _see_rows(url: str, jobs: int) -> None:
    with psycopg.connect(url) as sql:
        rows = sql.execute("SELECT count(*), count(DISTINCT job_id) FROM aurora_executions WHERE status = 'succeeded'")
        assert rows.fetchone() == (jobs, jobs)


def _until_done(url: str, kind: str) -> None:
    left = {
        "procrastinate": "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1",
        "pgqueuer": "SELECT 1 FROM pgqueuer LIMIT 1",
    }
    with psycopg.connect(url, autocommit=True) as sql:
        while sql.execute(left[kind].encode()).fetchone():
            time.sleep(0.2)


def late(count: int, jobs: int, seconds: int) -> tuple[float, float]:
    """How late, in ms, half and 99 of 100 firings begin, of jobs that run every second, on so many processes."""
    server = Server(durable=True)
    try:
        with tempfile.TemporaryDirectory() as name, workers("Aurora Scheduler", count, server.url, Path(name)):
            begin = datetime.now(UTC) + timedelta(seconds=8)
            new = [
                NewJob(
                    name=str(each), schedule="every 1 second", start_at=begin + timedelta(seconds=each / jobs),
                    callback=_MARK, callback_args={"number": each},
                )
                for each in range(jobs)
            ]  # fmt: skip
            asyncio.run(_put(server.url, new))
            time.sleep(8 + seconds)
        with psycopg.connect(server.url) as sql:
            rows = sql.execute(
                "SELECT (started - due) / 1000.0 FROM aurora_executions WHERE started IS NOT NULL AND scheduled > %s",
                (int(begin.timestamp() + 2) * 1_000_000,),
            ).fetchall()
    finally:
        server.close()
    cuts = statistics.quantiles([float(each) for (each,) in rows], n=100)
    return cuts[49], cuts[98]


def main(jobs: int, rounds: int) -> str:
    """The table."""
    lines = ["| | 1 process | 2 processes | 4 processes |", "|---|---|---|---|"]
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for count in NODES:
            for kind in WORK:
                rates.setdefault((kind, count), []).append(burst(kind, count, jobs))
    for kind in WORK:
        told = [f"{statistics.median(rates[kind, count]):,.0f}" for count in NODES]
        lines.append(f"| {kind}: {jobs:,} at once, a second | {' | '.join(told)} |")
    lateness = [late(count, 200, 20) for count in NODES]
    told = [f"{half:.1f} / {most:.1f}" for half, most in lateness]
    lines.append(f"| Aurora Scheduler: 200 jobs every second, ms late, half / 99 of 100 | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a directory for the table")
    for hidden in ("--work", "--url", "--marks"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        from benchmarks import nodes  # the module that the callback is found in, and not this program

        WORK[asked.work](asked.url)
        found = [*marks, *nodes.marks]
        Path(asked.marks).write_text("".join(f"{number} {moment}\n" for number, moment in found))
    else:
        table = main(asked.jobs, asked.rounds)
        print(table)
        if asked.write is not None:
            (asked.write / "nodes.md").write_text(table)
