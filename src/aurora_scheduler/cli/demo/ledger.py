"""The accounts: every instant that fell due against the records there are.

What should have fired is computed from the schedules alone, by `next_fire_times`; what did is read from the history.
An instant is accounted for when it is in exactly one record: a firing that ran (its attempts numbered without holes,
the last one ended), a skipped one, or a missed range that counts it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from aurora_scheduler.cli.demo.snapshot import Snapshot
from aurora_scheduler.cli.texts import counted, moment
from aurora_scheduler.instants import aware
from aurora_scheduler.model import Execution, ExecutionStatus, Job, Trigger
from aurora_scheduler.preview import next_fire_times

__all__ = ["Account", "balance", "verdict"]

#: What came due in the last moment before the end may be the next start's to fire.
_LAST_MOMENT = timedelta(seconds=1)
_NOT_RUN = (ExecutionStatus.SKIPPED, ExecutionStatus.MISSED)


@dataclass(frozen=True, slots=True)
class Account:
    """One job's account. All numbers but `attempts_lost` count instants."""

    job: Job
    due: int
    ran: int
    skipped: int
    missed: int
    attempts_lost: int
    wrong: tuple[str, ...]
    """What does not balance, in words."""

    @property
    def recorded(self) -> int:
        """The instants that have a record."""
        return self.ran + self.skipped + self.missed


def balance(snapshot: Snapshot, until: datetime) -> list[Account]:
    """The account of every job, over all that fell due until an instant."""
    return [_account(job, snapshot.of(job), until) for job in snapshot.jobs]


def verdict(accounts: Iterable[Account]) -> str:
    """The last line of the demo."""
    accounts = list(accounts)
    due, recorded = sum(each.due for each in accounts), sum(each.recorded for each in accounts)
    wrong = [f"{each.job.name}: {words}" for each in accounts for words in each.wrong]
    if wrong:
        return f"Something was lost: {counted(due, 'firing')} due, {recorded:,} recorded ({'; '.join(wrong)})"
    parts = [f"{sum(each.ran for each in accounts):,} ran"]
    parts += [f"{number:,} skipped" for number in [sum(each.skipped for each in accounts)] if number]
    parts += [f"{number:,} missed" for number in [sum(each.missed for each in accounts)] if number]
    attempts = sum(each.attempts_lost for each in accounts)
    parts += [f"{counted(attempts, 'attempt')} lost and run again"] if attempts else []
    return f"Nothing was lost: {counted(due, 'firing')} due, {recorded:,} recorded ({', '.join(parts)})"


def _account(job: Job, executions: Iterable[Execution], until: datetime) -> Account:
    rows = [each for each in executions if each.trigger is Trigger.SCHEDULE]
    instants = _instants(job, until)
    seen: Counter[datetime] = Counter()
    numbers: Counter[ExecutionStatus] = Counter()
    wrong: list[str] = []
    for firing in _firings(rows):
        first, last = firing[0], firing[-1]
        covered = [each for each in instants if first.scheduled_for <= each <= first.last_scheduled_for]
        seen.update(covered)
        kind = first.status if first.status in _NOT_RUN else ExecutionStatus.SUCCEEDED
        numbers[kind] += len(covered)
        if len(covered) != first.count:
            wrong.append(f"the record of {moment(first.scheduled_for)} counts {first.count}, not {len(covered)}")
        if [each.attempt for each in firing] != list(range(1, len(firing) + 1)):
            wrong.append(f"the attempts at {moment(first.scheduled_for)} are not numbered 1, 2, 3 ...")
        if not last.status.is_final or last.status is ExecutionStatus.LOST:
            wrong.append(f"{moment(first.scheduled_for)} is left {last.status}")
    due = [each for each in instants if each in seen or _is_due(each, job, until)]
    wrong += [f"{moment(each)} has no record" for each in due if each not in seen]
    wrong += [f"{moment(each)} has {number} records" for each, number in seen.items() if number > 1]
    return Account(
        job=job,
        due=len(due),
        ran=numbers[ExecutionStatus.SUCCEEDED],
        skipped=numbers[ExecutionStatus.SKIPPED],
        missed=numbers[ExecutionStatus.MISSED],
        attempts_lost=sum(each.status is ExecutionStatus.LOST for each in rows),
        wrong=tuple(wrong),
    )


def _instants(job: Job, until: datetime) -> list[datetime]:
    """All instants of the schedule until then, and a few more: what came due while the end was on its way."""
    anchor = aware(job.anchor)
    number = int((until - anchor).total_seconds()) + 60  # no job of the demo fires more often than once a second
    return next_fire_times(job.schedule_value, job.timezone, anchor, number)


def _is_due(instant: datetime, job: Job, until: datetime) -> bool:
    """Whether there must be a record, unless it is still the job's next firing, from the last moment."""
    waits = job.next_run_time is not None and job.next_run_time <= instant
    return instant <= until and not (waits and instant > until - _LAST_MOMENT)


def _firings(rows: Iterable[Execution]) -> Iterator[list[Execution]]:
    """The attempts of each firing together, in order."""
    firings: defaultdict[datetime, list[Execution]] = defaultdict(list)
    for row in rows:
        firings[row.scheduled_for].append(row)
    for attempts in firings.values():
        yield sorted(attempts, key=lambda row: row.attempt)
