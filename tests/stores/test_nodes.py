"""Several processes that share the jobs of a PostgreSQL database: who holds which, and what the dead leave behind."""

from __future__ import annotations

import select
import threading
from collections import Counter
from contextlib import suppress

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.errors import StoreUnavailableError
from aurora_scheduler.model import CallbackName, Change, ChangeKind, Commit, ExecutionStatus, JobStatus, Policies
from aurora_scheduler.ports import Share, Stale
from aurora_scheduler.stores import SqliteStore
from aurora_scheduler.stores.postgres import PostgresStore
from aurora_scheduler.stores.postgres.nodes import _BURY, _HOLDERS_GONE
from aurora_scheduler.stores.postgres.retention import _PRUNE_CHANGES
from aurora_scheduler.stores.postgres.shares import Kind
from aurora_scheduler.values import replace
from stores.making import NOW, add, insert, make_execution, make_job
from support.proxy import Proxy

#: In seconds: a server that has just started waits for the nodes it had before.
PATIENCE = 30


@pytest.fixture
def nodes(url):
    """Makes nodes, by name; each has given its first sign of life."""
    made = []

    def make(*names, at=url, tags=()):
        some = []
        for name in names:
            store = PostgresStore(at)
            store.open()
            store.own(name, frozenset(tags))
            some.append(store)
        made.extend(some)
        for store in some:
            share(store)
        return some if len(some) > 1 else some[0]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def said(url):
    """Says something to the database from beside."""

    def say(query):
        with psycopg.connect(url, autocommit=True) as sql:
            answer = sql.execute(query)
            return answer.fetchall() if answer.description else None

    return say


@pytest.fixture
def jobs(url):
    """Makes jobs that nobody holds yet."""

    def make(count, **fields):
        store = PostgresStore(url)
        store.open()
        some = [make_job(f"job-{number}", next_fire=number, **fields) for number in range(count)]
        insert(store, *some)
        store.close()
        return some

    return make


def share(store, **how):
    with store.transaction():
        return store.share(**how)


def held(*stores):
    """How many jobs each holds; none is held by two."""
    ids = [job.id for job in stores[0].jobs()]
    theirs = [{one.job.id for one in store.held(ids) if one is not None} for store in stores]
    assert max(Counter(job_id for some in theirs for job_id in some).values(), default=1) == 1
    return [len(some) for some in theirs]


def settled(*stores):
    """How many each holds when all have had time to give and take: who has too many is told so in some round."""
    for _ in range(12):
        for store in stores:
            release(store, share(store).surplus)
    return held(*stores)


def release(store, job_ids):
    with store.transaction():
        return store.release(job_ids)


def claim(store, job, number=1):
    """A firing's claim, as the engine hands it in."""
    execution = make_execution(number, job.id, status=ExecutionStatus.RUNNING, owner=store._node.id)
    with store.transaction():
        store.commit(Commit(job=replace(job, version=job.version + 1), new=(execution,)), is_known=True)
    return execution


# Who holds what ---------------------------------------------------------------------------------------------------


def test_who_is_alone_takes_all_and_what_is_due_first_first(nodes, jobs):
    made = jobs(5)
    store = nodes("one")
    assert held(store) == [5]
    assert store.nearest(3).job_ids == [job.id for job in made[:3]]


def test_each_has_its_share(nodes, jobs):
    jobs(10)
    first, second, third = nodes("one", "two", "three")
    assert sum(held(first, second, third)) == 10
    assert sorted(settled(first, second, third)) in ([2, 4, 4], [3, 3, 4])


def test_a_job_that_is_made_by_a_node_is_its_own_at_once(nodes):
    first, second = nodes("one", "two")
    insert(second, make_job())
    assert held(first, second) == [0, 1]
    assert [one and one.job for one in second.held(["nightly", "unheard of"])] == [make_job(), None]


