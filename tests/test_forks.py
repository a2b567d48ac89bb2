"""A fork waits for whoever must not be forked beside, and for nobody else."""

from __future__ import annotations

import os

import pytest

from stores.making import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

_BEGINNING = """
import os, threading, warnings
from aurora_scheduler.forks import NoFork

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: it is what this is about
contexts = [NoFork() for _ in range(3)]

def fork():
    child = os.fork()
    if child == 0:
        for context in contexts:
            with context:
                pass
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_threads_that_fork_at_once_hold_up_neither_each_other_nor_anybody_else():
    program = """
stop = threading.Event()

def work(context):
    while not stop.is_set():
        with context:
            pass

def fork_often():
    for _ in range(12):
        fork()

workers = [threading.Thread(target=work, args=[context]) for context in contexts]
forkers = [threading.Thread(target=fork_often) for _ in range(3)]
for each in workers + forkers:
    each.start()
for each in forkers:
    each.join()
stop.set()
for each in workers:
    each.join()
print("over")
"""
    assert run(_BEGINNING + program, measured=False) == "over"


def test_a_fork_in_the_midst_of_a_context_does_not_wait_for_one_that_waits_for_that_context():
    program = """
for inner in contexts:
    with inner:
        other = threading.Thread(target=fork)
        other.start()
        other.join(0.05)
        assert other.is_alive(), "it forked, though it must not"
        fork()
    other.join()
print("over")
"""
    assert run(_BEGINNING + program, measured=False) == "over"
