"""What is meant for a server and is no address: it is refused, and no password in it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.errors import AuroraError, StoreError, masked
from aurora_scheduler.stores import SqliteStore, file_of, open_store

WITH_A_PASSWORD = [
    "postgresql+psycopg://bob:hunter2@h/x",
    "postgresql+asyncpg://bob:hunter2@h/x",
    "postgresq://bob:hunter2@h/x",
    "mysql://bob:hunter2@h/x",
    " postgresql://bob:hunter2@h/x",
    "'postgresql://bob:hunter2@h/x'",
    "bob:hunter2@h://x",
    "postgresql:bob:hunter2@h/x",
    "postgresql:/bob:hunter2@h/x",
    "postgresql//bob:hunter2@h/x",
    "postgres:hunter2@h",
    "postgres:hun:hunter2@h",
    "postgresql://bob:hun/hunter2@2@127.0.0.1:54872/x",
    "postgresql://bob:1/hunter2@h/x",
    "postgresql://bob:hunter2@h/x\0",
    "mysql://h/x?user=bob&password=hunter2",
    "mysql://h/x?user=bob&PASSWORD=hunter2",
    "host=h user=bob password=hunter2",
    "password = 'hunter2 ' host=h",
]


@pytest.mark.parametrize("database", WITH_A_PASSWORD)
def test_a_password_is_not_shown(database):
    with pytest.raises(AuroraError) as caught:
        open_store(database)
    assert "hunter" not in f"{caught.value} {caught.value.__dict__}"
    assert "\"'" not in str(caught.value).replace("\"'postgresql:***", "")


@pytest.mark.parametrize("wrap", [str.encode, Path, lambda text: [text]], ids=["bytes", "path", "list"])
def test_a_password_in_what_is_no_text_is_not_shown(wrap):
    with pytest.raises(AuroraError) as caught:
        open_store(wrap("postgresql://bob:hunter2@h/x"))
    assert "hunter2" not in f"{caught.value} {caught.value.__dict__}"


def test_the_users_name_and_the_host_are_shown():
    assert masked("mysql://bob:hun:ter@2@h/x") == "mysql://bob:***@h/x"
    assert masked("postgresql:bob:hunter2@h/x") == "postgresql:bob:***@h/x"
    assert masked("postgresql//bob:hunter2@h/x") == "postgresql//bob:***@h/x"
    assert masked("mysql://bob@h:3306/x") == "mysql://bob@h:3306/x"


secrets = st.text(st.characters(exclude_characters="*"), min_size=1)


@given(st.sampled_from(["mysql://", "postgresql+psycopg://", "postgresq://", " postgres://"]), secrets)
def test_whatever_a_password_is_nothing_of_it_is_shown(scheme, secret):
    assert masked(f"{scheme}bob:{secret}@h/x") == f"{scheme}bob:***@h/x"


@given(secrets)
def test_whatever_a_password_in_a_query_is_nothing_of_it_is_shown(secret):
    assert masked(f"mysql://h/x?password={secret}").endswith("***")


def test_a_file_that_cannot_be_opened_for_it_was_meant_for_a_server_shows_no_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"'bob:\*\*\*@h/x'.*create it first"):
        open_store("bob:hunter2@h/x").open()


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        ("postgresql:", ":// is missing"),
        ("postgres:x", ":// is missing"),
        ("PostgreSQL:/x", ":// is missing"),
        ("postgresql//bob@h/x", ":// is missing"),
        (" postgres://h/x", "there is a blank before it"),
        ("postgresql+psycopg2://h/x", r"leave out \+psycopg2, "),
        ("host=127.0.0.1 port=5432 user=postgres dbname=e3", "key=value is not accepted"),
        ("dbname = e3", "key=value is not accepted"),
    ],
)
def test_what_is_nearly_an_address_is_refused_and_no_files_name(database, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=f'{reason}.*must be like "postgresql://user@host/database"'):
        open_store(database)
    assert file_of(database) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (r"C:\x.db", r"C:\x.db"),
        (r"C:\Users\me@here\x.db", r"C:\Users\me@here\x.db"),
        ("./postgresql.db", "postgresql.db"),
        ("postgresql", "postgresql"),
        ("postgres/jobs.db", "postgres/jobs.db"),
        ("postgresql//jobs.db", "postgresql/jobs.db"),
        ("./postgres:x", "postgres:x"),
        ("./host=a.db", "host=a.db"),
        ("a:b@c.db", "a:b@c.db"),
        ("/a:b/c@d.db", "/a:b/c@d.db"),
        ("my jobs = 5.db", "my jobs = 5.db"),
    ],
)
def test_the_odd_name_of_a_file_is_one(name, path):
    store = open_store(name)
    assert isinstance(store, SqliteStore)
    assert (store.path, str(file_of(name))) == (path, path)


@pytest.mark.parametrize("path", ["/a:b/c@d.db", "./a:b/c@d.db", "~/a:b@c", r"C:\Users\me@here\x.db", "jobs.db"])
def test_what_is_clearly_a_path_is_shown_as_it_is(path):
    assert masked(path) == path
