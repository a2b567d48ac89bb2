"""The checker sees what is wrong: a sound life is doctored in one place, and it says which promise that breaks."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from faults.checker import check
from faults.evidence import SECOND, Definition, JobLife
from faults.journal import Line, read, write
from faults.killing import Life


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A life with everything in it: a kill in a callback, one beside a long one, and a clean end.

    Two and no more: what is lost a third time is not made good.
    """
    with Life(tmp_path_factory.mktemp("sound"), seed=3) as life:
        life.dies_at("callback-after-effect", 8)
        life.dies_at("before-skip", 2)
        life.lives(4)
    return life


@dataclass
class Doctor:
    """A copy of a life, to be tampered with."""

    life: Life

    def everywhere(self, sql: str, **values: object) -> None:
        """Change every snapshot, as if it had always been so."""
        changed = [self._change(path, sql, values) for path in self.life.snapshots]
        assert sum(changed) > 0, "nothing was changed"

    def at_last(self, sql: str, **values: object) -> None:
        """Change the database in the end."""
        assert self._change(self.life.snapshots[-1], sql, values) > 0, "nothing was changed"

    def find(self, sql: str, **values: object) -> Any:
        """The first row of the database in the end."""
        connection = sqlite3.connect(self.life.snapshots[-1])
        connection.row_factory = sqlite3.Row
        try:
            found = connection.execute(sql, values).fetchone()
        finally:
            connection.close()
        assert found is not None, "there is nothing to tamper with"
        return found

    def execution(self, where: str) -> Any:
        """The first execution like this."""
        return self.find(f"SELECT * FROM aurora_executions WHERE {where} ORDER BY id")

    def lost(self) -> Any:
        """The first attempt that was lost, and made good by the next."""
        return self.find(
            "SELECT one.* FROM aurora_executions AS one"
            " JOIN aurora_executions AS other USING (job_id, generation, scheduled)"
            " WHERE one.status = 'lost' AND other.status = 'succeeded' AND other.attempt = one.attempt + 1"
        )

    def add(self, **changes: object) -> None:
        """Put a copy of a succeeded execution of "a:tick-2", with changes, into the database in the end."""
        row = (
            dict(self.execution("job_id = 'a:tick-2' AND status = 'succeeded' AND \"trigger\" = 'schedule'")) | changes
        )
        names = ", ".join(f'"{name}"' for name in row)
        self.at_last(f"INSERT INTO aurora_executions ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row)

    def journal(self, doctored: Callable[[list[Line]], list[Line]]) -> None:
        """Change what the victims said."""
        before = read(self.life.journal)
        after = doctored(list(before))
        assert before != after, "nothing was changed"
        write(self.life.journal, after)

    def wrong(self, delivery: str = "at_least_once") -> set[str]:
        """Which promises the checker says are broken now."""
        report = check(self.life.snapshots, self.life.journal, delivery=delivery, patience=8.0)
        for violation in report.violations:
            print(violation)
        return {violation.invariant for violation in report.violations}

    @staticmethod
    def _change(path: Path, sql: str, values: dict[str, object]) -> int:
        connection = sqlite3.connect(path)
        try:
            with connection:
                return connection.execute(sql, values).rowcount
        finally:
            connection.close()


@pytest.fixture
def doctor(sound: Life, tmp_path: Path) -> Doctor:
    copy = tmp_path / "life"
    shutil.copytree(sound.directory, copy)
    return Doctor(replace(sound, directory=copy))


def _last(lines: list[Line], what: str, **said: object) -> Line:
    found = [each for each in lines if each.what == what and said.items() <= dict(each.said).items()]
    assert found, "there is nothing to tamper with"
    return found[-1]


def test_a_sound_life_is_found_sound(doctor: Doctor):
    report = check(doctor.life.snapshots, doctor.life.journal, patience=8.0)
    assert report.violations == []
    assert report.lost > 0
    assert report.effects > 20
    assert report.executions > report.firings > 20


# -- I1: no instant without its one record -------------------------------------------------------------------------


def test_a_record_that_is_gone_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'skipped' AND reason = 'overlap' AND \"trigger\" = 'schedule' AND count = 1")
    doctor.everywhere("DELETE FROM aurora_executions WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I1"}


