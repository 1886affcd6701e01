"""What the service itself calls: here for the OpenAPI document, answered by others"""

from fastapi import APIRouter

from api_schemas.jobs import JobMessage

router = APIRouter(tags=["jobs"])


@router.post("job.ended", status_code=204)
def job_ended(body: JobMessage) -> None:
    """A job that has a `webhook` succeeded, failed or was cancelled.

    Sent as the Standard Webhooks specification has it: the headers `webhook-id`, the same at each
    attempt, `webhook-timestamp` and, with a secret, `webhook-signature`. Any 2xx takes it; it is
    sent again otherwise, ever more rarely for about a day, and may come more than once.
    """
