"""A second opinion on the whole scheduler: what must stand, from what happened.

It is the specification told once more, as slowly and plainly as it can be: every instant is counted out one by one,
nothing is concurrent, nothing is stored. It shares no code with the rules, the engine or the stores. From the
schedules it takes "what comes after this instant?", and from the model the words for states.

Time has two clocks here: `mono` goes on evenly, the wall clock is `mono` and what it was set by. Both in microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aurora_scheduler.model import JobStatus, Trigger
from aurora_scheduler.schedules import parse_schedule
from support.reference_jobs import DEFAULTS, HOURS_3, MOST, OPEN, SECOND, Is, Job, Part, Pause, Row, Run

__all__ = ["Reference"]


class Refused(Exception):
    """What was decided does not fit what is written already."""


class Reference:
    """The store, the process and the people, as one machine: each method is an event, `jobs` is what came of it."""

    def __init__(self, now: int, part_of: Callable[[str, int, int], Part]) -> None:
        self.mono = 0
        self.set_by = now
        self.part_of = part_of
        self.jobs: list[Job] = []
        self.is_up = False
        self.is_away = False
        self.answers_are_lost = False
        #: Two things happened in the same instant.
        self.is_tied = False
        self._rows = 0

    @property
    def is_undecided(self) -> bool:
        """Whether something has happened that might also have happened otherwise: from here on nothing can be told."""
        return self.is_tied or any(job.is_unclear for job in self.jobs)

    @property
    def now(self) -> int:
        """The wall clock."""
        return self.mono + self.set_by

    def job(self, job_id: str) -> Job | None:
        """The job that has this id now."""
        return next((job for job in self.jobs if job.id == job_id and not job.is_gone), None)

    # -- time, process, store -----------------------------------------------------------------------------------

    def pass_time(self, micros: int) -> None:
        """Time goes on: whatever has its moment meanwhile has it."""
        end = self.mono + micros
        while self.is_up:
            alarms = [alarm for job in self.jobs for alarm in self._alarms(job) if alarm is not None]
            moment = min(alarms, default=end + 1)
            if moment > end:
                break
            self.mono = max(self.mono, moment)
            self.is_tied = self.is_tied or any(self._is_tied(job) for job in self.jobs)
            for job in self.jobs:
                self._ring(job)
        self.mono = end

    def _is_tied(self, job: Job) -> bool:
        """Whether two things happen to a job in the same instant: in which order is nobody's promise."""
        moments = [alarm for alarm in self._alarms(job) if alarm is not None and alarm <= self.mono]
        return len(moments) > 1

    def _alarms(self, job: Job) -> Iterable[int | None]:
        yield job.pause.until if job.pause.until is not None else job.wakes
        for run in job.here:
            yield from run.alarms()

    def _ring(self, job: Job) -> None:
        for run in list(job.here):
            if run.outcome is None and run.ends is not None and run.ends <= self.mono:
                self._callback_ended(job, run)
            elif run.outcome is not None and run.pause.until is not None and run.pause.until <= self.mono:
                self._write_end(job, run)
            elif run.outcome is None:
                self._watch(job, run)
        if job.pause.until is not None and job.pause.until <= self.mono:
            job.pause.until = None
            self._decide(job)
        elif job.wakes is not None and job.wakes <= self.mono:
            self._decide(job)

    def set_clock(self, by: int) -> None:
        """The wall clock is set; within a second that is noticed, and that second has passed after this."""
        self.set_by += by
        self.pass_time(SECOND)
        if not self.is_up:
            return
        if by < -HOURS_3:
            self._rewind()
        for job in self.jobs:
            self._decide(job)

    def _rewind(self) -> None:
        """The clock was wrong: each job goes on with its first instant after now, and retries have their delay only."""
        for job in self.jobs:
            if not job.is_active or job.is_gone:
                continue
            anew = None if job.next is None else job.next_from(self.now)
            if anew is not None and job.next is not None and anew < job.next:
                job.next = anew
            for row in job.waiting():
                if row.attempt > 1:
                    row.due = min(row.due, self.now + self._delay(job, row.attempt - 1))

    def _delay(self, job: Job, attempt: int) -> int:
        """The wait after a failed attempt."""
        return int(min(job.max_retry_delay, round(job.retry_delay * job.retry_backoff ** (attempt - 1))))

    def start(self) -> None:
        """A process becomes the owner: what the last one left running is lost, and what may run again does."""
        self.is_up = True
        orphans = [(row, job) for job in self.jobs for row in job.rows if row.status in (Is.RUNNING, Is.CANCELLING)]
        for row, job in sorted(orphans, key=lambda orphan: orphan[0].number):
            self._recover(job, row)
        kept = [job for job in self.jobs if not job.is_gone and (job.is_active or job.waiting())]
        if any(max(job.updated, job.last_run) > self.now + HOURS_3 for job in kept):
            self._rewind()
        for job in self.jobs:
            self._decide(job)

    def crash(self) -> None:
        """The process dies."""
        self.is_up = self.is_away = self.answers_are_lost = False
        for job in self.jobs:
            job.here, job.unseen, job.wakes, job.pause = [], [], None, Pause()
            job.is_stale = job.is_unsure = False

    # -- people -------------------------------------------------------------------------------------------------

    def create(self, job_id: str, text: str, options: dict[str, Any]) -> bool:
        """A job is created, unless it would never fire; under an id that was used before it is another one."""
        said = DEFAULTS | options
        anchor = self.now if said["start_at"] is None else said["start_at"]
        schedule = parse_schedule(text, "UTC", now=self.now, start=said["start_at"])
        generation = 1 + sum(job.id == job_id for job in self.jobs)
        job = Job(job_id, generation, text, said, self.now, anchor, schedule)
        job.next, job.updated = job.following(self.now), self.now
        if job.next is None:
            return False
        self.jobs.append(job)
        self._told(job)
        return True

    def edit(self, job: Job, text: str | None, options: dict[str, Any]) -> None:
        """Policies and schedule change; a changed schedule starts after now, and so does a delay that is said again."""
        is_changed = text is not None and (text != job.text or text.startswith("in "))
        if is_changed and job.is_active:
            self._pass_over(job)
            self._add(job, job.overdue(self.now), Is.MISSED, "edited")
        before = job.options | {"max_retries": job.retries}
        job.options = job.options | options
        if job.overlap != "allow":
            job.options = job.options | {"max_instances": None}
        if is_changed or job.options | {"max_retries": job.retries} != before:
            job.updated = self.now
        if text is not None and is_changed:
            job.text, job.anchor = text, self.now if job.start_at is None else job.start_at
            job.schedule = parse_schedule(text, "UTC", now=self.now, start=job.start_at)
            job.next = job.next_from(self.now)
            if job.status is JobStatus.FINISHED and job.next is not None:
                job.status = JobStatus.ACTIVE
            self._finish_if_over(job)
        self._told(job)

    def pause(self, job: Job) -> None:
        """A person puts the job to rest."""
        if job.status in (JobStatus.PAUSED, JobStatus.FINISHED):
            return
        self._take_off(job, "paused")
        job.status, job.updated = JobStatus.PAUSED, self.now
        self._told(job)

    def resume(self, job: Job) -> None:
        """A person lets it fire again, from now on."""
        if job.status not in (JobStatus.PAUSED, JobStatus.DEACTIVATED):
            return
        passed = job.overdue(self.now)
        if job.status is JobStatus.DEACTIVATED:
            job.streak = 0
        job.status, job.updated = JobStatus.ACTIVE, self.now
        if passed or job.next is None or job.next > self.now:
            job.next = job.next_from(self.now)
        if len(passed) == 1 and job.next is None and not job.record_of(passed[0], self.now):
            self._add(job, passed, Is.MISSED, "paused")
        self._finish_if_over(job)
        self._told(job)

    def delete(self, job: Job) -> None:
        """The job is gone; its history stays, and what runs goes on."""
        self._take_off(job, "deleted")
        job.is_gone = True
        self._told(job)

    def run_by_hand(self, job: Job) -> None:
        """A run is asked for, now."""
        scheduled = self.now
        taken = {row.scheduled for row in job.rows}
        while scheduled in taken or job.following(scheduled - 1) == scheduled:
            scheduled += 1
        self._new(job, scheduled, trigger=Trigger.MANUAL, due=scheduled)
        self._told(job)

    def cancel(self, job: Job, row: Row) -> None:
        """An attempt that waits is cancelled at once; one that runs is asked to end."""
        if row.status is Is.WAITING:
            row.status, row.reason = Is.CANCELLED, "cancelled by hand"
            if not job.is_gone:
                self._finish_if_over(job)
        elif row.status is Is.RUNNING:
            row.status, row.reason = Is.CANCELLING, "cancelled by hand"
        self._told(job)

    def _told(self, job: Job) -> None:
        """The process reads a job anew that was changed by a call."""
        if not self.is_up:
            return
        self._load(job)
        self._decide(job)

    def _load(self, job: Job) -> None:
        job.is_stale = job.is_unsure = False
        unseen, job.unseen = job.unseen, []
        for row in unseen:
            self._begin(job, row)
        for other in self.jobs:  # what is to be cancelled is read of all jobs at once
            for run in other.here:
                if run.row.status is Is.CANCELLING:
                    self._ask_to_end(other, run, run.row.reason or "")

    # -- what the process decides about one job -----------------------------------------------------------------

    def _decide(self, job: Job) -> None:
        """Do what is to be done now, and sleep until the next moment."""
        job.wakes = None
        if job.is_gone or not self.is_up:
            job.pause = Pause()
            return
        if not job.is_active and not job.is_unsure and not any(row.trigger is Trigger.MANUAL for row in job.waiting()):
            job.pause = Pause()
            return
        if job.pause.until is not None:
            return
        if not self._has_room(job) and any(run.outcome is not None for run in job.here):
            return  # what has ended keeps nothing from running: first its end is written
        while (act := self._next_act(job)) is not None:
            if not self._write(job, job.pause, act):
                return
        job.pause.over()
        moments = [job.next_due()] if job.is_active else []
        if job.is_active and self._has_room(job):
            moments += [row.due for row in job.waiting() if self._is_retry(row)]
        nearest = min((moment for moment in moments if moment is not None), default=None)
        job.wakes = None if nearest is None else self.mono + max(0, nearest - self.now)

    def _write(self, job: Job, pause: Pause, act: Callable[[], object]) -> bool:
        """Write something, if the store is there and what is known of the job is what is so; whether it is known."""
        is_stale = job.is_stale and not job.is_gone
        if self.is_away or (self.answers_are_lost and is_stale):
            pause.begin(self.mono)
            return False
        if is_stale:
            self._load(job)
            return True  # and look again
        try:
            act()
        except Refused:
            pause.begin(self.mono)
            return False
        if self.answers_are_lost:
            job.is_stale, job.is_unsure = True, job.is_unsure or pause is job.pause
            pause.begin(self.mono)
            return False
        return True

    def _has_room(self, job: Job) -> bool:
        return job.most_at_once is None or len(job.here) < job.most_at_once

    def _is_retry(self, row: Row) -> bool:
        by_hand = row.trigger is Trigger.MANUAL and row.attempt == 1
        return row.reason is None and not by_hand

    def _next_act(self, job: Job) -> Callable[[], object] | None:
        """What is to be done now, if anything: the order is the policy."""
        waiting, room = job.waiting(), self._has_room(job)
        if job.is_stale and (job.is_unsure or waiting or job.overdue(self.now)):
            return lambda: None
        allowed = [row for row in waiting if job.is_active or row.trigger is Trigger.MANUAL]
        lost = sorted((row for row in allowed if row.reason == "recovered"), key=_turn)
        if lost and room:
            return lambda: self._claim(job, lost[0])
        requests = [row for row in waiting if row.trigger is Trigger.MANUAL and row.attempt == 1 and not row.reason]
        if requests:
            return lambda: self._claim(job, requests[0]) if room else self._meet_by_hand(job, requests[0])
        backlog_runs = any(run.row.reason == "backlog" for run in job.here)
        in_line = [row for row in allowed if row.reason == "queued"]
        in_line += [row for row in allowed if row.reason == "backlog" and not backlog_runs]
        retries = [row for row in allowed if self._is_retry(row) and row.due <= self.now and job.is_active]
        if job.keeps_retries:
            in_line += retries
        if in_line and room:
            return lambda: self._claim(job, min(in_line, key=_turn))
        if not job.is_active:
            return None
        if overdue := job.overdue(self.now):
            if any(job.record_of(instant, self.now) for instant in overdue):
                return lambda: self._pass_over(job)
            return lambda: self._come_due(job, overdue) if room else self._come_due_while_busy(job, overdue)
        if retries and room:
            return lambda: self._claim(job, min(retries, key=_turn))
        if job.next is None and not waiting and not job.here:
            return lambda: self._finish_if_over(job)
        return None

    def _pass_over(self, job: Job) -> None:
        """The clock was set back: what is recorded stands; of the rest, what is due before the last of it is missed."""
        overdue = job.overdue(self.now) if job.is_active else []
        known = [instant for instant in overdue if job.record_of(instant, self.now)]
        if not known:
            return
        gap: list[int] = []
        for instant in overdue[: overdue.index(known[-1]) + 1]:
            if instant not in known:
                gap.append(instant)
                continue
            self._add(job, gap, Is.MISSED, "misfire")
            gap = []
        last = job.record_of(known[-1], self.now)
        assert last is not None
        job.next = job.following(last.stands_to(self.now))

    def _come_due(self, job: Job, overdue: list[int]) -> None:
        runs = self._sort_out(job, overdue)
        if not runs:
            self._finish_if_over(job)
            return
        reason = "backlog" if len(runs) > 1 else None
        rows = [self._new(job, instant, reason=reason) for instant in runs]
        self._claim(job, rows[0])

    def _sort_out(self, job: Job, overdue: list[int]) -> list[int]:
        """The policy `misfire`: of what is due the latest runs, or none, or the newest hundred; the rest is missed."""
        if job.misfire == "skip" and self.now - job.due(overdue[-1]) > job.misfire_grace:
            runs = []
        elif job.misfire == "run_all":
            left = MOST if job.max_runs is None else max(1, job.max_runs - job.taken())
            runs = overdue[-min(MOST, left) :]
        else:
            runs = overdue[-1:]
        job.next = job.following(overdue[-1], more=len(runs))
        self._add(job, [instant for instant in overdue if instant not in runs], Is.MISSED, "misfire")
        if runs and not job.keeps_retries:
            self._supersede(row for row in job.waiting() if self._is_retry(row))
        return runs

    def _come_due_while_busy(self, job: Job, overdue: list[int]) -> None:
        """What was due before the running attempt began waits for its turn; what came after overlaps."""
        before = [instant for instant in overdue if job.due(instant) <= self._busy_since(job)]
        if before:
            runs = self._sort_out(job, before)
            for instant in runs:
                self._new(job, instant, reason="backlog" if len(runs) > 1 else "queued")
            return
        if job.overlap in ("queue_one", "queue_all"):
            self._queue(job, overdue)
        elif job.overlap == "cancel_previous":
            self._refuse_what_has_ended(job)
            self._supersede(row for row in job.waiting() if row.reason not in ("recovered", "backlog"))
            self._add(job, overdue[:-1], Is.SKIPPED, "superseded")
            job.next = job.following(overdue[-1], more=1)
            self._new(job, overdue[-1], reason="queued")
            self._cancel_previous(job)
        else:
            job.next = job.following(overdue[-1])
            self._add(job, overdue, Is.SKIPPED, "overlap")

    def _busy_since(self, job: Job) -> int:
        """By the wall clock; a clock that was set back since may show an earlier time, and all that is due is newer."""
        return min(run.row.claimed if run.row.claimed <= self.now else 0 for run in job.here)

    def _queue(self, job: Job, overdue: list[int]) -> None:
        places = (1 if job.overlap == "queue_one" else MOST) - sum(row.reason == "queued" for row in job.waiting())
        left = list(overdue)
        for instant in overdue:
            if places > 0 and (job.max_runs is None or job.taken() < job.max_runs):
                places -= 1
                self._new(job, instant, reason="queued")
                left.remove(instant)
        job.next = job.following(overdue[-1])
        if job.max_runs is None or job.taken() < job.max_runs:
            self._add(job, left, Is.SKIPPED, "overlap")

    def _refuse_what_has_ended(self, job: Job) -> None:
        """An attempt whose end is written, though nobody was told, cannot be cancelled: one has to wait until it is."""
        if any(run.is_written and not run.was_cancelling and run.row.reason != "backlog" for run in job.here):
            raise Refused

    def _cancel_previous(self, job: Job) -> None:
        for run in list(job.here):
            if run.row.status is Is.RUNNING and run.row.reason != "backlog":
                run.row.status, run.row.reason = Is.CANCELLING, "superseded"
                if not self.answers_are_lost:
                    self._ask_to_end(job, run, "superseded")

    def _meet_by_hand(self, job: Job, request: Row) -> None:
        """A run by hand that finds no room is treated as a firing is."""
        queued = [row for row in job.waiting() if row.reason == "queued"]
        if request.due < self._busy_since(job):
            request.reason = "queued"
        elif job.overlap == "cancel_previous":
            self._refuse_what_has_ended(job)
            self._supersede(queued)
            request.reason = "queued"
            instants = [row.scheduled for row in queued if row.trigger is Trigger.SCHEDULE]
            if instants and job.max_runs is not None and job.next is None and job.is_active:
                job.next = job.following(max(self.now, *instants))  # their places are free again
            self._cancel_previous(job)
        elif len(queued) < {"queue_one": 1, "queue_all": MOST}.get(job.overlap, 0):
            request.reason = "queued"
        else:
            request.status, request.reason = Is.SKIPPED, "overlap"

    # -- attempts -----------------------------------------------------------------------------------------------

    def _claim(self, job: Job, row: Row) -> None:
        row.status, row.claimed = Is.RUNNING, self.now
        if row.trigger is Trigger.SCHEDULE and row.attempt == 1:
            job.runs += 1
            if job.max_runs is not None and job.runs >= job.max_runs:
                job.next = None
        if self.answers_are_lost:
            job.unseen.append(row)
        else:
            self._begin(job, row)

    def _begin(self, job: Job, row: Row) -> None:
        part = self.part_of(job.id, row.scheduled, row.attempt)
        run = Run(
            row=row,
            began=self.mono,
            part=part,
            ends=None if part.takes is None else self.mono + part.takes,
            overdue=None if job.timeout is None else self.mono + job.timeout,
        )
        job.here.append(run)
        if row.status is Is.CANCELLING:
            self._ask_to_end(job, run, row.reason or "")

    def _ask_to_end(self, job: Job, run: Run, why: str) -> None:
        """Ask an attempt to end; the first reason counts. A callback that hears ends at once."""
        run.was_cancelling = run.was_cancelling or run.row.status is Is.CANCELLING
        if run.cancelled is not None:
            return
        run.cancelled = why
        if not run.part.deaf and run.outcome is None:
            run.ends = self.mono

    def _watch(self, job: Job, run: Run) -> None:
        """It runs longer than its timeout: it is asked to end, and where it does not, its row says so."""
        if run.overdue is not None and run.overdue <= self.mono:
            run.overdue = None
            self._ask_to_end(job, run, "timeout")
            if run.cancelled == "timeout":
                run.marks = self.mono + SECOND
        due = run.marks if run.marking.until is None else run.marking.until
        if due is not None and due <= self.mono:
            self._mark(job, run)

    def _mark(self, job: Job, run: Run) -> None:
        run.marks = None
        run.marking.until = None

        def act() -> None:
            run.row.status, run.row.reason = Is.CANCELLING, "timeout"

        if self._write(job, run.marking, act):
            if run.row.status is not Is.CANCELLING:
                self._write(job, run.marking, act)
            run.was_cancelling = True
            self._look_again(job)

    def _callback_ended(self, job: Job, run: Run) -> None:
        run.ends = None
        if run.cancelled is not None and not run.part.deaf:
            run.outcome = Is.CANCELLED
        else:
            run.outcome = Is.FAILED if run.part.fails else Is.SUCCEEDED
        self._write_end(job, run)

    def _write_end(self, job: Job, run: Run) -> None:
        run.pause.until = None
        if run.is_written and (self.is_away or self.answers_are_lost):  # and is not told
            run.pause.begin(self.mono)
            return
        while not run.is_written:
            if not self._write(job, run.pause, lambda: self._end(job, run)):
                return
        if job.is_stale:
            self._load(job)
        job.here.remove(run)
        self._look_again(job)

    def _look_again(self, job: Job) -> None:
        """An attempt is over, or asked to end: who has nothing that waits sleeps on, until the next instant."""
        if job.wakes is None or job.waiting() or not job.is_active:
            self._decide(job)

    def _end(self, job: Job, run: Run) -> None:
        """END: the final state, the streak, and the retry if one is due."""
        row, run.is_written = run.row, True
        if run.cancelled == "timeout":
            status: Is = Is.TIMED_OUT
        else:
            status = Is.CANCELLED if run.cancelled is not None else run.outcome or Is.SUCCEEDED
        row.status = status
        row.reason = run.cancelled if run.cancelled is not None else row.reason
        if job.is_gone:
            return
        job.last_run = row.claimed
        if status is Is.SUCCEEDED:
            job.streak = 0
        elif status in (Is.FAILED, Is.TIMED_OUT):
            job.streak += 1
            if job.is_active and job.streak <= job.retries:
                self._again(job, row, due=self.now + self._delay(job, row.attempt))
            elif job.is_active:
                self._exhausted(job)
        self._finish_if_over(job, ending=run)

    def _exhausted(self, job: Job) -> None:
        if job.on_exhausted == "continue":
            job.streak = 0
            return
        self._take_off(job, "deactivated")
        job.status = JobStatus.DEACTIVATED

    def _recover(self, job: Job, row: Row) -> None:
        """Its process is gone: it is lost, and its firing runs again, unless nobody wants that."""
        deaths = 1 + sum(other.status is Is.LOST and other.scheduled == row.scheduled for other in job.rows)
        wanted = row.status is Is.RUNNING or row.reason == "timeout"
        row.status = Is.LOST
        row.reason = "the process died" if deaths < 3 else f"the process died {deaths} times"
        if job.is_gone:
            return
        if deaths >= 3:
            job.last_run = row.claimed
            job.streak += 1
            if job.is_active and job.streak > job.retries:
                self._exhausted(job)
        elif wanted and job.delivery == "at_least_once" and (job.is_active or row.trigger is Trigger.MANUAL):
            self._again(job, row, due=self.now, reason="recovered")
        self._finish_if_over(job)

    # -- records ------------------------------------------------------------------------------------------------

    def _new(
        self,
        job: Job,
        scheduled: int,
        *,
        trigger: Trigger = Trigger.SCHEDULE,
        status: Is = Is.WAITING,
        reason: str | None = None,
        due: int | None = None,
    ) -> Row:
        if trigger is Trigger.SCHEDULE:
            assert job.record_of(scheduled, self.now) is None
        self._rows += 1
        due = job.due(scheduled) if due is None else due
        row = Row(self._rows, scheduled, scheduled, 1, 1, trigger, status, reason, due, text=job.text)
        job.rows.append(row)
        return row

    def _again(self, job: Job, row: Row, *, due: int, reason: str | None = None) -> None:
        self._rows += 1
        job.rows.append(
            Row(self._rows, row.scheduled, row.scheduled, 1, row.attempt + 1, row.trigger, Is.WAITING, reason, due)
        )

    def _add(self, job: Job, instants: list[int], status: Is, reason: str) -> None:
        """One row for all these instants, if there are any."""
        if not instants:
            return
        assert not any(job.record_of(instant, self.now) for instant in instants)
        row = self._new(job, instants[0], status=status, reason=reason)
        row.last, row.count = instants[-1], len(instants)

    def _supersede(self, rows: Iterable[Row]) -> None:
        for row in list(rows):
            row.status, row.reason = Is.SKIPPED, "superseded"

    def _take_off(self, job: Job, why: str) -> None:
        """The job does not fire from here on: what had come due is missed, what waits is cancelled."""
        self._pass_over(job)
        for row in job.waiting():
            row.status, row.reason = Is.CANCELLED, why
        if job.is_active and (overdue := job.overdue(self.now)):
            self._add(job, overdue, Is.MISSED, why)
            job.next = job.following(overdue[-1])

    def _finish_if_over(self, job: Job, ending: Run | None = None) -> None:
        open_left = any(row.status in OPEN for row in job.rows)
        if job.is_active and job.next is None and not open_left:
            job.status = JobStatus.FINISHED


def _turn(row: Row) -> tuple[int, int]:
    return (row.due, row.scheduled)
