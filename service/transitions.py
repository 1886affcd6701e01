"""A job's life as a table: what can happen to it, and the status that this leads to.

queued -> running -> succeeded | failed
   |         |  \\-> queued            its worker was lost
   |         \\-> cancelling -> cancelled | succeeded | failed
   \\-> cancelled

An assign job's parts are lost and given out again while it runs on. Cancelled, it is cancelled at
once: no worker has a say in it.

cancelled, failed -> queued           resumed
"""

from collections.abc import Mapping
from typing import Literal

from api_schemas.jobs import JobStatus

Ending = Literal["cancelled", "succeeded", "failed"]
Happening = Literal["claimed", "lost", "cancel_requested", "stopped", "resumed"] | Ending

TRANSITIONS: Mapping[Happening, Mapping[JobStatus, JobStatus]] = {
    "claimed": {"queued": "running"},
    "lost": {"running": "queued"},
    "cancel_requested": {"queued": "cancelled", "running": "cancelling"},
    "stopped": {"queued": "cancelled", "running": "cancelled"},
    "cancelled": {"cancelling": "cancelled"},
    "succeeded": {"running": "succeeded", "cancelling": "succeeded"},
    "failed": {"running": "failed", "cancelling": "failed"},
    "resumed": {"cancelled": "queued", "failed": "queued"},
}
ACTIVE: tuple[JobStatus, ...] = ("running", "cancelling")  # a worker has it
ENDED: tuple[JobStatus, ...] = ("cancelled", "succeeded", "failed")