def test_of_a_job_that_something_is_wrong_with_all_that_is_known_is_told(doctor: Doctor):
    row = doctor.execution("job_id = 'a:slow-1' AND reason = 'overlap' AND count = 1 AND \"trigger\" = 'schedule'")
    doctor.everywhere("DELETE FROM aurora_executions WHERE id = :id", id=row["id"])
    title, *story = check(doctor.life.snapshots, doctor.life.journal, patience=8.0).stories
    assert title == "a:slow-1"
    assert any("history: created" in line for line in story)
    assert any("lost" in line for line in story)
    assert story == sorted(story)


def test_a_job_that_moved_past_an_instant_is_noticed(doctor: Doctor):
    doctor.at_last("UPDATE aurora_jobs SET next_fire = next_fire + 2000000 WHERE id = 'a:slow-2'")
    assert doctor.wrong() == {"I1"}


def test_an_instant_in_two_records_is_noticed(doctor: Doctor):
    row = doctor.execution("job_id = 'a:slow-1' AND reason = 'overlap' AND count = 1 AND \"trigger\" = 'schedule'")
    doctor.everywhere(
        "UPDATE aurora_executions SET count = 2, last_scheduled = last_scheduled + 1000000 WHERE id = :id", id=row["id"]
    )
    assert doctor.wrong() == {"I1"}


def test_a_range_that_counts_wrong_is_noticed(doctor: Doctor):
    row = doctor.execution("reason = 'overlap' AND \"trigger\" = 'schedule' AND count = 1")
    doctor.everywhere("UPDATE aurora_executions SET count = 2 WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I1"}


# -- I2: attempts ----------------------------------------------------------------------------------------------------


def test_a_hole_in_the_attempts_is_noticed(doctor: Doctor):
    row = doctor.execution("job_id = 'a:flaky-2' AND attempt = 2")
    doctor.everywhere(
        "UPDATE aurora_executions SET attempt = attempt + 3 WHERE job_id = :job AND scheduled = :at AND attempt > 1",
        job=row["job_id"], at=row["scheduled"],
    )  # fmt: skip
    assert "I2" in doctor.wrong()


def test_an_attempt_after_a_success_is_noticed(doctor: Doctor):
    doctor.add(id="zzz", attempt=2, status="skipped", started=None)
    assert doctor.wrong() == {"I2"}


def test_an_attempt_at_several_instants_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'succeeded'")
    doctor.everywhere("UPDATE aurora_executions SET count = 2 WHERE id = :id", id=row["id"])
    assert "I2" in doctor.wrong()


def test_a_second_record_of_one_attempt_is_noticed(doctor: Doctor):
    """The table itself refuses it; so it is a table without that rule here."""
    _without_constraints(doctor)
    doctor.add(id="zzz", status="skipped", started=None)
    assert "I2" in doctor.wrong()


def _without_constraints(doctor: Doctor) -> None:
    connection = sqlite3.connect(doctor.life.snapshots[-1])
    connection.executescript(
        "CREATE TABLE copied AS SELECT * FROM aurora_executions; DROP TABLE aurora_executions;"
        "ALTER TABLE copied RENAME TO aurora_executions"
    )
    connection.close()


# -- I3: nothing is invented -----------------------------------------------------------------------------------------


def test_a_firing_beside_the_schedule_is_noticed(doctor: Doctor):
    row = doctor.execution("job_id = 'a:tick-2'")
    instant = row["scheduled"] + 1
    doctor.add(id="zzz", scheduled=instant, last_scheduled=instant, status="skipped", started=None)
    assert doctor.wrong() == {"I3"}


def test_a_firing_before_the_job_was_there_is_noticed(doctor: Doctor):
    row = doctor.find("SELECT anchor FROM aurora_jobs WHERE id = 'a:flaky-1'")
    instant = row["anchor"] - 2 * SECOND
    doctor.add(id="zzz", job_id="a:flaky-1", scheduled=instant, last_scheduled=instant, status="skipped", started=None)
    assert doctor.wrong() == {"I3"}


def test_a_firing_of_a_job_that_never_was_is_noticed(doctor: Doctor):
    doctor.add(id="zzz", job_id="nobody", status="skipped", started=None)
    assert doctor.wrong() == {"I3"}


def test_a_next_firing_beside_the_schedule_is_noticed(doctor: Doctor):
    doctor.at_last("UPDATE aurora_jobs SET next_fire = next_fire - 1 WHERE id = 'a:slow-2'")
    assert doctor.wrong() == {"I3"}


