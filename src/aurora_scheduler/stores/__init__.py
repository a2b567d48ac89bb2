"""Where jobs and their history live. Each store is synchronous and belongs to one thread; `writer` owns that thread."""

from aurora_scheduler.stores.examining import Examination, examine, job_names
from aurora_scheduler.stores.places import is_in_use, open_store
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.stores.writer import InlineWriter, ThreadedWriter

__all__ = [
    "Examination",
    "InlineWriter",
    "SqliteStore",
    "ThreadedWriter",
    "examine",
    "is_in_use",
    "job_names",
    "open_store",
]