def test_what_a_node_makes_that_is_about_to_leave_is_for_others(nodes):
    first, second = nodes("one", "two")
    share(first, takes=False)
    insert(first, make_job())
    assert held(first, second) == [0, 0]
    assert share(second).gained == ["nightly"]


def test_what_is_at_rest_is_held_by_nobody_until_a_run_is_asked_for(nodes, jobs):
    (job,) = jobs(1, status=JobStatus.PAUSED)
    store = nodes("one")
    assert held(store) == [0]
    with store.transaction():
        waiting = make_execution(1, job.id, status=ExecutionStatus.WAITING, owner=None)
        store.commit(Commit(job=replace(job, version=job.version + 1), new=(waiting,)))
    assert share(store).gained == [job.id]
    assert held(store) == [1]


def test_a_reader_sees_what_its_store_holds(nodes, jobs):
    jobs(2)
    store = nodes("one")
    reader = store.reader()
    reader.open()
    assert [one is not None for one in reader.held(["job-0", "job-1", "job-2"])] == [True, True, False]
    reader.close()


# Claims -----------------------------------------------------------------------------------------------------------


def test_who_does_not_hold_a_job_any_more_claims_nothing_of_it(nodes, jobs):
    (job,) = jobs(1)
    first, second = nodes("one", "two")
    assert release(first, [job.id]) == [job.id]
    assert share(second).gained == [job.id]
    with pytest.raises(Stale):
        claim(first, job)
    claim(second, job)
    assert [row.owner for row in second.executions()] == ["two"]


def test_a_job_of_which_something_runs_is_not_left_to_others(nodes, jobs):
    some = jobs(2)
    store = nodes("one")
    claim(store, some[0])
    assert release(store, [job.id for job in some]) == ["job-1"]


