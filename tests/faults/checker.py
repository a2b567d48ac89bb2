"""Holds what is left of a life against the promises: the invariants I1 to I9, each a function that says what is wrong.

It shares nothing with the scheduler but the names of tables and columns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from faults.evidence import CALLED, FINAL, SECOND, Call, Evidence, JobLife, Row

__all__ = ["INVARIANTS", "Report", "Violation", "check"]

INVARIANTS = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9")
_RAN = frozenset({"running", "cancelling", "succeeded", "failed", "timed_out", "lost"})
_OPEN = frozenset({"waiting", "running", "cancelling"})
_RECOVERIES = 2
#: A standby may take this long until it is the owner.
_TAKES_OVER = 2 * SECOND


@dataclass(frozen=True, order=True)
class Violation:
    """A promise that was not kept."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@dataclass(frozen=True)
class Report:
    """What was found, and how much there was to be found."""

    violations: list[Violation]
    executions: int
    lost: int
    firings: int
    effects: int
    recovered_within: float
    """The longest time, in seconds, from a process's first line to the end of what its dead one had left running."""
    started_within: float
    """The latest start, in seconds, of a quick job's firing, after it was due or the scheduler was started."""
    stories: list[str]
    """Of the jobs that something is wrong with."""


@dataclass(frozen=True)
class _Question:
    evidence: Evidence
    delivery: str
    patience: float
    stopped: bool
    """Whether the last generation came to a clean end."""

    @property
    def within(self) -> int:
        return round(self.patience * SECOND)


def check(
    snapshots: Sequence[Path], journal: Path, *, delivery: str = "at_least_once", patience: float = 1.0
) -> Report:
    """Everything that is wrong with a life, in words.

    `patience` stretches the seconds that are promised for progress: a machine that does much else has none of its own.
    """
    evidence = Evidence(snapshots, journal)
    stopped = bool(evidence.lines) and evidence.lines[-1].what == "stopped"
    question = _Question(evidence, delivery, patience, stopped)
    found = [
        Violation(invariant, text)
        for invariant, ask in _QUESTIONS
        for text in ask(question)
    ]  # fmt: skip
    rows = evidence.last.executions.values()
    return Report(
        violations=sorted(set(found)),
        executions=len(rows),
        lost=sum(row["status"] == "lost" for row in rows),
        firings=len(evidence.firings),
        effects=len(evidence.said("end")),
        recovered_within=max((late for _, late in _recoveries(evidence)), default=0) / SECOND,
        started_within=max((late for _, late in _starts(evidence)), default=0) / SECOND,
        stories=[
            line
            for job_id in sorted({life.job_id for life in evidence.lives.values()})
            if any(job_id in each.text for each in found)
            for line in (job_id, *evidence.story(job_id))
        ],
    )


def _told(row: Row) -> str:
    many = f" and {row['count'] - 1} more" if row["count"] > 1 else ""
    return (
        f"{row['job_id']} ({row['generation']}) at {row['scheduled']}{many}, attempt {row['attempt']}"
        f" [{row['status']}{', ' + row['reason'] if row['reason'] else ''}]"
    )


# -- I1 and I3: the instants and the records -----------------------------------------------------------------------


def _scheduled(evidence: Evidence, life: JobLife) -> dict[int, list[Row]]:
    """The scheduled firings of a job, by their (first) instant."""
    return {
        scheduled: rows
        for (job_id, generation, scheduled), rows in evidence.firings.items()
        if (job_id, generation) == (life.job_id, life.generation) and rows[0]["trigger"] == "schedule"
    }


def _covered(life: JobLife, row: Row) -> list[int]:
    """The instants that a record stands for, by our own reckoning."""
    first, last = row["scheduled"], row["last_scheduled"]
    if row["count"] == 1 and first == last:
        return [first]
    owners = [part.definition for part in life.segments if part.asked <= first and part.definition.has(first)]
    return list(owners[-1].between(first - 1, last + 1)) if owners else [first]


