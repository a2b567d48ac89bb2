"""Aurora Scheduler: persistent jobs, fired on time by a Trio nursery in a thread of its own, called from any program.

The public names are here, and nothing else. Inside, imports run downwards only: facades (`manager`, `service`), what
can be asked (`scheduler`), the thread (`host`), the engine, the stores, the calls' transactions (`commands`), what a
user says (`definition`), the rules, the schedules, and at the bottom the nouns (`model`).
"""

from aurora_scheduler.answers import Explanation, Health, Outlook
from aurora_scheduler.definition import NewJob
from aurora_scheduler.errors import (
    ArgumentsError,
    AuroraError,
    CallbackError,
    ForeignTablesError,
    ForkedProcessError,
    JobExistsError,
    JobNotFoundError,
    NewerSchemaError,
    NotADatabaseError,
    OptionError,
    ScheduleError,
    SchedulerStopped,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
    UnknownOptionError,
)
from aurora_scheduler.events import EventsLost, ExecutionEvent, JobEvent
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.preview import FireTime, next_fire_times, parse_schedule
from aurora_scheduler.schedules import Schedule
from aurora_scheduler.service import CronService, get_cron_service, schedule_task

__all__ = [
    "ArgumentsError",
    "AuroraError",
    "CallbackError",
    "CronService",
    "EventsLost",
    "Execution",
    "ExecutionEvent",
    "ExecutionStatus",
    "Explanation",
    "FireTime",
    "ForeignTablesError",
    "ForkedProcessError",
    "Health",
    "Job",
    "JobEvent",
    "JobExistsError",
    "JobNotFoundError",
    "JobStatus",
    "NewJob",
    "NewerSchemaError",
    "NotADatabaseError",
    "OptionError",
    "Outlook",
    "Schedule",
    "ScheduleError",
    "SchedulerManager",
    "SchedulerStopped",
    "StoreCorruptError",
    "StoreError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "UnknownOptionError",
    "get_cron_service",
    "next_fire_times",
    "parse_schedule",
    "schedule_task",
]