def test_more_firings_than_the_limit_are_noticed(doctor: Doctor):
    def limited(lines: list[Line]) -> list[Line]:
        answer = next(
            each for each in lines
            if each.what == "answer" and each["call"] == "create" and each["job"] == "a:flaky-2"
        )  # fmt: skip
        said = {**answer.said, "definition": {**answer["definition"], "max_runs": 1}}
        return [replace(each, said=said) if each is answer else each for each in lines]

    doctor.journal(limited)
    assert "I3" in doctor.wrong()


def test_a_run_by_hand_that_nobody_asked_for_is_noticed(doctor: Doctor):
    doctor.add(id="zzz", scheduled=1, last_scheduled=1, trigger="manual", status="skipped", started=None)
    assert doctor.wrong() == {"I3"}


def test_a_call_that_nobody_made_is_noticed(doctor: Doctor):
    job = doctor.find("SELECT * FROM aurora_jobs WHERE id = 'a:slow-2'")
    doctor.at_last(
        "INSERT INTO aurora_job_changes (job_id, generation, at, kind) VALUES ('a:slow-2', 1, :at, 'resumed')",
        at=job["next_fire"] + 1,
    )
    assert "I3" in doctor.wrong()


def test_a_callback_without_a_record_is_noticed(doctor: Doctor):
    def ran(lines: list[Line]) -> list[Line]:
        begun = _last(lines, "begin")
        return [*lines[:-1], replace(begun, said={**begun.said, "execution": "none"}), lines[-1]]

    doctor.journal(ran)
    assert doctor.wrong() == {"I3"}


def test_a_callback_that_was_told_another_instant_is_noticed(doctor: Doctor):
    def told(lines: list[Line]) -> list[Line]:
        begun = _last(lines, "begin")
        said = {**begun.said, "scheduled": begun["scheduled"] + 1}
        return [replace(each, said=said) if each is begun else each for each in lines]

    doctor.journal(told)
    assert doctor.wrong() == {"I3"}


# -- I4: record and effect -------------------------------------------------------------------------------------------


def test_a_success_without_its_effect_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'succeeded'")
    doctor.journal(
        lambda lines: [each for each in lines if not (each.what == "end" and each["execution"] == row["id"])]
    )
    assert doctor.wrong() == {"I4"}


def test_a_second_effect_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'succeeded'")
    doctor.journal(lambda lines: [*lines[:-1], _last(lines, "end", execution=row["id"]), lines[-1]])
    assert doctor.wrong() == {"I4"}


def test_a_callback_that_was_called_twice_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'lost'")
    doctor.journal(lambda lines: [*lines[:-1], *2 * [_last(lines, "begin", execution=row["id"])], lines[-1]])
    assert doctor.wrong() == {"I4"}


def test_a_success_that_is_called_a_failure_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'succeeded' AND job_id = 'a:tick-2'")
    doctor.everywhere("UPDATE aurora_executions SET status = 'failed' WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I4"}


def test_a_failure_that_is_called_a_success_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'failed' AND job_id = 'a:doomed'")
    doctor.everywhere("UPDATE aurora_executions SET status = 'succeeded' WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I4"}


def test_a_run_that_is_called_skipped_is_noticed(doctor: Doctor):
    row = doctor.execution("status = 'succeeded' AND job_id = 'a:tick-2'")
    doctor.everywhere("UPDATE aurora_executions SET status = 'skipped', started = NULL WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I4"}


def test_an_extra_effect_beside_no_loss_is_noticed(doctor: Doctor):
    """A firing that was lost after its effect has two; were it not for the loss, that would be one too many."""
    lost = doctor.lost()
    said = {"job": lost["job_id"], "execution": lost["id"], "scheduled": lost["scheduled"], "attempt": lost["attempt"]}

    def had_its_effect(lines: list[Line]) -> list[Line]:
        others = [each for each in lines[:-1] if each.what == "call" or each.said.get("execution") != lost["id"]]
        begin, end = (replace(lines[0], what=what, said={**said, "fails": False}) for what in ("begin", "end"))
        return [*others, begin, end, lines[-1]]

    doctor.journal(had_its_effect)
    assert doctor.wrong() == set()
    doctor.everywhere(
        "UPDATE aurora_executions SET status = 'timed_out' WHERE job_id = :job AND scheduled = :at AND status = 'lost'",
        job=lost["job_id"], at=lost["scheduled"],
    )  # fmt: skip
    assert doctor.wrong() == {"I4"}


