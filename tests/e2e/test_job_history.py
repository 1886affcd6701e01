"""A job on its way, as its client follows it: live events, previews, checkpoints, resume."""

import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.conftest import ENDLESS, SHORT, Client
from tests.points import digits, npy, three_blobs
from tests.receiver import receiver

LONG = {"iterations": 15, "pretraining_epochs": 60, "epochs": 60, "estimator_epochs": 20}
STREAM = {"Accept": "text/event-stream"}
KEY = base64.b64encode(b"k" * 32).decode()


def told(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, as they come."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            event: dict[str, Any] = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (event["id"], event["type"])
            yield event
            fields = {}


def test_a_resumed_job_comes_to_the_same_model(client: Client) -> None:
    """Followed, cancelled, resumed, followed again to its end."""
    undisturbed = client.train(three_blobs()[0], 3, **LONG)
    job = client.submit(undisturbed["dataset"], 3, config=LONG)["id"]
    path = f"/jobs/{job}/events"
    with ExitStack() as stack:
        streams = [
            stack.enter_context(client.http.stream("GET", path, headers=STREAM))
            for _ in range(60)  # a thread each would leave none for requests
        ]
        live = told(streams[0])
        begun = [next(live)["message"] for _ in range(4)]
        assert begun == ["queued", "running", *(f"iteration {i} of 15" for i in (1, 2))]
        client.http.post(f"/jobs/{job}/cancel").raise_for_status()
        *_, last = live
        assert last["data"]["status"] == "cancelled"
        assert all([*told(stream)][-1] == last for stream in streams[1:])

    done = client.get(f"/jobs/{job}")["progress"]["iteration"]
    left = client.get(f"/jobs/{job}/checkpoints", limit=100)["data"]
    assert [c["iteration"] for c in left] == list(range(1, done + 1))
    assert [c["iteration"] for c in left if c["kept"]] == [done - 1, done]
    assert len({c["id"] for c in left}) == done
    assert all(len(c["sha256"]) == 64 and c["bytes"] > 1000 for c in left)

    resumed = client.http.post(f"/jobs/{job}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (202, "queued")
    with client.http.stream("GET", path, headers={**STREAM, "Last-Event-ID": last["id"]}) as rest:
        assert rest.headers["cache-control"] == "no-store"
        first, *_, last = told(rest)
    assert first["message"] == f"resumed; goes on after iteration {done}"
    assert last["data"]["status"] == "succeeded"
    finished = client.get(f"/jobs/{job}")
    assert finished["attempt"] == 2
    assert not any(c["kept"] for c in client.get(f"/jobs/{job}/checkpoints", limit=100)["data"])
    log = client.get(path, limit=100)["data"]
    iterations = [e["data"]["iteration"] for e in log if e["type"] == "metrics"]
    assert iterations == list(range(1, LONG["iterations"] + 1))  # none twice: it did go on
    assert all(e["data"]["log_likelihood"] < 0 for e in log if e["type"] == "metrics")
    models = [undisturbed["model"], finished["model"]]
    assert len({client.sample(model=model, n=50, seed=1).tobytes() for model in models}) == 1
    kept = [client.get(f"/models/{model}") for model in models]
    assert all(kept[0][same] == kept[1][same] for same in ("alpha", "sizes", "metrics"))

    refused = client.http.post(f"/jobs/{job}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_resumable")
    told_all = client.http.get(path, headers={**STREAM, "Last-Event-ID": last["id"]})
    assert (told_all.status_code, told_all.content) == (204, b"")
    assert client.http.get(path, headers={"Last-Event-ID": "x"}).status_code == 422
    assert client.http.get(path, headers={"Accept": "text/html"}).status_code == 406


def test_previews_of_digits(client: Client) -> None:
    job = client.train(digits()[0], 10, pretraining_epochs=5, epochs=5, estimator_epochs=5)["id"]
    path = f"/jobs/{job}/preview"
    last, first = client.http.get(path), client.http.get(path, params={"iteration": 1})
    assert last.headers["content-type"] == "image/png"
    assert (last.headers["kvae-iteration"], first.headers["kvae-iteration"]) == ("2", "1")
    width, height = Image.open(io.BytesIO(last.content)).size
    assert height > width > 400
    assert last.content != first.content
    assert "immutable" in first.headers["cache-control"]
    assert "no-cache" in last.headers["cache-control"]
    same = client.http.get(path, headers={"If-None-Match": last.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    missing = client.http.get(path, params={"iteration": 3})
    assert (missing.status_code, missing.json()["code"]) == (404, "preview_not_found")


def test_a_webhook_is_told(client: Client) -> None:
    """Of a job that is cancelled before it has a preview, and came as a form."""
    with receiver() as server:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        hook = {"url": url, "secret": f"whsec_{KEY}"}
        form = {"components": "3", "config": '{"iterations": 100}', "webhook": json.dumps(hook)}
        job = client.http.post("/jobs", files={"file": npy(three_blobs()[0])}, data=form).json()
        assert job["webhook_url"] == url
        assert KEY not in json.dumps(job)
        missing = client.http.get(f"/jobs/{job['id']}/preview")
        assert (missing.status_code, missing.json()["code"]) == (404, "preview_not_found")
        assert "its first iteration is not done" in missing.json()["detail"]
        client.http.post(f"/jobs/{job['id']}/cancel").raise_for_status()
        client.wait(job["id"], "cancelled")
        deadline = time.monotonic() + 60
        path = f"/jobs/{job['id']}/deliveries"
        while (sent := client.get(path)["data"][0])["status"] == "pending":
            assert time.monotonic() < deadline, sent
            time.sleep(0.05)
    assert (sent["status"], sent["last_status"], sent["type"]) == (
        "delivered",
        204,
        "job.cancelled",
    )
    headers, body = server.got[0]
    assert sent["id"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(b"k" * 32, signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    message = json.loads(body)
    assert message["type"] == "job.cancelled"
    assert message["data"] == client.get(f"/jobs/{job['id']}")


@pytest.mark.parametrize(
    ("hook", "loc"),
    [
        ({"url": "ftp://example.org"}, ["url"]),
        ({"url": "https://me:you@example.org"}, ["url"]),
        ({"url": "https://example.org", "secret": "short"}, ["secret"]),
        ({"secret": f"whsec_{KEY}"}, ["url"]),
    ],
)
def test_webhooks_that_will_never_do(client: Client, hook: dict[str, str], loc: list[str]) -> None:
    dataset = client.get("/datasets", limit=1)["data"][0]["id"]
    body = {"dataset": dataset, "components": 2, "webhook": hook}
    problem = client.http.post("/jobs", json=body).json()
    assert problem["status"] == 422
    assert problem["errors"][0]["loc"] == ["body", "webhook", *loc]


def test_the_same_key_gives_the_same_job(client: Client) -> None:
    def jobs_there() -> list[str]:
        return [job["id"] for job in client.get("/jobs", limit=100)["data"]]

    body = {"dataset": client.upload(three_blobs()[0])["id"], "components": 3, "config": SHORT}
    before = len(jobs_there())
    headers = {"Idempotency-Key": "5f0b3c"}
    wrong = client.http.post("/jobs", json={**body, "components": 0}, headers=headers)
    assert wrong.status_code == 422  # and has not used the key up
    first, again = (client.http.post("/jobs", json=body, headers=headers) for _ in range(2))
    assert again.content == first.content
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"] == f"/jobs/{first.json()['id']}"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = client.http.post("/jobs", json={**body, "seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(jobs_there()) == before + 1
    unusable = client.http.post("/jobs", json=body, headers={"Idempotency-Key": "a b"})
    assert unusable.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_same_key_cancels_and_resumes_once(client: Client) -> None:
    body = {"dataset": client.upload(three_blobs()[0])["id"], "components": 3, "config": ENDLESS}
    job = client.http.post("/jobs", json=body).json()["id"]
    for change, status in (("cancel", 200), ("resume", 202)):
        headers = {"Idempotency-Key": change}
        url = f"/jobs/{job}/{change}"
        done, again = (client.http.post(url, headers=headers) for _ in range(2))
        assert (done.status_code, again.status_code) == (status, status)
        assert done.content == again.content
        assert "Location" not in again.headers
        if change == "cancel":
            client.wait(job, "cancelled")
    client.http.post(f"/jobs/{job}/cancel")
    client.wait(job, "cancelled")


def test_the_same_key_with_a_file(client: Client) -> None:
    """However a client draws the boundary of its form."""
    form = {"components": "3", "config": json.dumps(SHORT), "name": "idempotent"}
    headers = {"Idempotency-Key": "with-a-file"}
    answers = [
        client.http.post("/jobs", files={"file": ("p.npy", file)}, data=form, headers=headers)
        for file in (npy(three_blobs()[0]), npy(three_blobs()[0]), npy(three_blobs(200)[0]))
    ]
    assert [a.status_code for a in answers] == [202, 202, 422]
    assert answers[0].content == answers[1].content
    headers = {"Idempotency-Key": "a-data-set"}
    uploads = [
        client.http.post("/datasets", content=b"a,b\n8,9\n7,6\n", headers=headers) for _ in range(2)
    ]
    assert [u.status_code for u in uploads] == [201, 201]
    assert uploads[0].content == uploads[1].content


def test_the_bounds_of_config_are_in_the_document(client: Client) -> None:
    document = client.get("/openapi.json")
    assert document["webhooks"]["job.ended"]["post"]["requestBody"]
    schemas = document["components"]["schemas"]
    options = schemas["TrainingOptions"]["properties"]
    assert (options["iterations"]["minimum"], options["iterations"]["maximum"]) == (1, 10_000)
    assert options["learning_rate"]["exclusiveMinimum"] == 0
    assert "kmeans" in options["initial_partition"]["enum"]
    assert schemas["JobCreate"]["properties"]["config"]["$ref"].endswith("/TrainingOptions")
    assert schemas["Webhook"]["properties"]["url"]["maxLength"] == 2000
