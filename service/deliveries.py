"""Sends the messages of webhooks that are due, from whichever API process finds them first."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi.concurrency import run_in_threadpool

from service import jobs, webhooks
from service.addresses import RefusedAddress, addresses_of
from service.database import Database
from service.settings import Settings
from service.table_types import utc_now
from service.webhooks import Delivery

SECONDS = 15.0  # from looking up the name to the status line
CONNECT_SECONDS = 4.0  # to one of a host's addresses

log = logging.getLogger(__name__)


@asynccontextmanager
async def delivering(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Send what is due, for as long as the block lasts."""
    task = asyncio.create_task(_deliver_forever(settings, database))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _deliver_forever(settings: Settings, database: Database) -> None:
    async with new_client() as client, asyncio.TaskGroup() as tasks:
        sender = Sender(database, client, settings.webhook_allow_private)
        while True:
            try:
                await sender.start_due(tasks)
            except Exception as error:  # it must outlive whatever goes wrong
                log.warning("webhooks failed, will try again: %r", error)
            await asyncio.sleep(settings.sweep_seconds)


def new_client() -> httpx.AsyncClient:
    """It takes no proxy, no password and no redirect from anywhere, and logs no URL."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    timeout = httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
    any_number = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=timeout, limits=any_number
    )


class Sender:
    """Sends messages each on its own; what hangs holds up no look at what else is due."""

    def __init__(self, database: Database, client: httpx.AsyncClient, allow_private: bool) -> None:
        self._database = database
        self._client = client
        self._allow_private = allow_private
        self._sending: Counter[str] = Counter()  # messages by owner

    async def start_due(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to send what is due, as much of each owner's as may be on its way at a time."""
        for delivery, body in await run_in_threadpool(self._take, +self._sending):
            self._sending[delivery.owner] += 1
            tasks.create_task(self._deliver(delivery, body))

    def _take(self, sending: Counter[str]) -> list[tuple[Delivery, bytes]]:
        with self._database.read() as session:
            if not webhooks.is_any_due(session):
                return []
        with self._database.write() as session:
            return [
                (
                    delivery,
                    webhooks.message(delivery, jobs.view(jobs.get(session, delivery.job_id))),
                )
                for delivery in webhooks.take_due(session, sending)
            ]

    async def _deliver(self, delivery: Delivery, body: bytes) -> None:
        try:
            await self._send(delivery, body)
        except Exception as error:  # it is due again when its lease ends
            log.warning("%s failed, will try again: %r", delivery.id, error)
        finally:
            self._sending[delivery.owner] -= 1

    async def _send(self, delivery: Delivery, body: bytes) -> None:
        status: int | None = None
        try:
            async with asyncio.timeout(SECONDS):
                status = await self._attempt(delivery, body)
            failure = None if httpx.codes.is_success(status) else f"answered {status}"
        except TimeoutError:
            failure = f"no answer within {SECONDS:.0f} seconds"
        except (httpx.HTTPError, httpx.InvalidURL, RefusedAddress, OSError, ValueError) as error:
            failure = str(error) or type(error).__name__
        goes_on = await run_in_threadpool(self._settle, delivery, failure, status)
        if failure:
            outlook = "will try again" if goes_on else "given up"
            log.warning("%s of job %s: %s; %s", delivery.id, delivery.job_id, failure, outlook)

    async def _attempt(self, delivery: Delivery, body: bytes) -> int:
        """Post to the very addresses that were checked, for the host's name; the HTTP status.

        Raises httpx.HTTPError, or RefusedAddress.
        """
        url = httpx.URL(delivery.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        headers = {
            **webhooks.signed_headers(delivery, body, utc_now()),
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": "kVAE",
        }
        failure: Exception = RefusedAddress("no address")
        host = url.raw_host.decode("ascii")
        for address in await addresses_of(host, port, self._allow_private):
            request = self._client.build_request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=headers,
                extensions={"sni_hostname": host},
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
                continue
            await response.aclose()  # whatever it says beyond its status
            return response.status_code
        raise failure

    def _settle(self, delivery: Delivery, failure: str | None, status: int | None) -> bool:
        with self._database.write() as session:
            return webhooks.settle(session, delivery, failure, status)
