"""Jobs of a service: trainings, and the assigning of data sets."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from api_schemas.jobs import Checkpoint, Job, JobDelivery, JobEvent, JobStatus, JobType
from client import media
from client.assignments import read_assignments, write_assignments
from client.connection import Connection, path_of
from client.errors import JobCancelled, JobFailed, Unreachable
from client.events import read_events
from client.progress import shown
from client.samples import Format

FIRST_POLL, LONGEST_POLL = 0.1, 1.0


class Jobs:
    """`kvae.jobs`"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self,
        type: JobType | None = None,
        *,
        status: JobStatus | None = None,
        dataset: str | None = None,
        name: str | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first: all, or those that fit what is given."""
        wanted = {"type": type, "status": status, "dataset": dataset, "name": name}
        return self._connection.pages("/jobs", Job, **wanted)

    def get(self, job: str) -> Job:
        """One job: its status, progress, error and, once succeeded, its model. Raises NotFound."""
        return self._connection.get(path_of("jobs", job), Job)

    def cancel(self, job: str) -> Job:
        """Ask for its end, within a step; the job as it is now. Raises NotFound or Conflict."""
        return self._connection.post(path_of("jobs", job, "cancel"), Job)

    def resume(self, job: str) -> Job:
        """Go on with one that failed or was cancelled. Raises NotFound or Conflict."""
        return self._connection.post(path_of("jobs", job, "resume"), Job)

    def delete(self, job: str) -> None:
        """Delete one that has ended; data set and model stay. Raises NotFound or Conflict."""
        self._connection.delete(path_of("jobs", job))

    def events(self, job: str, after: str | None = None) -> Iterator[JobEvent]:
        """What its log has so far, oldest first, or what follows the event of that id."""
        return self._connection.pages(path_of("jobs", job, "events"), JobEvent, after=after)

    def watch(self, job: str, after: str = "0") -> Iterator[JobEvent]:
        """Its log as it grows, until the job has ended and all is told; over lost connections it
        goes on after the last event. Raises NotFound."""
        path = path_of("jobs", job, "events")
        while True:
            headers = {"Accept": media.EVENTS, "Last-Event-ID": after}
            with suppress(Unreachable), self._connection.stream(path, headers) as response:
                if response.status_code == 204:
                    return
                for event in read_events(response.iter_lines()):
                    yield JobEvent.model_validate_json(event.data)
                    after = event.id or after

    def updates(self, job: str) -> Iterator[Job]:
        """The job again and again, the last time when it has ended."""
        pause = FIRST_POLL
        while True:
            found = self.get(job)
            yield found
            if found.finished_at:
                return
            time.sleep(pause)
            pause = min(1.5 * pause, LONGEST_POLL)

    def wait(self, job: str, *, progress: bool = True) -> Job:
        """The job once it has succeeded; ``progress`` is shown on stderr meanwhile.

        Raises JobFailed or JobCancelled. Interrupted, it leaves the job to go on.
        """
        updates = self.updates(job)
        if progress:
            updates = shown(updates, lambda after: self.events(job, after))
        (found,) = deque(updates, maxlen=1)
        if found.status == "failed":
            raise JobFailed(found)
        if found.status == "cancelled":
            raise JobCancelled(found)
        return found

    def deliveries(self, job: str) -> Iterator[JobDelivery]:
        """The messages to its webhook and how they fare, newest first. Raises NotFound."""
        return self._connection.pages(path_of("jobs", job, "deliveries"), JobDelivery)

    def checkpoints(self, job: str) -> Iterator[Checkpoint]:
        """What each iteration left, oldest first. Raises NotFound."""
        return self._connection.pages(path_of("jobs", job, "checkpoints"), Checkpoint)

    def preview(self, job: str, iteration: int | None = None) -> bytes:
        """A PNG of what each component draws after an iteration, or the last. Raises NotFound."""
        path = path_of("jobs", job, "preview")
        return self._connection.request("GET", path, {"iteration": iteration}).content

    def assignments(
        self, job: str, component: int | None = None, *, format: Format = "numpy"
    ) -> Any:
        """What an assign job has found: records of row, component, confidence and, where asked for,
        outlier_score, as a structured array, DataFrame or pyarrow.Table.

        Raises NotFound, or Conflict before the job has succeeded.
        """
        return read_assignments(self._connection, ("jobs", job), component, format)

    def assignments_file(
        self,
        target: str | Path | IO[bytes],
        job: str,
        component: int | None = None,
        *,
        media_type: str | None = None,
    ) -> None:
        """The same into a file: CSV, Parquet, Arrow or NPY. Raises NotFound, Conflict, OSError."""
        write_assignments(self._connection, target, ("jobs", job), component, media_type)
