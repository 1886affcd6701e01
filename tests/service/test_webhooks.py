"""Messages about a job's end: signed, repeated, and never sent to where they should not go."""

import asyncio
import json
import socket
import ssl
from datetime import timedelta
from typing import Any

import httpx
import pytest
import trustme
from pydantic import HttpUrl, ValidationError
from sqlalchemy import select

from api_schemas.jobs import Job, JobCreate, JobDelivery, JobRequest, Webhook
from service import deliveries, jobs, leases, webhooks
from service.addresses import RefusedAddress, addresses_of, check_url, is_public
from service.database import Database
from service.deliveries import Sender, new_client
from service.errors import InvalidInput
from service.ownership import Caller
from service.table_types import utc_now
from service.tables import DeliveryRow
from service.webhooks import Delivery
from tests.receiver import receiver
from tests.service import rows

# the example of the Standard Webhooks specification's own libraries
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105
MESSAGE = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def failed_job(database: Database, url: str, secret: str | None = SECRET) -> str:
    with database.write() as session:
        webhook = Webhook.model_validate({"url": url, "secret": secret})
        request = JobRequest(components=2, webhook=webhook)
        job_id = jobs.create(session, rows.dataset(session), request).id
        claim = leases.claim(session, job_id, 60)
        assert claim
        leases.finish(session, claim, "failed", {"code": "x", "message": "y", "param": None})
    return job_id


def deliver(database: Database, allow_private: bool = True, **client: Any) -> None:
    async def once() -> None:
        async with (
            httpx.AsyncClient(**client) if client else new_client() as http,
            asyncio.TaskGroup() as tasks,
        ):
            await Sender(database, http, allow_private).start_due(tasks)

    asyncio.run(once())


def delivery_row(database: Database) -> DeliveryRow:
    with database.read() as session:
        return session.scalars(select(DeliveryRow)).one()


def shown(database: Database, job_id: str) -> JobDelivery:
    with database.read() as session:
        (delivery,) = webhooks.page(session, job_id, None, 20).data
        return delivery


def test_the_signature_is_that_of_the_specification() -> None:
    happened = utc_now().fromtimestamp(1614265330, utc_now().tzinfo)
    delivery = Delivery("msg_p5jXN8AQM9LWM0D4loKWxJek", 1, "", happened, "", "", "", SECRET)
    headers = webhooks.signed_headers(delivery, MESSAGE, happened)
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == SIGNATURE


def test_a_message_is_repeated_until_it_is_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0)
    with receiver(500, 302) as server:
        job_id = failed_job(database, f"http://localhost:{server.server_port}/hook?a=b")
        told_of: list[JobDelivery] = []
        for _ in range(4):
            deliver(database)
            told_of.append(shown(database, job_id))
    assert [d.status for d in told_of] == ["pending", "pending", "delivered", "delivered"]
    assert [d.last_status for d in told_of] == [500, 302, 204, 204]
    assert [d.failure for d in told_of[:3]] == ["answered 500", "answered 302", None]
    row = delivery_row(database)
    assert row.delivered_at
    assert (row.attempts, row.next_attempt_at, row.failure) == (3, None, None)
    headers, bodies = zip(*server.got, strict=True)
    assert len(set(bodies)) == 1
    assert {h["webhook-id"] for h in headers} == {row.id}
    assert headers[0]["host"] == f"localhost:{server.server_port}"
    told = json.loads(bodies[0])
    assert told["type"] == "job.failed"
    assert Job.model_validate(told["data"]).id == job_id
    assert "whsec_" not in bodies[0].decode()
    assert "answered 500; will try again" in caplog.text
    assert "/hook" not in caplog.text


def test_a_secret_is_not_needed(database: Database) -> None:
    with receiver() as server:
        failed_job(database, f"http://127.0.0.1:{server.server_port}", secret=None)
        deliver(database)
    (headers, _), *others = server.got
    assert not others
    assert "webhook-signature" not in headers


def test_tls_is_that_of_the_name_on_the_checked_address(database: Database) -> None:
    authority = trustme.CA()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusted)
    with receiver(tls=served) as server:
        for host in ("localhost", "127.0.0.1"):
            failed_job(database, f"https://{host}:{server.server_port}")
        deliver(database, verify=trusted)
    with database.read() as session:
        by_name, by_address = session.scalars(select(DeliveryRow).order_by(DeliveryRow.id))
    assert by_name.delivered_at
    assert "CERTIFICATE_VERIFY_FAILED" in (by_address.failure or "")
    assert len(server.got) == 1