def _i1(question: _Question) -> Iterator[str]:
    """Each instant due while active is in exactly one firing record."""
    evidence = question.evidence
    for key, life in evidence.lives.items():
        firings = _scheduled(evidence, life)
        stands = Counter(instant for rows in firings.values() for instant in _covered(life, rows[0]))
        yield from (f"{life}: the instant {instant} is in {n} records" for instant, n in stands.items() if n > 1)
        for instant in life.instants(_horizon(question, key, firings)):
            if instant not in stands:
                yield f"{life}: no record of the instant {instant}"
        for rows in firings.values():
            covered = _covered(life, rows[0])
            if len(covered) != rows[0]["count"] or covered[-1] != rows[0]["last_scheduled"]:
                yield f"{_told(rows[0])}: its range has {len(covered)} instants, it says {rows[0]['count']}"


def _horizon(question: _Question, key: tuple[str, int], firings: dict[int, list[Row]]) -> int:
    """Up to here every instant must have a record: the job's next firing, or its last where `max_runs` are done."""
    evidence, life = question.evidence, question.evidence.lives[key]
    never = 2**62
    until = never
    job = evidence.last.jobs.get(life.job_id)
    if job is not None and job["generation"] == life.generation and life.is_open and job["next_fire"] is not None:
        until = job["next_fire"]
    limit = life.definitions[-1].max_runs if life.definitions else None
    if limit is not None:
        begun = sorted(at for at, rows in firings.items() if rows[0]["status"] not in ("skipped", "missed"))
        if len(begun) >= limit:
            until = min(until, begun[limit - 1])
    if until == never and life.is_open:  # a job whose last firing is under way
        until = max((instant for rows in firings.values() for instant in _covered(life, rows[0])), default=0)
        if life.definitions and not life.definitions[-1].repeats:
            until = never
    return until


def _i3(question: _Question) -> Iterator[str]:
    """No invented firing: neither in the record, nor in the world, nor in the history."""
    evidence = question.evidence
    for rows in evidence.firings.values():
        row = rows[0]
        life = evidence.lives.get((row["job_id"], row["generation"]))
        if life is None:
            yield f"{_told(row)}: there never was such a job"
        elif row["trigger"] == "manual":
            if not any(
                change["kind"] == "run_requested" and change["detail"] == row["id"] for change in evidence.last.changes
            ):
                yield f"{_told(row)}: nobody asked for it"
        elif not life.has(row["scheduled"]) and not _passed_while_paused(life, row):
            yield f"{_told(row)}: it was not due then"
    for life in evidence.lives.values():
        limit = life.definitions[-1].max_runs if life.definitions else None
        begun = [rows for rows in _scheduled(evidence, life).values() if rows[0]["status"] in _RAN]
        if limit is not None and len(begun) > limit:
            yield f"{life}: {len(begun)} firings were begun, {limit} is the limit"
        job = evidence.last.jobs.get(life.job_id)
        to_come = job["next_fire"] if job and job["generation"] == life.generation and life.is_open else None
        if to_come is not None and not life.has(to_come):
            yield f"{life}: its next firing, {to_come}, is no instant of its schedule"
    for line in (*evidence.said("begin"), *evidence.said("end")):
        found = evidence.last.executions.get(line["execution"])
        said = (line["job"], line["scheduled"], line["attempt"])
        if found is None:
            yield f"a callback ran ({line.what}) without a record: {said}"
        elif said != (found["job_id"], found["scheduled"], found["attempt"]):
            yield f"{_told(found)}: its callback was told {said}"
    for change in evidence.last.changes:
        if change["kind"] in CALLED and evidence.call_of(change) is None:
            yield f"the history of {change['job_id']} tells of a call ({change['kind']}) that nobody made"


def _passed_while_paused(life: JobLife, row: Row) -> bool:
    """A one-off whose instant came while it was paused is missed, when it is resumed."""
    once = any(not each.repeats and each.has(row["scheduled"]) for each in life.definitions)
    return once and (row["status"], row["reason"]) == ("missed", "paused")


