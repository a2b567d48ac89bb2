"""Where jobs and their history live. Each store is synchronous and belongs to one thread; `writer` owns that thread."""

from aurora_scheduler.stores.examining import Examination
from aurora_scheduler.stores.moving import move
from aurora_scheduler.stores.places import Use, examine, file_of, job_names, open_store, use_of
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.stores.writer import InlineWriter, ThreadedWriter

__all__ = [
    "Examination",
    "InlineWriter",
    "SqliteStore",
    "ThreadedWriter",
    "Use",
    "examine",
    "file_of",
    "job_names",
    "move",
    "open_store",
    "use_of",
]
