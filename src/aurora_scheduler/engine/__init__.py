"""What fires: one Trio task per active job, asleep until the job's next firing.

`engine` holds the nest of nurseries, `book` keeps the tasks equal to the store, `tending` is the task of one job,
`perform` one attempt from its claim to its end, `runners` the places where a callback can run, `threads` and
`processes` two of them, `watch` sees when one blocks the loop, `mailbox` brings what other threads answer, `keeper` is
what goes on beside: following changes, retention, watching the clock.
"""

from aurora_scheduler.engine.engine import Engine, Settings
from aurora_scheduler.engine.entries import current_execution
from aurora_scheduler.engine.processes import is_beginning_worker
from aurora_scheduler.engine.runners import Home

__all__ = ["Engine", "Home", "Settings", "current_execution", "is_beginning_worker"]