def test_a_loss_that_is_not_made_good_is_noticed(doctor: Doctor):
    row = doctor.lost()
    again = doctor.execution(
        f"scheduled = {row['scheduled']} AND job_id = '{row['job_id']}' AND attempt > {row['attempt']}"
    )
    doctor.everywhere(
        "DELETE FROM aurora_executions WHERE job_id = :job AND scheduled = :at AND attempt > :attempt",
        job=row["job_id"], at=row["scheduled"], attempt=row["attempt"],
    )  # fmt: skip
    doctor.journal(
        lambda lines: [each for each in lines if each.said.get("execution") != again["id"] or each.what == "call"]
    )
    assert "I4" in doctor.wrong()


def test_a_loss_that_is_made_good_at_most_once_is_noticed(doctor: Doctor):
    assert doctor.wrong(delivery="at_most_once") == {"I4"}


def test_a_loss_that_is_made_good_though_it_was_cancelled_is_noticed(doctor: Doctor):
    row = doctor.lost()
    doctor.everywhere(
        "INSERT INTO aurora_job_changes (job_id, generation, at, kind, detail)"
        " VALUES (:job, :generation, :at, 'cancel_requested', :id)",
        job=row["job_id"], generation=row["generation"], at=row["finished"], id=row["id"],
    )  # fmt: skip
    assert "I4" in doctor.wrong()


# -- I5: beside itself -----------------------------------------------------------------------------------------------


def test_a_job_that_runs_beside_itself_is_noticed(doctor: Doctor):
    row = doctor.execution("job_id = 'a:slow-1' AND status = 'succeeded'")
    doctor.everywhere("UPDATE aurora_executions SET finished = finished + 9000000 WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I5"}


# -- I6: progress ----------------------------------------------------------------------------------------------------


def test_what_runs_nowhere_is_noticed(doctor: Doctor):
    row = doctor.find(
        "SELECT * FROM aurora_executions WHERE job_id = 'a:tick-2' AND status = 'succeeded' ORDER BY id DESC"
    )
    doctor.at_last("UPDATE aurora_executions SET status = 'running', finished = NULL WHERE id = :id", id=row["id"])
    assert "I6" in doctor.wrong()


def test_a_recovery_that_took_long_is_noticed(doctor: Doctor):
    doctor.journal(
        lambda lines: [replace(each, at=each.at - 60 * SECOND) if each.what == "opening" else each for each in lines]
    )
    assert doctor.wrong() == {"I6"}


def test_a_firing_that_began_late_is_noticed(doctor: Doctor):
    doctor.everywhere("UPDATE aurora_executions SET started = started + 60000000 WHERE job_id LIKE 'a:once%'")
    assert "I6" in doctor.wrong()


def test_a_job_that_nobody_looks_after_is_noticed(doctor: Doctor):
    """Its firing is due, and has no record yet: that is no loss, but nobody came."""
    long_ago = "(SELECT min(scheduled) FROM aurora_executions WHERE job_id = 'a:slow-2')"
    doctor.at_last(f"UPDATE aurora_jobs SET next_fire = {long_ago} - 60000000 WHERE id = 'a:slow-2'")
    assert "I6" in doctor.wrong()


def test_an_active_job_with_nothing_to_come_is_noticed(doctor: Doctor):
    doctor.at_last("UPDATE aurora_jobs SET next_fire = NULL WHERE id = 'a:slow-2'")
    assert doctor.wrong() == {"I6"}


def test_an_attempt_that_waits_for_nobody_is_noticed(doctor: Doctor):
    row = doctor.execution("attempt > 1 AND status = 'succeeded' AND job_id LIKE 'a:flaky%'")
    doctor.at_last(
        "UPDATE aurora_executions SET status = 'waiting', started = NULL, finished = NULL, due = 0 WHERE id = :id",
        id=row["id"],
    )
    assert "I6" in doctor.wrong()


# -- I7: final stays final -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["status = 'lost'", "finished = finished + 1", "result = '{}'", "reason = 'another'", "owner = 'another'"],
)
def test_a_final_record_that_changed_is_noticed(doctor: Doctor, change: str):
    early = _of_the_first_generation(doctor, "succeeded")
    doctor.at_last(f"UPDATE aurora_executions SET {change} WHERE id = :id", id=early)
    assert "I7" in doctor.wrong()


