"""What can go wrong, as a tree: KVAEError over what the service refuses, how a job ends and what
lies between.

    KVAEError
      Unreachable            no answer; tried again for the client's patience
      UnexpectedAnswer       not this service's, as of a proxy, or of another version of it
      ServiceError           a problem (RFC 9457); for each status that matters a class of its own
      JobEnded
        JobFailed, JobCancelled
"""

from collections.abc import Iterator
from typing import ClassVar

from api_schemas.common import Problem, ProblemError
from api_schemas.jobs import Job


class KVAEError(Exception):
    """Base of all errors of the client. The message is for people."""


class Unreachable(KVAEError):
    """There was no answer, or not the whole of it."""


class UnexpectedAnswer(KVAEError):
    """The answer is none of this service, or of a version that this client doesn't know."""


class ServiceError(KVAEError):
    """The service refused: ``status``, ``title``, ``detail``, ``code`` for programs, ``errors``
    with what is wrong where, ``request_id`` for the service's log, and ``retry_after``, seconds
    after which the service wants to be asked again, if it said so."""

    of_status: ClassVar[int | None] = None

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.status: int = problem.status
        self.title: str = problem.title
        self.detail: str = problem.detail
        self.code: str = problem.code
        self.errors: list[ProblemError] = problem.errors
        self.request_id: str = problem.request_id
        self.retry_after = retry_after

    @classmethod
    def of(cls, problem: Problem, retry_after: float | None = None) -> "ServiceError":
        """Of the class that this status has."""
        for kind in _all(cls):
            if kind.of_status == problem.status:
                return kind(problem, retry_after)
        return ServiceError(problem, retry_after)


class BadRequest(ServiceError):
    """Malformed, as JSON that isn't."""

    of_status = 400


class Unauthorized(ServiceError):
    """No key, or none that the service knows."""

    of_status = 401


class Forbidden(ServiceError):
    """The key may not do this, or its quota of bytes is used up."""

    of_status = 403


class NotFound(ServiceError):
    """No such thing, or it is another owner's."""

    of_status = 404


class Conflict(ServiceError):
    """Not in this state of things, as deleting what is needed."""

    of_status = 409


class TooLarge(ServiceError):
    """More bytes than the service takes."""

    of_status = 413


class InvalidInput(ServiceError):
    """The input is wrong; ``errors`` say where."""

    of_status = 422


class TooMany(ServiceError):
    """More requests or jobs than the key may have."""

    of_status = 429


class Unavailable(ServiceError):
    """The service can't just now, as without its database."""

    of_status = 503


class JobEnded(KVAEError):
    """A job that was waited for ended without success; ``job`` is what became of it."""

    def __init__(self, job: Job, message: str) -> None:
        super().__init__(message)
        self.job = job


class JobFailed(JobEnded):
    """It failed; ``job.error`` says why."""

    def __init__(self, job: Job) -> None:
        why = f"{job.error.message} ({job.error.code})" if job.error else "for an unknown reason"
        super().__init__(job, f"job {job.id} failed: {why}")


class JobCancelled(JobEnded):
    """Somebody cancelled it; it can be resumed."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, f"job {job.id} was cancelled")


def _all(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _all(one)