def test_private_addresses_are_refused(database: Database) -> None:
    with receiver() as server:
        failed_job(database, f"https://localhost:{server.server_port}")
        deliver(database, allow_private=False)
    assert not server.got
    assert delivery_row(database).failure == "localhost has an address that is not public"


def test_a_redirect_is_not_followed(database: Database) -> None:
    with receiver(307) as server:
        failed_job(database, f"http://localhost:{server.server_port}")
        deliver(database)
    assert len(server.got) == 1
    assert delivery_row(database).failure == "answered 307"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("fec0::1", False),
        ("192.0.0.192", False),
        ("::ffff:192.0.0.192", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) == public


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/", "must be https"),
        ("https://10.0.0.1/", "10.0.0.1 leads to no public address"),
        ("https://[::1]:8443/", "::1 leads to no public address"),
        ("https://2130706433/", "127.0.0.1 leads to no public address"),
        ("https://localhost/", "localhost leads to no public address"),
        ("https://me:secret@example.org/", "a user or password"),
    ],
)
def test_urls_that_will_never_do(url: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_url(HttpUrl(url), allow_private=False)
    check_url(HttpUrl("https://example.org/hook"), allow_private=False)


def test_a_host_without_an_address() -> None:
    for host in ("nowhere.invalid", "a" * 70):
        with pytest.raises(RefusedAddress, match="has no address"):
            asyncio.run(addresses_of(host, 443, allow_private=True))


def test_a_name_is_looked_up_as_it_was_checked(database: Database) -> None:
    failed_job(database, "https://faß.invalid")  # by IDNA 2003 it would be fass.invalid
    deliver(database)
    assert (delivery_row(database).failure or "").startswith("xn--fa-hia.invalid has no address")


def test_slow_hooks_hold_up_their_owners_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "SECONDS", 3.0)
    most = webhooks.OWNER_AT_ONCE

    async def look_twice() -> None:
        async with new_client() as http, asyncio.TaskGroup() as tasks:
            sender = Sender(database, http, True)
            for _ in range(2):
                await sender.start_due(tasks)

    with receiver() as server, socket.create_server(("127.0.0.1", 0)) as silent:
        for _ in range(most + 1):
            alice = database.used_by(Caller("alice"))
            failed_job(alice, f"http://127.0.0.1:{silent.getsockname()[1]}")
        failed_job(database.used_by(Caller("bob")), f"http://127.0.0.1:{server.server_port}")
        asyncio.run(look_twice())
        assert len(server.got) == 1
    with database.read() as session:
        attempts = [row.attempts for row in session.scalars(select(DeliveryRow))]
    assert sorted(attempts) == [0] + [1] * (most + 1)


def test_a_message_is_given_up_after_a_day(database: Database) -> None:
    job_id = failed_job(database, "http://127.0.0.1:1")
    assert shown(database, job_id).status == "pending"
    waited = timedelta()
    for attempt in range(1, webhooks.MAX_ATTEMPTS + 1):
        deliver(database)
        with database.write() as session:
            row = session.scalars(select(DeliveryRow)).one()
            assert row.attempts == attempt
            if row.next_attempt_at:
                waited += row.next_attempt_at - utc_now()
                row.next_attempt_at = utc_now()
    assert shown(database, job_id).status == "given_up"
    assert delivery_row(database).next_attempt_at is None
    assert "connection" in (delivery_row(database).failure or "")
    assert timedelta(hours=16) < waited < timedelta(hours=28)


def test_a_message_is_taken_by_one_sender_until_its_lease_ends(database: Database) -> None:
    failed_job(database, "http://127.0.0.1:1")
    with database.write() as session:
        (stale,) = webhooks.take_due(session, {})
        assert webhooks.take_due(session, {}) == []
        session.scalars(select(DeliveryRow)).one().next_attempt_at = utc_now()
    with database.write() as session:
        (fresh,) = webhooks.take_due(session, {})
        webhooks.settle(session, stale, "too late to say")
    assert fresh.attempt == 2
    assert delivery_row(database).failure is None


@pytest.mark.parametrize(
    "secret", ["", "plain", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", SECRET[6:]]
)
def test_secrets_that_sign_nothing(secret: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and the base64 of 24 to 64"):
        Webhook.model_validate({"url": "https://example.org", "secret": secret})


def test_a_secret_is_shown_nowhere(database: Database) -> None:
    with database.write() as session:
        hook = {"url": "https://example.org/", "secret": SECRET}
        request = JobCreate.model_validate({"dataset": "x", "components": 2, "webhook": hook})
        job = jobs.create(session, rows.dataset(session), request)
        shown = [str(request), jobs.view(job).model_dump_json(), str(job.config)]
    assert "whsec_" not in "".join(shown)
    assert jobs.view(job).webhook_url == "https://example.org/"