# -- I2, I4, I5: attempts, their effects, and each other -------------------------------------------------------------


def _i2(question: _Question) -> Iterator[str]:
    """No duplicate record; attempts are 1 … n without holes, each after the end of the one before."""
    for rows in question.evidence.firings.values():
        attempts = [row["attempt"] for row in rows]
        if attempts != list(range(1, len(rows) + 1)):
            yield f"{_told(rows[0])}: its attempts are {attempts}"
        many = [row for row in rows if row["count"] != 1 or row["scheduled"] != row["last_scheduled"]]
        if many and (len(rows) > 1 or many[0]["status"] not in ("skipped", "missed")):
            yield f"{_told(many[0])}: a range that was attempted"
        if len({row["trigger"] for row in rows}) > 1:
            yield f"{_told(rows[0])}: two firings have one instant"
        for before in rows[:-1]:
            again = before["status"] in ("failed", "timed_out", "lost")
            if not again and (before["status"], before["reason"]) != ("cancelled", "the scheduler stopped"):
                yield f"{_told(before)}: and yet there is another attempt"


def _i4(question: _Question) -> Iterator[str]:
    """Record and effect agree."""
    evidence = question.evidence
    begun, ended = Counter[str](), defaultdict[str, list[bool]](list)
    for line in evidence.said("begin"):
        begun[line["execution"]] += 1
    for line in evidence.said("end"):
        ended[line["execution"]].append(line["fails"])
    for row in evidence.last.executions.values():
        begins, effects = begun[row["id"]], ended[row["id"]]
        match row["status"]:
            case "succeeded" if (begins, effects) != (1, [False]):
                yield f"{_told(row)}: it has {begins} beginnings and {effects.count(False)} effects"
            case "failed" if (begins, effects) != (1, [True]):
                yield f"{_told(row)}: it has {begins} beginnings, and {effects.count(True)} failures"
            case "waiting" | "skipped" | "missed" if begins or effects:
                yield f"{_told(row)}: and yet its callback was called"
            case _ if begins > 1 or len(effects) > begins:
                yield f"{_told(row)}: it has {begins} beginnings and {len(effects)} effects"
    for rows in evidence.firings.values():
        effects = [failed for row in rows for failed in ended[row["id"]] if not failed]
        excuses = sum(row["status"] in ("lost", "cancelled") for row in rows)
        if len(effects) > 1 + excuses:
            yield f"{_told(rows[-1])}: {len(effects)} effects, and {excuses} attempts that could explain it"
        yield from _after_loss(question, rows)


def _after_loss(question: _Question, rows: list[Row]) -> Iterator[str]:
    """At least once: what was lost runs again, twice at most, unless it was cancelled. At most once: never."""
    cancelled = {each["detail"] for each in question.evidence.last.changes if each["kind"] == "cancel_requested"}
    life = question.evidence.lives.get((rows[0]["job_id"], rows[0]["generation"]))
    deaths = 0
    for number, row in enumerate(rows, start=1):
        if row["status"] != "lost":
            continue
        deaths += 1
        follower = rows[number] if number < len(rows) else None
        if question.delivery == "at_most_once" or deaths > _RECOVERIES or row["id"] in cancelled:
            if follower is not None:
                yield f"{_told(row)}: it is run again, and must not be"
            continue
        wanted = life is not None and (life.was_active(row["finished"]) or row["trigger"] == "manual")
        if life is not None and life.status == "deleted":
            wanted = life.was_active(row["finished"])
        if wanted and follower is None:
            yield f"{_told(row)}: it is never run again"
        if follower is not None and follower["reason"] in ("superseded", "misfire"):
            yield f"{_told(follower)}: what is recovered is first in line"


