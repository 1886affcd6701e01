"""Telling others how a job ended. A message is a row of the transaction that ends the job, and is
sent at least once: again, ever more rarely, until it is taken or given up after about a day."""

import base64
import hashlib
import hmac
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.jobs import Job, JobDelivery, JobMessage, webhook_key
from service import clock
from service.ids import new_id
from service.paging import newest_first
from service.tables import DeliveryRow, JobRow

FIRST_PAUSE, PAUSE_GROWTH = 8.0, 3.0  # seconds: 8, 24, 72, ...
MAX_ATTEMPTS = 10  # over 22 hours
JITTER = 0.2
LEASE = timedelta(seconds=60)  # for one attempt; a sender that dies leaves it to another
BATCH = 20
OWNER_AT_ONCE = 5  # messages on their way, so that one owner's slow hooks hold up no other's
MAX_FAILURE = 500


@dataclass(frozen=True)
class Delivery:
    """One message and where it goes."""

    id: str
    attempt: int
    type: str
    happened_at: datetime
    job_id: str
    owner: str
    url: str
    secret: str | None


def announce(session: Session, job: JobRow) -> None:
    """Have a job's webhook told that it ended, if it has one."""
    if job.webhook_url:
        now = clock.now(session)
        delivery = DeliveryRow(id=new_id("evt"), job_id=job.id, type=f"job.{job.status}")
        delivery.created_at = delivery.next_attempt_at = now
        session.add(delivery)


def take_due(session: Session, sending: Mapping[str, int]) -> list[Delivery]:
    """Messages to be sent now, for as long as their lease; each is taken by one sender.

    ``sending`` tells how many of each owner this one has on their way.
    """
    now = clock.now(session)
    is_due = DeliveryRow.next_attempt_at <= now
    busy = case(dict(sending), value=JobRow.owner, else_=0) if sending else literal(0)
    number = func.row_number().over(partition_by=JobRow.owner, order_by=DeliveryRow.next_attempt_at)
    numbered = select(DeliveryRow.id, DeliveryRow.next_attempt_at, (number + busy).label("number"))
    of_owner = numbered.join(DeliveryRow.job).where(is_due).subquery()
    few = of_owner.c.number <= OWNER_AT_ONCE
    due = select(of_owner.c.id).where(few).order_by(of_owner.c.next_attempt_at).limit(BATCH)
    taken = session.scalars(
        update(DeliveryRow)
        .where(DeliveryRow.id.in_(due), is_due)
        .values(attempts=DeliveryRow.attempts + 1, next_attempt_at=now + LEASE)
        .returning(DeliveryRow)
        .execution_options(synchronize_session=False)
    )
    return [_delivery(row) for row in taken.all()]


def is_any_due(session: Session) -> bool:
    """Whether `take_due` may find something."""
    due = select(DeliveryRow.id).where(DeliveryRow.next_attempt_at <= clock.now(session)).limit(1)
    return session.scalar(due) is not None


def settle(
    session: Session, delivery: Delivery, failure: str | None, status: int | None = None
) -> bool:
    """Note how an attempt went, a failure of None for well, and the HTTP status if one came;
    returns whether there will be another."""
    is_last = delivery.attempt >= MAX_ATTEMPTS
    values: dict[str, Any] = {"failure": failure and failure[:MAX_FAILURE], "last_status": status}
    values["next_attempt_at"] = None
    if failure is None:
        values["delivered_at"] = clock.now(session)
    elif not is_last:
        values["next_attempt_at"] = clock.now(session) + pause(delivery.attempt)
    mine = DeliveryRow.id == delivery.id, DeliveryRow.attempts == delivery.attempt
    session.execute(update(DeliveryRow).where(*mine).values(**values))
    return failure is not None and not is_last


def page(session: Session, job_id: str, after: str | None, limit: int) -> Page[JobDelivery]:
    """A job's messages, newest first: one for each time that it ended."""
    query = select(DeliveryRow).where(DeliveryRow.job_id == job_id)
    return newest_first(session, query, DeliveryRow.id, after, limit, _view)


def pause(attempt: int) -> timedelta:
    """Until the attempt after this one, counted from 1."""
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    return timedelta(seconds=FIRST_PAUSE * PAUSE_GROWTH ** (attempt - 1) * jitter)


def message(delivery: Delivery, job: Job) -> bytes:
    """The body of a delivery."""
    body = JobMessage(type=delivery.type, timestamp=delivery.happened_at, data=job)
    return body.model_dump_json().encode()


def signed_headers(delivery: Delivery, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification (symmetric, v1)."""
    timestamp = str(int(now.timestamp()))
    headers = {"webhook-id": delivery.id, "webhook-timestamp": timestamp}
    if delivery.secret:
        signed = b".".join((delivery.id.encode(), timestamp.encode(), body))
        digest = hmac.digest(webhook_key(delivery.secret), signed, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _view(row: DeliveryRow) -> JobDelivery:
    waits = "pending" if row.next_attempt_at else "given_up"
    return JobDelivery(
        id=row.id,
        created_at=row.created_at,
        type=row.type,
        status="delivered" if row.delivered_at else waits,
        attempts=row.attempts,
        last_status=row.last_status,
        failure=row.failure,
        next_attempt_at=row.next_attempt_at,
        delivered_at=row.delivered_at,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        attempt=row.attempts,
        type=row.type,
        happened_at=row.created_at,
        job_id=row.job_id,
        owner=row.job.owner,
        url=cast(str, row.job.webhook_url),
        secret=row.job.webhook_secret,
    )