def test_of_two_that_take_at_the_same_time_each_gets_others(nodes, jobs):
    stores = nodes("one", "two")
    jobs(100)
    threads = [threading.Thread(target=share, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(*stores) == [50, 50]


# Who lives --------------------------------------------------------------------------------------------------------


def test_who_leaves_leaves_all_to_others_at_once(nodes, jobs):
    jobs(4)
    first, second = nodes("one", "two")
    with first.transaction():
        first.disown()
    share(second)
    assert held(second) == [4]


def test_whose_process_is_dead_is_buried_within_seconds_and_what_it_had_begun_is_orphaned(nodes, jobs, eventually):
    (job,) = jobs(1)
    first, second = nodes("one", "two")
    begun = claim(first, job)
    assert second.orphans("two") == []
    first._connection.close()  # as the kernel does it for a process that is killed
    found = eventually(lambda: share(second), lambda got: got.someone_died)
    assert found.gained == [job.id]
    assert [row.id for row, _ in second.orphans("two")] == [begun.id]


def test_who_was_taken_for_dead_learns_that_it_has_nothing_any_more(nodes, jobs, said):
    jobs(2)
    first, second = nodes("one", "two")
    before = share(first).since
    assert share(first).since == before
    said("DELETE FROM aurora_nodes WHERE id = 'one'")
    share(second)
    after = share(first)
    assert after.since != before
    assert sum(held(first, second)) == 2


def test_a_connection_that_is_lost_costs_a_node_nothing(nodes, jobs, url):
    jobs(3)
    with Proxy(url) as proxy:
        far, near = nodes("far", at=proxy.url), nodes("near")
        proxy.cut_clients()  # the server does not notice
        before = held(near)
        share(far)
        assert not share(near).someone_died
        assert held(near, far) == [*before, 3 - before[0]]
        far.close()


def test_where_there_is_one_owner_nothing_is_shared(tmp_path):
    store = SqliteStore(str(tmp_path / "jobs.db"))
    store.open()
    store.own("one")
    insert(store, make_job())
    assert share(store) == Share()
    assert release(store, ["nightly"]) == []
    assert held(store) == [1]
    store.close()


@pytest.fixture
def eventually():
    """Asks again and again, until the answer is as wanted."""

    def ask(question, is_wanted):
        done = threading.Event()
        for _ in range(PATIENCE * 10):
            answer = question()
            if is_wanted(answer):
                return answer
            done.wait(0.1)
        raise AssertionError(f"it is {answer} still")

    return ask


# What only some can fire ------------------------------------------------------------------------------------------


def tagged(tag):
    return {"policies": Policies(node_tag=tag)}


def refuse(store, job):
    with store.transaction():
        return store.refuse(job)


def test_a_job_with_a_tag_is_for_nodes_with_that_tag(nodes, jobs):
    jobs(3, **tagged("gpu"))
    plain, gpu = nodes("plain"), nodes("gpu", tags=["gpu", "big"])
    assert settled(plain, gpu) == [0, 3]


def test_a_job_with_a_tag_that_no_node_has_waits_for_one_that_has(nodes, jobs):
    (job,) = jobs(1, **tagged("gpu"))
    assert settled(nodes("plain"), nodes("other", tags=["big"])) == [0, 0]
    assert held(nodes("gpu", tags=["gpu"])) == [1]
    assert job.node_tag == "gpu"


def test_a_job_that_a_node_makes_for_others_is_theirs(nodes):
    plain, gpu = nodes("plain"), nodes("gpu", tags=["gpu"])
    insert(plain, make_job(**tagged("gpu")))
    assert held(plain, gpu) == [0, 0]
    assert share(gpu).gained == ["nightly"]


def test_a_job_that_comes_to_be_for_others_is_left_to_them(nodes, jobs):
    (job,) = jobs(1)
    plain, gpu = nodes("plain"), nodes("gpu", tags=["gpu"])
    with plain.transaction():
        plain.replace(replace(job, version=job.version + 1, **tagged("gpu")))
    assert settled(plain, gpu) == [0, 1]


def test_of_each_kind_a_node_has_its_share(nodes, jobs):
    plain, one, two = nodes("plain"), nodes("one", tags=["gpu"]), nodes("two", tags=["gpu"])
    jobs(6, **tagged("gpu"))
    insert(plain, *(make_job(f"plain-{number}", next_fire=number) for number in range(9)))
    settled(plain, one, two)
    mine = [[job.node_tag for job in store.jobs() if store.held([job.id]) != [None]] for store in (plain, one, two)]
    assert [Counter(tags) for tags in mine] == [
        Counter({None: 3}), Counter({None: 3, "gpu": 3}), Counter({None: 3, "gpu": 3})
    ]  # fmt: skip


def test_a_run_of_a_job_with_a_tag_is_taken_by_who_has_it(nodes, jobs):
    (job,) = jobs(1, status=JobStatus.PAUSED, **tagged("gpu"))
    plain, gpu = nodes("plain"), nodes("gpu", tags=["gpu"])
    with plain.transaction():
        waiting = make_execution(1, job.id, status=ExecutionStatus.WAITING, owner=None)
        plain.commit(Commit(job=replace(job, version=job.version + 1), new=(waiting,)))
    assert (share(plain).gained, share(gpu).gained) == ([], [job.id])


def test_a_job_that_one_node_cannot_call_is_left_to_another_with_all_that_are_like_it(nodes, jobs):
    made = jobs(4)
    first = nodes("one")
    second = nodes("two")
    assert held(first, second) == [4, 0]
    assert sorted(refuse(first, made[0])) == [job.id for job in made]
    assert refuse(first, made[1]) == ["job-1"], "which is not held here any more"
    assert settled(first, second) == [0, 4]


def test_another_callback_is_another_matter(nodes, jobs):
    (job,) = jobs(1)
    first, second = nodes("one"), nodes("two")
    insert(first, make_job("other", callback=CallbackName("another.module", "function"), next_fire=1))
    assert refuse(first, job) == [job.id]
    assert settled(first, second) == [1, 1]
    assert first.held(["other"]) != [None]


def test_what_nobody_else_can_call_stays_where_it_is(nodes, jobs):
    (job,) = jobs(1)
    first, second = nodes("one"), nodes("two", tags=["gpu"])
    assert refuse(first, job) == [job.id]
    assert share(second).gained == [job.id]
    assert refuse(second, job) == []
    assert held(first, second) == [0, 1]


def test_what_nobody_can_call_is_had_by_somebody_who_says_so(nodes, jobs, said):
    (job,) = jobs(1)
    first, second = nodes("one"), nodes("two")
    refuse(first, job)
    share(second)
    refuse(second, job)
    said("UPDATE aurora_jobs SET holder = NULL")
    assert sum(settled(first, second)) == 1


def test_who_comes_later_and_can_call_it_gets_it(nodes, jobs):
    (job,) = jobs(1)
    first = nodes("one")
    assert refuse(first, job) == []
    second = nodes("two")
    assert settled(first, second) == [0, 1]


def test_who_could_not_call_it_and_now_can_has_a_share_again(nodes, jobs):
    made = jobs(4)
    first, second = nodes("one"), nodes("two")
    refuse(first, made[0])
    assert settled(first, second) == [0, 4]
    with first.transaction():
        first.accept(made[0])
    assert settled(first, second) == [2, 2]


def test_what_one_that_is_gone_could_not_call_is_forgotten(nodes, jobs, said):
    (job,) = jobs(1)
    first, _ = nodes("one"), nodes("two")
    refuse(first, job)
    with first.transaction():
        first.disown()
    assert said("SELECT * FROM aurora_refusals") == []


def test_what_runs_is_not_left_to_others(nodes, jobs):
    (job,) = jobs(1)
    first, second = nodes("one"), nodes("two")
    claim(first, job)
    assert refuse(first, job) == []
    assert held(first, second) == [1, 0]


names = st.sampled_from("abcdef")
KINDS = st.builds(
    Kind,
    tag=st.none() | st.sampled_from(["gpu", "big"]),
    refused=st.none() | st.lists(names, unique=True),
    size=st.integers(0, 1000),
    mine=st.just(0),
)


@given(kind=KINDS, nodes=st.dictionaries(names, st.sets(st.sampled_from(["gpu", "big"]))))
def test_the_shares_of_all_are_enough_for_all_jobs_and_fair(kind, nodes):
    shares = {node: kind.share(node, nodes) for node in nodes}
    tagged = {node for node, tags in nodes.items() if kind.tag is None or kind.tag in tags}
    able = tagged - set(kind.refused or ())
    assert {node for node, share in shares.items() if share} <= (able or tagged)
    if tagged:
        assert sum(shares.values()) >= kind.size
        assert max(shares.values()) * len(able or tagged) < kind.size + len(able or tagged)
    else:
        assert not any(shares.values())


# Hearing of each other --------------------------------------------------------------------------------------------


@pytest.fixture
def listener(nodes):
    made = nodes("listening").listener()
    made.open()
    yield made
    made.close()


def is_heard(listener):
    ready, _, _ = select.select([listener.fileno()], [], [], 2)
    return bool(ready) and bool(listener.heard())


def test_what_others_change_and_leave_is_heard_at_once(nodes, listener):
    store = nodes("one")
    insert(store, make_job(next_fire=1))
    assert is_heard(listener)
    release(store, ["nightly"])
    assert is_heard(listener)
    with store.transaction():
        store.disown()
    assert is_heard(listener)


def test_of_a_firing_nobody_else_hears(nodes, jobs, said, listener):
    (job,) = jobs(1)
    is_heard(listener)
    store = nodes("one")
    said("UPDATE aurora_jobs SET holder = 'one'")
    claim(store, job)
    ready, _, _ = select.select([listener.fileno()], [], [], 0.3)
    assert not ready


def test_that_somebody_begins_to_listen_to_all_concerns_who_tells_nobody(nodes, listener):
    store = nodes("one")
    share(store)
    is_heard(listener)
    reader = store.reader()
    reader.open()
    assert not reader.concerns(store.last_change())
    news = nodes("two").news()
    news.open()
    assert is_heard(listener)
    assert reader.concerns(store.last_change())
    share(store)
    assert not reader.concerns(store.last_change()), "it knows"
    news.close()
    reader.close()


def test_a_listener_whose_connection_is_lost_says_so_and_may_begin_anew(nodes, listener, said):
    said("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    for _ in range(2):  # its last words, and then its end
        select.select([listener.fileno()], [], [], 2)
        with suppress(StoreUnavailableError):
            listener.heard()
    with pytest.raises(StoreUnavailableError):
        listener.heard()
    listener.close()
    listener.open()
    insert(nodes("one"), make_job())
    assert is_heard(listener)


# What goes wrong --------------------------------------------------------------------------------------------------


def test_where_nobody_was_heard_nobody_is_taken_for_dead(nodes, jobs, said):
    jobs(4)
    first, second = nodes("one", "two")
    said("UPDATE aurora_nodes SET seen = seen - interval '1 minute', since = since - interval '2 minutes'")
    first._connection.close()  # the server, or the way to it, was away: locks are gone, too
    second._connection.close()
    before = held(first, second)
    assert not share(second).someone_died
    assert not share(first).someone_died
    assert held(first, second) == before


def test_of_a_node_that_is_about_to_leave_no_share_is_kept_free(nodes, jobs):
    jobs(4)
    first, second = nodes("one", "two")
    share(first, takes=False)
    release(first, None)
    share(second)
    assert held(first, second) == [0, 4]


def test_a_node_that_leaves_keeps_what_runs_and_not_what_waits(nodes, jobs):
    running, waiting, _ = jobs(3)
    store = nodes("one")
    claim(store, running)
    row = make_execution(7, waiting.id, status=ExecutionStatus.WAITING, owner=None)
    with store.transaction():
        store.commit(Commit(job=replace(waiting, version=waiting.version + 1), new=(row,)), is_known=True)
    assert sorted(release(store, None)) == ["job-1", "job-2"]


def test_a_job_that_is_over_and_begins_anew_is_free_if_its_holder_is_gone(nodes):
    first, second = nodes("one", "two")
    job = make_job(status=JobStatus.FINISHED, next_fire=None)
    insert(first, job)
    with first.transaction():
        first.disown()
    again = replace(job, version=job.version + 1, status=JobStatus.ACTIVE, next_fire=1)
    with second.transaction():
        second.replace(again)
    assert share(second).gained == [job.id]


def test_to_leave_may_be_taken_back_and_done_again(nodes, jobs, said):
    jobs(2)
    store = nodes("one")
    with suppress(RuntimeError), store.transaction():
        store.disown()
        raise RuntimeError("something else in the transaction")
    assert held(store) == [2]
    with store.transaction():
        store.disown()
    assert said("SELECT count(*) FROM aurora_nodes") == [(0,)]
    assert said("SELECT count(*) FROM aurora_jobs WHERE holder IS NOT NULL") == [(0,)]


def test_a_process_that_stands_still_amid_a_transaction_finds_the_database_away_and_back(nodes):
    store = nodes("one")

    def stand_still():
        with store.transaction():
            store._sql.do("SET LOCAL idle_in_transaction_session_timeout = 20")
            store.insert(make_job())
            threading.Event().wait(0.5)
            store.insert(make_job("other"))

    with pytest.raises(StoreUnavailableError):
        stand_still()
    insert(store, make_job())
    assert store.jobs() == [make_job()]


# What it costs ----------------------------------------------------------------------------------------------------


def rows_seen(plan):
    """How many rows a plan that was carried out has looked at in our tables, by table."""
    seen = Counter({plan["Relation Name"]: plan["Actual Loops"]}) if "Relation Name" in plan else Counter()
    for name in seen:
        seen[name] *= plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return sum(map(rows_seen, plan.get("Plans", [])), seen)


def test_to_see_whether_others_live_each_is_looked_at_once_even_if_the_server_believes_that_there_are_few(nodes, said):
    store = nodes("one")
    said("ANALYZE aurora_nodes")
    said(
        "INSERT INTO aurora_nodes SELECT 'more ' || n, now(), now(), now(), true, '{}' FROM generate_series(1, 99) AS n"
    )
    with store.transaction():
        ((explained,),) = store._sql.find(f"EXPLAIN (ANALYZE, FORMAT JSON) {_BURY}", "one")
    assert rows_seen(explained[0]["Plan"])["aurora_nodes"] <= 3 * 100


def test_to_find_jobs_of_the_gone_not_all_jobs_are_looked_at(nodes, jobs, said):
    jobs(500)
    store = nodes("one")
    said("UPDATE aurora_jobs SET holder = 'gone' WHERE next_fire < 5")
    said("VACUUM ANALYZE aurora_jobs")
    with store.transaction():
        ((explained,),) = store._sql.find(f"EXPLAIN (ANALYZE, FORMAT JSON) {_HOLDERS_GONE}")
        assert store._sql.find(_HOLDERS_GONE) == [("gone",)]
    assert rows_seen(explained[0]["Plan"])["aurora_jobs"] <= 10


def test_a_change_concerns_who_holds_the_job_and_where_nobody_does_all(nodes):
    first, second = nodes("one", "two")
    readers = [store.reader() for store in (first, second)]
    for reader in readers:
        reader.open()
    last = first.last_change()
    assert [reader.concerns(last) for reader in readers] == [False, False]
    with first.transaction():
        first.insert_all([job := make_job()], [Change(job_id="nightly", generation=1, at=NOW, kind=ChangeKind.CREATED)])
    assert [reader.concerns(last) for reader in readers] == [True, False]
    assert [reader.concerns(first.last_change()) for reader in readers] == [False, False]
    release(first, ["nightly"])
    assert [reader.concerns(first.last_change()) for reader in readers] == [True, True]
    share(second)
    with first.transaction():
        first.remove(job)
    assert [reader.concerns(last) for reader in readers] == [True, True]
    for reader in readers:
        reader.close()


def test_each_looks_through_the_new_rows_of_the_jobs_that_it_holds(nodes):
    """Else all of them would look through the same, and write as often as there are nodes."""
    first, second = nodes("one", "two")
    insert(first, make_job("hers"))
    insert(second, make_job("his"))
    ended = enumerate(("hers", "his", "gone"))
    add(first, *(make_execution(number, job_id, status=ExecutionStatus.SUCCEEDED) for number, job_id in ended))
    assert [store.fired_since("", 1) for store in (first, second)] == [["hers"], ["his"]]


def test_to_find_old_lines_of_history_not_all_lines_are_looked_at(nodes, said):
    store = nodes("one")
    said(
        "INSERT INTO aurora_job_changes (job_id, generation, at, kind)"
        " SELECT 'job', 1, n, 'created' FROM generate_series(100, 30000) AS n"
    )
    with store.transaction():
        ((explained,),) = store._sql.find(f"EXPLAIN (ANALYZE, FORMAT JSON) {_PRUNE_CHANGES}", 100, 200)
        assert store.prune_before(150, 200) == 50
    assert rows_seen(explained[0]["Plan"])["aurora_job_changes"] <= 10_001


def test_of_very_many_jobs_it_is_counted_more_seldom_but_at_once_when_a_node_has_come(nodes, jobs, monkeypatch):
    """To count them takes the longer the more they are, and all others wait for it."""
    monkeypatch.setattr("aurora_scheduler.stores.postgres.nodes._MANY", 1)
    jobs(40)
    first = nodes("one")
    assert held(first) == [40]
    share(first)
    insert(first, *(make_job(f"more-{number}") for number in range(2)))
    assert not any(share(first).surplus for _ in range(38))
    assert first._node.counts_at - first._node.round >= 1
    nodes("two")
    assert len(share(first).surplus) == 21
