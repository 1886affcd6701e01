"""A job's life as a table: what can happen to it, and the status that this leads to.

queued -> running -> succeeded | failed
   |         |  \\-> queued            its worker was lost
   |         \\-> cancelling -> cancelled | succeeded | failed
   \\-> cancelled

cancelled, failed -> queued           resumed
"""

from collections.abc import Mapping
from typing import Literal

from api_schemas.jobs import JobStatus

Ending = Literal["cancelled", "succeeded", "failed"]
Happening = Literal["claimed", "lost", "cancel_requested", "resumed"] | Ending

TRANSITIONS: Mapping[Happening, Mapping[JobStatus, JobStatus]] = {
    "claimed": {"queued": "running"},
    "lost": {"running": "queued"},
    "cancel_requested": {"queued": "cancelled", "running": "cancelling"},
    "cancelled": {"cancelling": "cancelled"},
    "succeeded": {"running": "succeeded", "cancelling": "succeeded"},
    "failed": {"running": "failed", "cancelling": "failed"},
    "resumed": {"cancelled": "queued", "failed": "queued"},
}
ACTIVE: tuple[JobStatus, ...] = ("running", "cancelling")  # a worker has it
ENDED: tuple[JobStatus, ...] = ("cancelled", "succeeded", "failed")
