"""The PostgreSQL store: who may have the database, who owns it, and what happens when it goes away."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import psycopg
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import (
    ForeignTablesError,
    NewerSchemaError,
    OptionError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from aurora_scheduler.model import Commit, ExecutionStatus
from aurora_scheduler.ports import AlreadyRecorded, Decision, Fenced, InDoubt, Notes, Stale
from aurora_scheduler.stores import ThreadedWriter, examine
from aurora_scheduler.stores.postgres import PostgresStore, schema
from aurora_scheduler.stores.postgres.commits import is_written, witness_of
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.nodes import LOCK_WRITER
from aurora_scheduler.stores.postgres.schema import KNOWN
from aurora_scheduler.stores.postgres.texts import literal
from aurora_scheduler.values import replace
from stores.making import NOW, insert, make_execution, make_job
from support.cluster import Server
from support.proxy import Proxy

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture
def connection(url):
    made = Connection(url, "the tests' own")
    yield made
    made.close()


@pytest.fixture
def said(url):
    """Says something to the database from beside."""

    def say(query, *values):
        with psycopg.connect(url, autocommit=True) as sql:
            answer = sql.execute(query, values or None)
            return answer.fetchall() if answer.description else None

    return say


@pytest.fixture
def open_stores(url):
    """Makes open stores of the database, each with a connection of its own."""
    made = []

    def make():
        store = PostgresStore(url)
        store.open()
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


def cut(said):
    """End all connections of schedulers, as a restart or a firewall does."""
    said(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'aurora_scheduler' AND datname = current_database()"
    )


# The schema -------------------------------------------------------------------------------------------------------


def test_of_many_that_open_an_empty_database_at_once_one_makes_the_schema(url, said):
    errors = []

    def open_it():
        store = PostgresStore(url)
        try:
            store.open()
            store.close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert said("SELECT name FROM aurora_migrations") == [(name,) for name in KNOWN]


def test_a_table_of_our_names_that_is_not_ours_is_left_alone(url, said):
    said("CREATE TABLE aurora_jobs (title text)")
    with pytest.raises(ForeignTablesError, match="aurora_jobs"):
        PostgresStore(url).open()
    assert said("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'") == [("aurora_jobs",)]


def test_a_schema_of_a_newer_release_is_left_alone(url, said, open_stores):
    open_stores().close()
    said("INSERT INTO aurora_migrations VALUES ('99_of_the_future', now(), '98_before_it')")
    with pytest.raises(NewerSchemaError, match="99_of_the_future"):
        PostgresStore(url).open()


@pytest.fixture
def next_release(monkeypatch):
    """Has this process be of the release that comes next, with a step of the schema more; and of this one again."""

    @contextmanager
    def be(needs):
        name = f"{len(KNOWN) + 1}_of_the_next"
        with monkeypatch.context() as patch:
            patch.setattr(schema, "KNOWN", (*KNOWN, name))
            patch.setitem(schema._STEPS, name, "ALTER TABLE aurora_jobs ADD COLUMN of_the_next text DEFAULT 'new'")
            patch.setitem(schema._NEEDS, name, needs)
            yield

    return be


def test_a_release_works_with_the_schema_of_the_next(url, said, open_stores, next_release):
    running = open_stores()
    running.own("running")
    insert(running, make_job("before"))
    with next_release(needs=KNOWN[-1]):
        newer = open_stores()
        newer.own("newer")
        insert(newer, make_job("newer"))
    assert said("SELECT id, of_the_next FROM aurora_jobs ORDER BY id") == [("before", "new"), ("newer", "new")]
    started_later = open_stores()
    for number, store in enumerate((running, newer, started_later)):
        insert(store, make_job(f"after-{number}"))
        with store.transaction():
            store.share()
    assert len(running.jobs()) == 5
    found = examine(url)
    assert (found.version, found.known) == (len(KNOWN) + 1, len(KNOWN))
    assert "of a newer release; this one" in found.behind


def test_a_schema_that_needs_a_newer_release_is_left_alone(open_stores, next_release, url):
    with next_release(needs=f"{len(KNOWN) + 1}_of_the_next"):
        open_stores().close()
    with pytest.raises(NewerSchemaError, match="of_the_next"):
        PostgresStore(url).open()


def test_each_schema_of_the_search_path_is_a_database_of_its_own(url, said):
    said("CREATE SCHEMA one")
    said("CREATE SCHEMA two")
    stores = [PostgresStore(f"{url}&options=-csearch_path%3D{name}") for name in ("one", "two")]
    for store in stores:
        store.open()
    insert(stores[0], make_job())
    assert [len(store.jobs()) for store in stores] == [1, 0]
    assert [store.own("me") for store in stores] == [True, True]
    for store in stores:
        store.close()


# The database goes away -------------------------------------------------------------------------------------------


def test_a_transaction_whose_connection_is_cut_has_written_nothing(said, open_stores):
    store = open_stores()

    def write():
        with store.transaction():
            store.insert(make_job())
            cut(said)
            store.commit(Commit(job=None, new=(make_execution(1),)))

    with pytest.raises(StoreUnavailableError):
        write()
    assert (store.jobs(), store.executions()) == ([], [])
    assert store.notes.touched == {}
    insert(store, make_job())
    assert store.jobs() == [make_job()]


def test_a_part_of_a_transaction_whose_connection_is_cut_says_so_and_nothing_of_it_is_written_alone(said, open_stores):
    store = open_stores()

    def write_part():
        with store.savepoint():
            store.insert(make_job("before"))
            cut(said)
            store.insert(make_job("then"))

    def write():
        with store.transaction():
            with pytest.raises(StoreUnavailableError):
                write_part()
            store.insert(make_job("after"))

    with pytest.raises(StoreUnavailableError, match="amid a transaction"):
        write()
    assert store.jobs() == []
    insert(store, make_job())
    assert store.jobs() == [make_job()]


def test_writers_take_turns_and_readers_wait_for_nobody(open_stores):
    first, second = open_stores(), open_stores()
    reader, done = first.reader(), []
    reader.open()

    def write():
        insert(second, make_job("second"))
        done.append(second)

    with first.transaction():
        first.insert(make_job("first"))
        thread = threading.Thread(target=write)
        thread.start()
        assert reader.jobs() == []
        assert done == []
    thread.join()
    assert [job.id for job in reader.jobs()] == ["first", "second"]
    reader.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://someone:s3cret@/jobs?host=/nowhere/at/all",
        "postgresql://someone:s3cret@localhost:1/jobs",
        "postgresql://someone:s3cret@localhost:99999/jobs",
    ],
)
def test_where_nobody_answers_that_is_said_and_the_password_is_not(address):
    store = PostgresStore(address)
    with pytest.raises(StoreError) as caught:
        store.open()
    assert "s3cret" not in f"{caught.value} {store!r}"


def test_where_the_address_is_none_that_is_said_where_it_is_given_and_the_password_is_not():
    for address in (
        "postgresql://me:s3cret@[::1/jobs",
        "postgresql://me:s3cret@host/jobs?fo=1",
        "postgres://s3:cr@et@host",
        "postgresql://me:s3/cr@et@host:5432/jobs",
        "postgresql://me:53/cr@et@host:5432/jobs",
        "postgresql://me:53/cret@host/jobs",
        "postgresql://me:s3cret/jobs?user=you@host",
        "postgresql://me:s3cret",
        "postgresql://me@host:s3cret/jobs",
    ):
        with pytest.raises(OptionError, match=r"database='postgresql://…'.*it must be like") as caught:
            PostgresStore(address)
        assert "cret" not in str(caught.value)
        assert "et@host" not in str(caught.value)


def test_an_at_in_the_name_of_a_database_is_none_that_a_password_ends_with():
    assert PostgresStore("postgresql://me@host:5432/a%40b").path == "postgresql://host:5432/a%40b"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda url: url.replace("aurora@", "nobody@"), 'role "nobody" does not exist'),
        (lambda url: url.replace("/aurora_", "/nosuch_", 1), "does not exist"),
        (lambda url: f"{url}&port=1", "No such file"),
        (lambda url: f"{url}&sslmode=bogus", "bogus"),
    ],
    ids=["role", "database", "port", "option"],
)
def test_where_we_are_not_let_in_nobody_is_told_that_trying_again_helps(url, change, told):
    with pytest.raises(StoreUnavailableError, match="it cannot be reached, or does not let us in") as caught:
        PostgresStore(change(url)).open()
    assert told in str(caught.value)
    assert "again" not in str(caught.value)


def test_where_a_connection_is_lost_trying_again_may_help(connection):
    with pytest.raises(StoreUnavailableError, match="trying again may help"):
        connection.find("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_schema_that_is_missing_is_to_be_created_first(url, said):
    missing = f"{url}&options=-csearch_path%3Dnosuchschema"
    for look in (lambda: PostgresStore(missing).open(), lambda: examine(missing)):
        with pytest.raises(StoreError, match=r"its search_path is nosuchschema, .*create it first") as caught:
            look()
        assert "LINE" not in str(caught.value)
    said("CREATE SCHEMA nosuchschema")
    store = PostgresStore(missing)
    store.open()
    store.close()


def test_a_database_that_is_read_only_is_not_said_to_be_so_for_the_roles_rights_alone(url):
    with pytest.raises(StoreReadOnlyError, match="the role's rights, and whether the database is read-only") as caught:
        PostgresStore(f"{url}&options=-cdefault_transaction_read_only%3Don").open()
    assert "LINE" not in str(caught.value)


def test_where_the_role_may_not_write_that_is_said_without_the_statement(url, connection, said):
    said("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    said("GRANT USAGE ON SCHEMA public TO pg_monitor")
    connection.do("SET ROLE pg_monitor")
    with pytest.raises(StoreReadOnlyError, match=r"permission denied for schema public.*the role's rights") as caught:
        schema.migrate(connection, "the tests' own")
    assert "CREATE" not in str(caught.value)


@pytest.mark.parametrize("change", ["DROP SCHEMA public CASCADE", "DROP TABLE aurora_jobs CASCADE"])
def test_a_table_that_is_dropped_while_it_is_used_is_damage(open_stores, said, change):
    store = open_stores()
    said(change)
    with pytest.raises(StoreCorruptError, match="its table aurora_jobs is missing; restore a backup") as caught:
        store.jobs()
    assert "SELECT" not in str(caught.value)
    with pytest.raises(StoreCorruptError, match="its table aurora_jobs is missing; restore a backup"):
        insert(store, make_job())


def test_a_column_that_is_dropped_while_it_is_used_is_damage(open_stores, said):
    store = open_stores()
    said("ALTER TABLE aurora_jobs DROP COLUMN name")
    with pytest.raises(StoreCorruptError, match=r'column "name" does not exist.*; restore a backup') as caught:
        store.jobs()
    assert "LINE" not in str(caught.value)


def test_a_database_whose_encoding_cannot_keep_every_text_is_refused_when_it_is_opened(url):
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(f"CREATE DATABASE {name}_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'".encode())
    latin = url.replace(name, f"{name}_latin")
    with pytest.raises(StoreError, match=r"its encoding is LATIN1, .* it must be UTF8: CREATE DATABASE"):
        PostgresStore(latin).open()
    with psycopg.connect(latin) as sql:
        assert sql.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall() == [(0,)]


def test_texts_are_what_they_are_in_a_database_that_knows_of_no_encoding(url):
    own = psycopg.conninfo.conninfo_to_dict(url)
    name = own["dbname"] + "_ascii"
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'".encode())
    store = PostgresStore(url.replace(own["dbname"], name))
    store.open()
    store._node.is_heard = False
    insert(store, job := make_job(name="é 😀"))
    store.commit_alone([stepped(job, new=(make_execution(1, job_name="é 😀"),))])
    assert store.job("nightly").name == store.executions()[0].job_name == "é 😀"
    store.close()


# A commit that is not answered ------------------------------------------------------------------------------------


@pytest.fixture
def proxy(url):
    with Proxy(url) as made:
        yield made


@pytest.fixture
def far_store(proxy):
    store = PostgresStore(proxy.url)
    store.open()
    yield store
    store.close()


def test_a_commit_that_took_effect_and_was_not_answered_is_known_to_have_taken_effect(proxy, far_store):
    proxy.lose_the_next_commit(arrives=True)
    insert(far_store, make_job())
    assert far_store.notes.touched == {"nightly": None}
    assert far_store.jobs() == [make_job()]


def test_a_commit_that_did_not_arrive_has_written_nothing_and_may_be_made_again(proxy, far_store):
    proxy.lose_the_next_commit(arrives=False)
    with pytest.raises(StoreUnavailableError) as caught:
        insert(far_store, make_job())
    assert not isinstance(caught.value, InDoubt)
    assert far_store.jobs() == []
    insert(far_store, make_job())
    assert far_store.jobs() == [make_job()]


@pytest.fixture
def decided(far_store):
    """A decision that begins an attempt, and one that ends it; written alone, as by a node to which nobody listens."""
    insert(far_store, make_job())
    far_store.own("me")
    with far_store.transaction():
        far_store.share()
    job = far_store.job("nightly")
    begun = make_execution(1, status=ExecutionStatus.RUNNING, owner="me")
    claim = stepped(job, new=(begun,))
    ended = replace(begun, status=ExecutionStatus.SUCCEEDED, finished=NOW)
    return claim, Commit(job=replace(claim.job, version=claim.job.version + 1), moved=(ended,))


@pytest.mark.parametrize("which", [0, 1])
def test_decisions_that_took_effect_and_were_not_answered_are_known_by_a_row(proxy, far_store, decided, which):
    for commit in decided[:which]:
        far_store.commit_alone([commit])
    proxy.lose_the_next_commit(arrives=True)
    far_store.commit_alone([decided[which]])
    assert far_store.job("nightly") == decided[which].job
    assert far_store.notes.rows[-1] == (decided[which].new or decided[which].moved)[0]


@pytest.mark.parametrize("which", [0, 1])
def test_decisions_that_did_not_arrive_are_known_not_to_be_there(proxy, far_store, decided, which):
    for commit in decided[:which]:
        far_store.commit_alone([commit])
    far_store.notes = Notes()
    proxy.lose_the_next_commit(arrives=False)
    with pytest.raises(StoreUnavailableError) as caught:
        far_store.commit_alone([decided[which]])
    assert not isinstance(caught.value, InDoubt)
    assert far_store.notes.rows == []
    far_store.commit_alone([decided[which]])
    assert far_store.job("nightly") == decided[which].job


def test_decisions_on_a_server_that_stays_away_are_in_doubt(proxy, far_store, decided, monkeypatch):
    monkeypatch.setattr("aurora_scheduler.stores.postgres.commits._TRIES", 2)
    proxy.lose_the_next_commit(arrives=True, then=lambda: setattr(proxy, "is_shut", True))
    with pytest.raises(InDoubt, match="whether it took effect is not known"):
        far_store.commit_alone([decided[0]])
    proxy.is_shut = False


def test_what_is_committed_while_it_is_waited_for_has_taken_effect(far_store, decided, url):
    lost = StoreUnavailableError("a place", "lost")
    witness = witness_of([decided[0]])
    with psycopg.connect(url) as dying, psycopg.connect(url, autocommit=True) as beside:
        dying.execute(LOCK_WRITER.encode())
        dying.execute(
            "INSERT INTO aurora_executions SELECT %s, 'nightly', 1, 'a job', 'UTC', 1, 1, 1, 1, 'schedule', 'running',"
            " NULL, 1",
            [witness.row.id],
        )
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(far_store._find_out, lost, lambda sql: is_written(sql, witness))
            until = time.monotonic() + 30
            while not beside.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchall():
                assert time.monotonic() < until
            dying.commit()
            assert answer.result(30) is True


def test_decisions_that_do_not_fit_say_so_and_leave_the_connection_as_it_was(far_store, decided):
    far_store.commit_alone([decided[0]])
    backend = far_store._sql.backend
    for _ in range(2):
        with pytest.raises(Stale):
            far_store.commit_alone([decided[0]])
    far_store.commit_alone([decided[1]])
    assert far_store._sql.backend == backend
    assert far_store.job("nightly") == decided[1].job


def test_while_decisions_are_written_alone_others_wait_and_no_longer(far_store, decided, url):
    with psycopg.connect(url) as other:
        other.execute(LOCK_WRITER.encode())
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(far_store.commit_alone, [decided[0]])
            with pytest.raises(TimeoutError):
                written.result(0.3)
            other.rollback()
            written.result(30)
        other.execute(LOCK_WRITER.encode())


def test_after_a_crash_a_transaction_of_the_same_number_is_not_taken_for_ones_own():
    server = Server()
    with Proxy(server.url) as proxy:
        store = PostgresStore(proxy.url)
        store.open()
        reached = []

        def crash():
            server.stop()
            server.start()
            with psycopg.connect(server.url, autocommit=True) as sql:  # others go on, and use the numbers anew
                while not reached or reached[-1] < int(store._transaction):
                    ((number,),) = sql.execute("SELECT pg_current_xact_id()::text").fetchall()
                    reached.append(int(number))

        proxy.lose_the_next_commit(arrives=False, then=crash)
        with pytest.raises(InDoubt, match="whether it took effect is not known"):
            insert(store, make_job())
        assert int(store._transaction) in reached, "the number was not used anew"
        assert store.jobs() == []
        store.close()
    server.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_where_the_server_stays_away_it_is_not_known_and_said(proxy, far_store, monkeypatch, arrives):
    monkeypatch.setattr("aurora_scheduler.stores.postgres.commits._TRIES", 2)

    def shut():
        proxy.is_shut = True

    proxy.lose_the_next_commit(arrives=arrives, then=shut)
    with pytest.raises(InDoubt, match="whether it took effect is not known"):
        insert(far_store, make_job())
    proxy.is_shut = False
    assert far_store.jobs() == [make_job()] * arrives


@pytest.mark.trio
async def test_what_may_have_been_written_is_not_written_again(proxy, far_store, monkeypatch):
    monkeypatch.setattr("aurora_scheduler.stores.postgres.commits._TRIES", 2)
    far_store.close()
    calls = []

    def write(store):
        calls.append("once")
        store.insert(make_job("one"))

    async with trio.open_nursery() as nursery:
        writer = ThreadedWriter(far_store, lambda notes: None, SystemClock())
        await nursery.start(writer.run)
        proxy.lose_the_next_commit(arrives=True, then=lambda: setattr(proxy, "is_shut", True))
        with pytest.raises(InDoubt):
            await writer.write(write).wait()
        proxy.is_shut = False
        assert await writer.read(lambda store: [job.id for job in store.jobs()]).wait() == ["one"]
        writer.close()
    assert calls == ["once"]


def test_a_transaction_in_which_a_statement_has_failed_does_not_seem_to_be_committed(open_stores):
    store = open_stores()
    insert(store, make_job())

    def write():
        with store.transaction():
            store.insert(make_job("other"))
            with suppress(StoreError):
                store._sql.do("SELECT 1 / 0")

    with pytest.raises(StoreError, match=r"undone|aborted"):
        write()
    assert store.jobs() == [make_job()]


@given(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | texts),
    texts,
    st.integers(0, 2**63 - 1),
)
@example([], ["NULL", "null", "", None, "\\", '"', "'", "{}", ",", " a ", "\0", "\1", "E'\\x41'", "$1 %s"], "\\'", 0)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_value_that_is_said_in_a_statement_comes_back_as_it_was(connection, numbers, words, word, number):
    said = ", ".join(map(literal, (numbers, words, word, number)))
    connection.sql.execute("DROP TABLE IF EXISTS kept")
    connection.do(f"CREATE TEMP TABLE kept AS SELECT * FROM (VALUES ({said})) AS told (a, b, c, d)")
    assert [row[0] for row in connection.find("SELECT unnest(a::bigint[]) FROM kept")] == numbers
    assert [row[0] for row in connection.find("SELECT unnest(b::text[]) FROM kept")] == words
    assert connection.find("SELECT c, d::bigint FROM kept") == [(word, number)]


# Many decisions at once -------------------------------------------------------------------------------------------


@pytest.fixture
def decide(open_stores, monkeypatch):
    """Writes decisions as one group; what came of each. None is done for itself: that takes long."""
    store = open_stores()
    jobs = [make_job(f"job-{number}") for number in range(8)]
    insert(store, *jobs)
    store.own("me")
    with store.transaction():
        store.share()
    monkeypatch.setattr(store, "commit", None)
    writer = ThreadedWriter(store, lambda notes: None, SystemClock())

    def write(*commits, and_calls=()):
        answers: list[object] = ["not answered"] * len(commits)
        group = [Decision(commit, None, partial(answers.__setitem__, number)) for number, commit in enumerate(commits)]
        for work in and_calls:
            writer.write(work)
        beside = writer._writes.next_group() if and_calls else []
        assert beside is not None
        writer._commit([*group, *beside])
        return [type(answer) if isinstance(answer, Exception) else answer for answer in answers]

    return store, jobs, write


def stepped(job, **what):
    return Commit(job=replace(job, version=job.version + 1), **what)


def test_of_many_decisions_those_that_do_not_fit_fail_and_the_others_are_written_together(decide):
    store, jobs, write = decide
    old = replace(jobs[3], version=jobs[3].version + 7)
    mine = [make_execution(number, f"job-{number}") for number in range(8)]
    commits = [stepped(old if number == 3 else job, new=(mine[number],)) for number, job in enumerate(jobs)]
    assert write(*commits) == [None, None, None, Stale, None, None, None, None]
    assert {row.id for row in store.executions()} == {row.id for row in mine} - {mine[3].id}
    assert [job.version for job in store.jobs()] == [2, 2, 2, 1, 2, 2, 2, 2]


def test_of_two_decisions_about_one_job_the_first_is_written(decide):
    store, jobs, write = decide
    commits = [stepped(job) for job in jobs]
    assert write(*commits, stepped(jobs[2]), stepped(jobs[5])) == [None] * 8 + [Stale] * 2
    assert {job.version for job in store.jobs()} == {2}


def test_where_neither_of_two_fits_both_fail(decide):
    _, jobs, write = decide
    old = replace(jobs[0], version=9)
    assert write(stepped(old), *map(stepped, jobs[1:]), stepped(old)) == [Stale, *[None] * 7, Stale]


def test_a_record_that_is_there_and_an_attempt_that_is_over_are_told_from_the_others(decide):
    store, jobs, write = decide
    ended = make_execution(1, "job-0", status=ExecutionStatus.SUCCEEDED)
    store.commit_all([Commit(job=None, new=(ended,))])
    again = replace(ended, id="another")
    answers = write(stepped(jobs[0], moved=(ended,)), stepped(jobs[1], new=(again,)), *map(stepped, jobs[2:]))
    assert answers == [Fenced, AlreadyRecorded, *[None] * 6]
    assert [job.version for job in store.jobs()] == [1, 1, 2, 2, 2, 2, 2, 2]


def test_where_a_call_beside_them_fails_the_decisions_that_fit_are_still_written_together(decide):
    store, jobs, write = decide
    old = replace(jobs[0], version=9)
    answers = write(stepped(old), *map(stepped, jobs[1:]), and_calls=[lambda store: store.insert(jobs[0])])
    assert answers == [Stale, *[None] * 7]
    assert [job.version for job in store.jobs()] == [1, *[2] * 7]


def test_what_was_planned_for_a_small_table_is_planned_anew_when_it_has_grown(open_stores):
    store = open_stores()
    row = make_execution(1)
    store.commit_all([Commit(job=None, new=(row,))])
    scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'aurora_executions'"

    def look_through():
        with store.transaction():
            before = store._sql.find(scans)
            store.commit_all([Commit(job=None, moved=(row,))])
            return store._sql.find(scans) != before

    assert [look_through() for _ in range(8)][-1], "as is right where there are so few"
    names = (
        "id, job_id, generation, job_name, timezone, scheduled, last_scheduled, count, attempt, trigger, status, due"
    )
    row_of = "'other ' || n, 'other', 1, 'other', 'UTC', n, n, 1, 1, 'schedule', 'succeeded', n"
    store._sql.do(f"INSERT INTO aurora_executions ({names}) SELECT {row_of} FROM generate_series(1, 20000) AS n")
    assert [look_through() for _ in range(20)][10:] == [False] * 10


def test_where_a_prepared_statement_is_forgotten_it_is_prepared_anew(open_stores):
    store = open_stores()
    store._node.is_heard = False
    store.commit_alone([Commit(job=None, new=(make_execution(1),))])
    store._sql.sql.execute("DEALLOCATE ALL")
    with pytest.raises(StoreUnavailableError):
        store.commit_alone([Commit(job=None, new=(make_execution(2),))])
    store.commit_alone([Commit(job=None, new=(make_execution(2),))])
    assert len(store.executions()) == 2


# Durability -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durability", "must_last", "waits"), [("full", False, "on"), ("normal", False, "off"), ("normal", True, "on")]
)
def test_a_commit_waits_for_the_disk_as_is_asked_for(url, monkeypatch, durability, must_last, waits):
    store = PostgresStore(url, durability=durability)
    store.open()
    told, commit = [], store._sql.commit

    def tell_and_commit(*statements):
        for statement in statements:
            store._sql.do(statement)
        told.extend(store._sql.find("SHOW synchronous_commit"))
        commit()

    monkeypatch.setattr(store._sql, "commit", tell_and_commit)
    with store.transaction():
        store.commit(Commit(job=None, new=(make_execution(1),), must_last=must_last))
    store.close()
    assert told == [(waits,)]


def test_another_durability_is_refused(url):
    with pytest.raises(OptionError, match=r'durability=.*must be "full" or "normal"'):
        PostgresStore(url, durability="fast")
