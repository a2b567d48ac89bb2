"""The PostgreSQL store. An extra: it is imported where a database is named that needs it."""

from aurora_scheduler.stores.postgres.examining import examine, is_in_use, job_names
from aurora_scheduler.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore", "examine", "is_in_use", "job_names"]