def _i5(question: _Question) -> Iterator[str]:
    """No job of a victim's runs beside itself."""
    ran: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in question.evidence.last.executions.values():
        if row["started"] is not None:
            ran[row["job_id"], row["generation"]].append(row)
    for rows in ran.values():
        rows.sort(key=lambda row: row["started"])
        for before, after in pairwise(rows):
            if before["finished"] is None or before["finished"] > after["started"]:
                yield f"{_told(before)} is not over when {_told(after)} begins"


# -- I6: progress ----------------------------------------------------------------------------------------------------


def _recoveries(evidence: Evidence) -> Iterator[tuple[Row, int]]:
    """What was lost, and how long after the first line of the process that found it, or the kill before its eyes."""
    opened = [line.at for line in (*evidence.said("opening"), *evidence.said("killed"))]
    for row in evidence.last.executions.values():
        if row["status"] == "lost":
            yield row, row["finished"] - max((at for at in opened if at <= row["finished"]), default=row["finished"])


def _starts(evidence: Evidence) -> Iterator[tuple[Row, int]]:
    """How late quick jobs' firings began, counted from the start of their scheduler where they were due before."""
    ready = [(line.at, line.at) for line in evidence.said("started")]
    ready += [(line.at, line.at + _TAKES_OVER) for line in (*evidence.said("killed"), *evidence.said("stopped"))]
    for row in evidence.last.executions.values():
        quick = any(kind in row["job_id"] for kind in (":tick", ":once", ":fresh"))
        if quick and row["started"] is not None and row["attempt"] == 1 and row["reason"] is None:
            due = max([row["scheduled"], *(then for since, then in ready if since <= row["started"])])
            yield row, row["started"] - due


def _i6(question: _Question) -> Iterator[str]:
    """Progress: no orphan is left running, and what is due is begun."""
    evidence, within = question.evidence, question.within
    for row, late in _recoveries(evidence):
        if late > 2 * within:
            yield f"{_told(row)}: it was recovered only after {late / SECOND:.2f} s"
    for row, late in _starts(evidence):
        if late > within:
            yield f"{_told(row)}: it began {late / SECOND:.2f} s late"
    if not question.stopped:
        return
    stopping = evidence.said("stopping")[-1].at
    for row in evidence.last.executions.values():
        if row["status"] in ("running", "cancelling"):
            yield f"{_told(row)}: it is open, and nobody runs it"
        elif (
            row["status"] == "waiting" and row["due"] < stopping - 2 * within and not _is_busy(evidence, row, stopping)
        ):
            yield f"{_told(row)}: it has waited since {row['due']}, and nobody comes"
    for job in evidence.last.jobs.values():
        if job["status"] != "active":
            continue
        if job["next_fire"] is None:
            if not any(_is_of(row, job) and row["status"] in _OPEN for row in evidence.last.executions.values()):
                yield f"job {job['id']}: it is active, and nothing of it is to come"
        elif job["next_fire"] < stopping - 2 * within:
            yield f"job {job['id']}: its firing at {job['next_fire']} was due, and nobody came"


def _is_busy(evidence: Evidence, row: Row, at: int) -> bool:
    """Whether another attempt of the row's job ran then: what waits has to wait for it."""
    return any(
        (other["job_id"], other["generation"]) == (row["job_id"], row["generation"])
        and other["started"] is not None and other["started"] <= at
        and other["finished"] is not None and other["finished"] >= at
        for other in evidence.last.executions.values()
    )  # fmt: skip


def _is_of(row: Row, job: Row) -> bool:
    return (row["job_id"], row["generation"]) == (job["id"], job["generation"])


# -- I7, I8, I9: what stays ------------------------------------------------------------------------------------------


def _i7(question: _Question) -> Iterator[str]:
    """Final stays final, and history stays as it is."""
    states = question.evidence.states
    for before, after in pairwise(states):
        for row in before.executions.values():
            if row["status"] in FINAL:
                later = after.executions.get(row["id"])
                if later is None:
                    yield f"{_told(row)}: it is gone"
                elif later != row:
                    yield f"{_told(row)}: it was final, and became {_told(later)}"
        if after.changes[: len(before.changes)] != before.changes:
            yield "the history of jobs was changed afterwards"


