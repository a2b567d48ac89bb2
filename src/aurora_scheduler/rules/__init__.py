"""What shall happen: pure functions from what is so to what is to be done.

Nothing here waits, reads a clock or touches a database. `deciding` answers what a job's next step is, `settling`
what the end of an attempt (or the death of its owner) writes, `changing` what a person's call does to a job. Each
answers with values, most of them a `Commit`; the floors above carry them out.
"""

from aurora_scheduler.rules.changing import (
    cancel_waiting,
    delete,
    is_free,
    pause,
    renamed,
    renewed,
    request_cancel,
    request_run,
    reschedule,
    resolved,
    resume,
    rewound,
    unresolved,
)
from aurora_scheduler.rules.deciding import (
    AHEAD,
    Claim,
    Record,
    Rest,
    Sleep,
    Step,
    decide,
    is_ahead,
    is_near,
    is_plainly_due,
    may_be_ahead,
)
from aurora_scheduler.rules.overlap import seated
from aurora_scheduler.rules.recorded import CORRECTION, beyond, pass_over, standing
from aurora_scheduler.rules.settling import overrun, recover, settle
from aurora_scheduler.rules.timing import coming, following, is_outdated, may_be_outdated

__all__ = [
    "AHEAD",
    "CORRECTION",
    "Claim",
    "Record",
    "Rest",
    "Sleep",
    "Step",
    "beyond",
    "cancel_waiting",
    "coming",
    "decide",
    "delete",
    "following",
    "is_ahead",
    "is_free",
    "is_near",
    "is_outdated",
    "is_plainly_due",
    "may_be_ahead",
    "may_be_outdated",
    "overrun",
    "pass_over",
    "pause",
    "recover",
    "renamed",
    "renewed",
    "request_cancel",
    "request_run",
    "reschedule",
    "resolved",
    "resume",
    "rewound",
    "seated",
    "settle",
    "standing",
    "unresolved",
]
