"""The PostgreSQL store: who may have the database, who owns it, and what happens when it goes away."""

from __future__ import annotations

import threading

import psycopg
import pytest

from aurora_scheduler.errors import ForeignTablesError, NewerSchemaError, StoreError, StoreUnavailableError
from aurora_scheduler.model import Commit
from aurora_scheduler.stores.postgres import PostgresStore
from aurora_scheduler.stores.postgres.schema import KNOWN
from stores.cluster import database_url
from stores.making import add, insert, make_execution, make_job


@pytest.fixture
def url() -> str:
    return database_url()


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
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
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
    said("INSERT INTO aurora_migrations VALUES ('99_of_the_future', now())")
    with pytest.raises(NewerSchemaError, match="99_of_the_future"):
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


# The owner --------------------------------------------------------------------------------------------------------


def test_there_is_one_owner_until_it_goes(open_stores):
    first, second = open_stores(), open_stores()
    assert first.own("first")
    assert not second.own("second")
    first.disown()
    assert second.own("second")
    assert not first.own("first")
    second.close()
    assert first.own("first")


def test_an_owner_whose_connection_is_cut_is_the_owner_no_longer(said, open_stores):
    first, second = open_stores(), open_stores()
    first.own("first")
    cut(said)
    with pytest.raises(StoreUnavailableError):
        second.jobs()
    assert second.own("second"), "it has connected anew, and nobody held the lock"
    with pytest.raises(StoreUnavailableError):
        first.jobs()
    with pytest.raises(StoreError, match="another scheduler has become its owner"), first.transaction():
        pass
    assert not first.own("first")


def test_an_owner_whose_connection_was_cut_goes_on_if_nobody_came_meanwhile(said, open_stores):
    first, second = open_stores(), open_stores()
    first.own("first")
    cut(said)
    with pytest.raises(StoreUnavailableError):
        add(first, make_execution(1))
    add(first, make_execution(1))
    with pytest.raises(StoreUnavailableError):
        second.jobs()
    assert not second.own("second")


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
        "postgresql://someone:s3cret@localhost:port/jobs",
    ],
)
def test_where_nobody_answers_that_is_said_and_the_password_is_not(address):
    store = PostgresStore(address)
    with pytest.raises(StoreError) as caught:
        store.open()
    assert "s3cret" not in f"{caught.value} {store!r}"