def _i8(question: _Question) -> Iterator[str]:
    """What was answered is there."""
    evidence = question.evidence
    told = defaultdict[tuple[str, str], list[Row]](list)
    for change in evidence.last.changes:
        if change["kind"] in CALLED:
            told[CALLED[change["kind"]], change["job_id"]].append(change)
    for call in evidence.calls:
        if call.answer is not None:
            during = [each for each in told[call.what] if call.asked.at <= each["at"] <= call.answer.at]
            yield from _is_there(question, call, during)
    yield from _states_agree(evidence)


def _is_there(question: _Question, call: Call, during: list[Row]) -> Iterator[str]:
    assert call.answer is not None
    evidence = question.evidence
    kind, _ = call.what
    if kind in ("create", "edit") and not during:
        yield f"{call} was answered, and the history knows nothing of it"
    elif kind == "delete" and call.answer["answer"] and not during:
        yield f"{call} was answered, and the job's end is not told"
    elif kind in ("pause", "resume") and call.answer["answer"] and not during:
        if not _was_so_already(question, call):
            yield f"{call} was answered, and the history knows nothing of it"
    elif kind == "run":
        row = evidence.last.executions.get(call.answer["execution"])
        if row is None or not any(each["detail"] == row["id"] for each in during):
            yield f"{call} was answered, and there is no such execution"
    elif kind == "cancel" and call.answer["answer"]:
        row = evidence.last.executions.get(call.asked["execution"])
        if row is None or row["status"] == "waiting":
            yield f"{call} was answered, and nothing was cancelled"


def _was_so_already(question: _Question, call: Call) -> bool:
    """Whether there was nothing to do for a pause or a resumption, and so nothing to tell.

    What the scheduler itself does to a job is dated when it is decided, a moment before it is committed.
    """
    assert call.answer is not None
    kind, job_id = call.what
    lives = [life for (known, _), life in question.evidence.lives.items() if known == job_id]
    if lives and lives[-1].was_active(call.asked.at) == (kind == "resume"):
        return True
    return any(
        change["job_id"] == job_id and change["kind"] in ("deactivated", "finished")
        and call.asked.at - question.within <= change["at"] <= call.answer.at
        for change in question.evidence.last.changes
    )  # fmt: skip


def _states_agree(evidence: Evidence) -> Iterator[str]:
    """Each job's row is what its history says, and so is each definition."""
    for (job_id, generation), life in evidence.lives.items():
        job = evidence.last.jobs.get(job_id)
        if job is not None and job["generation"] != generation:
            job = None
        if (life.status == "deleted") != (job is None):
            yield f"{life}: its history says {life.status}, and the row is {'gone' if job is None else 'there'}"
        elif job is not None and job["status"] != life.status and job["status"] != "finished":
            yield f"{life}: its history says {life.status}, the row {job['status']}"
        if not life.definitions:
            yield f"{life}: nobody knows what was asked for"
    for job in evidence.last.jobs.values():
        if (job["id"], job["generation"]) not in evidence.lives:
            yield f"job {job['id']} ({job['generation']}) has no history"


def _i9(question: _Question) -> Iterator[str]:
    """The file is sound, and a stopped scheduler leaves nothing."""
    for number, state in enumerate(question.evidence.states, start=1):
        if state.integrity != "ok":
            yield f"generation {number}: integrity_check says {state.integrity!r}"
    for line in question.evidence.said("stopped"):
        if line["threads"] or line["files"]:
            yield f"process {line.pid} stopped, and left {line['threads'] + line['files']}"


_QUESTIONS: tuple[tuple[str, Callable[[_Question], Iterator[str]]], ...] = (
    ("I1", _i1), ("I2", _i2), ("I3", _i3), ("I4", _i4), ("I5", _i5), ("I6", _i6), ("I7", _i7), ("I8", _i8), ("I9", _i9),
)  # fmt: skip