def test_a_final_record_that_vanished_is_noticed(doctor: Doctor):
    early = _of_the_first_generation(doctor, "succeeded")
    doctor.at_last("DELETE FROM aurora_executions WHERE id = :id", id=early)
    assert "I7" in doctor.wrong()


def test_a_history_that_was_changed_is_noticed(doctor: Doctor):
    doctor.at_last("UPDATE aurora_job_changes SET detail = 'another' WHERE number = 1")
    assert doctor.wrong() == {"I7"}


def _of_the_first_generation(doctor: Doctor, status: str) -> str:
    connection = sqlite3.connect(doctor.life.snapshots[0])
    try:
        found = connection.execute("SELECT id FROM aurora_executions WHERE status = ?", (status,)).fetchone()
    finally:
        connection.close()
    return str(found[0])


# -- I8: what was answered is there ----------------------------------------------------------------------------------


def test_a_job_that_is_gone_is_noticed(doctor: Doctor):
    doctor.everywhere("DELETE FROM aurora_jobs WHERE id = 'a:slow-1'")
    assert "I8" in doctor.wrong()


@pytest.mark.parametrize("kind", ["created", "updated", "paused", "resumed", "deleted", "run_requested"])
def test_an_answer_that_the_history_does_not_know_is_noticed(doctor: Doctor, kind: str):
    first = doctor.find("SELECT min(number) AS number FROM aurora_job_changes WHERE kind = :kind", kind=kind)
    doctor.everywhere("DELETE FROM aurora_job_changes WHERE number = :number", number=first["number"])
    assert "I8" in doctor.wrong()


def test_a_run_that_was_promised_and_is_not_there_is_noticed(doctor: Doctor):
    row = doctor.execution("\"trigger\" = 'manual' AND status IN ('skipped', 'cancelled') AND started IS NULL")
    doctor.everywhere("DELETE FROM aurora_executions WHERE id = :id", id=row["id"])
    assert doctor.wrong() == {"I8"}


def test_a_state_that_its_history_does_not_know_is_noticed(doctor: Doctor):
    doctor.at_last("UPDATE aurora_jobs SET status = 'paused' WHERE id = 'a:slow-1'")
    assert "I8" in doctor.wrong()


def test_a_job_that_came_back_is_noticed(doctor: Doctor):
    """As if its deletion had been answered, and then taken back."""
    gone = doctor.find("SELECT * FROM aurora_job_changes WHERE kind = 'deleted'")
    doctor.at_last(
        "UPDATE aurora_jobs SET generation = :generation WHERE id = :id",
        id=gone["job_id"], generation=gone["generation"],
    )  # fmt: skip
    assert "I8" in doctor.wrong()


# -- I9: the file, and what is left ----------------------------------------------------------------------------------


def test_a_damaged_file_is_noticed(doctor: Doctor):
    path = doctor.life.snapshots[-1]
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096)
    assert "I9" in doctor.wrong()


@pytest.mark.parametrize("left", [{"threads": ["aurora-scheduler"]}, {"files": ["jobs.db"]}])
def test_what_is_left_after_a_stop_is_noticed(doctor: Doctor, left: dict[str, object]):
    doctor.journal(lambda lines: [*lines[:-1], replace(lines[-1], said={**lines[-1].said, **left})])
    assert doctor.wrong() == {"I9"}


# -- reckoning -------------------------------------------------------------------------------------------------------


def test_instants_are_reckoned_from_the_anchor():
    every = Definition.read(100, "every 2 seconds", None, None)
    assert list(every.between(100, 100 + 5 * SECOND)) == [100 + 2 * SECOND, 100 + 4 * SECOND]
    assert [every.has(100 + n * SECOND) for n in range(-2, 5)] == [False, False, False, False, True, False, True]
    begun = Definition.read(100, "every 2 seconds", 100, None)
    assert list(begun.between(99, 100 + 3 * SECOND)) == [100, 100 + 2 * SECOND]
    once = Definition.read(100, "in 1 second", None, None)
    assert (list(once.between(0, 10 * SECOND)), once.has(100 + SECOND)) == ([100 + SECOND], True)


def test_what_falls_into_a_pause_needs_no_record():
    life = JobLife("id", 1)
    every = Definition.read(0, "every 1 second", None, None)
    life.begin(every, 0, 0)
    life.end(round(2.5 * SECOND))
    life.begin(every, 0, round(4.5 * SECOND))
    assert [instant / SECOND for instant in life.instants(7 * SECOND)] == [1, 2, 5, 6]
