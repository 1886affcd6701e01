"""A service with keys: who may call what, and what operating it shows."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ENVIRONMENT, Client
from tests.points import npy, three_blobs
from tests.servers import embedded_service, wait_for
from tests.traces import TraceReceiver, trace_receiver

ORIGIN = "https://app.example"
OPEN = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
READS = ("/assign", "/v2/")
INFER = {"inputs": [{"name": "points", "shape": [1, 2], "datatype": "FP64", "data": [0, 0]}]}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass(frozen=True)
class Guarded:
    """The service, its keys by name, and what alice has there."""

    address: str
    folder: Path
    keys: dict[str, str]
    things: dict[str, str]
    traces: TraceReceiver

    def ask(self, method: str, path: str, key: str | None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {})}
        if key:
            headers["Authorization"] = f"Bearer {self.keys[key]}"
        return httpx.request(method, self.address + path, headers=headers, timeout=60, **options)

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        document = httpx.get(f"{self.address}/openapi.json").json()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield method, path, operation

    def log(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder / "logs" / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged_request(self, request_id: str) -> dict[str, Any]:
        """Its line, which is written after the answer."""

        def written() -> dict[str, Any]:
            (line,) = (
                line
                for line in self.log("api")
                if line["event"] == "request" and line["request_id"] == request_id
            )
            return line

        wait_for(written, ValueError)
        return written()


def create_key(folder: Path, name: str, role: str, *options: str) -> str:
    command = [sys.executable, "-m", "service", "keys", "create", "--folder", str(folder)]
    command += ["--name", name, "--role", role, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    keys = {
        "alice": create_key(folder, "alice", "write", "--new-owner", "alice", "--max-jobs", "1"),
        "reader": create_key(folder, "alice's reader", "read", "--owner", "alice"),
        "bob": create_key(folder, "bob", "write", "--max-bytes", "10"),
        "admin": create_key(folder, "admin", "admin"),
    }
    with trace_receiver() as traces:
        environment = {
            **ENVIRONMENT,
            "KVAE_LOG_FORMAT": "json",
            "KVAE_CORS_ORIGINS": ORIGIN,
            "KVAE_BODY_SECONDS": "2",
            "KVAE_RATE_LIMIT": "1000",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.address,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with embedded_service(folder, environment) as (address, _):
            headers = {
                "Authorization": f"Bearer {keys['alice']}",
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            }
            with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
                job = Client(http).train(three_blobs()[0], 3)
            things = {"job_id": job["id"], "dataset_id": job["dataset"], "ref": job["model"]}
            yield Guarded(address, folder, keys, things, traces)


def filled(guarded: Guarded, path: str) -> str:
    """A path with alice's ids in it."""
    name = guarded.things["ref"] if path.startswith("/v2/") else "0"
    version = guarded.things["ref"]
    return path.format_map({"name": name, "version": version, "component": "0", **guarded.things})


def test_every_route_but_health_needs_a_key(guarded: Guarded) -> None:
    for method, path, operation in guarded.operations():
        response = guarded.ask(method, filled(guarded, path), None)
        if path in OPEN:
            assert response.status_code != 401, path
            assert "security" not in operation, path
            continue
        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "this needs a key" in response.text
        assert {"401", "403", "429"} <= operation["responses"].keys()
        assert operation["security"] == [{"HTTPBearer": []}]


def test_no_body_is_waited_for_before_the_key(guarded: Guarded) -> None:
    url = httpx.URL(guarded.address)
    for method, path, operation in guarded.operations():
        if "requestBody" not in operation:
            continue
        with socket.create_connection((url.host, url.port or 80)) as client:
            client.sendall(
                f"{method.upper()} {filled(guarded, path)} HTTP/1.1\r\nHost: {url.host}\r\n"
                "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode()
            )
            assert client.recv(12) == b"HTTP/1.1 401", (method, path)


def test_a_reading_key_writes_nothing(guarded: Guarded) -> None:
    for method, path, _ in guarded.operations():
        if path.endswith("/export"):
            continue  # it takes seconds, and is a GET like the others
        response = guarded.ask(method, filled(guarded, path), "reader")
        refused = response.status_code == 403
        assert refused == (method != "get" and not path.startswith(READS)), (method, path)
        assert not refused or response.json()["code"] == "role_too_low"
    stored = {"dataset": guarded.things["dataset_id"], "model": guarded.things["ref"]}
    for key, status in (("reader", 403), ("bob", 404)):
        assert guarded.ask("POST", "/assign", key, params=stored).status_code == status


def test_what_is_anothers_is_not_found(guarded: Guarded) -> None:
    dataset, model = guarded.things["dataset_id"], guarded.things["ref"]
    bodies: dict[str, dict[str, Any]] = {
        "/jobs": {"json": {"dataset": dataset, "components": 2}},
        "/assign": {"json": {"points": [[0, 0]]}, "params": {"model": model}},
        "/sample": {"params": {"model": model}},
        "/aliases/{name}": {"json": {"model": model}},
        "/models/{ref}/comparison": {"params": {"other": model}},
        "/v2/models/{name}/infer": {"json": INFER},
        "/v2/models/{name}/versions/{version}/infer": {"json": INFER},
    }
    for method, path, _ in guarded.operations():
        if "{" in path or (path in bodies and (method, path) != ("get", "/jobs")):
            response = guarded.ask(method, filled(guarded, path), "bob", **bodies.get(path, {}))
            assert response.status_code == 404, (method, path, response.text)
    for path in ("/datasets", "/jobs", "/models", "/aliases"):
        for key in guarded.keys:
            seen = key != "bob" and (key, path) != ("admin", "/aliases")
            assert len(guarded.ask("GET", path, key).json()["data"]) == seen, (key, path)


def test_default_is_the_owners_own(guarded: Guarded) -> None:
    for key, status in (("alice", 200), ("reader", 200), ("bob", 404), ("admin", 404)):
        assert guarded.ask("GET", "/sample?n=1", key).status_code == status, key


def test_quotas(guarded: Guarded) -> None:
    refused = guarded.ask("POST", "/datasets", "bob", content=npy(three_blobs()[0]))
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "quota 'bytes'" in refused.json()["detail"]
    assert guarded.ask("GET", "/datasets", "bob").json()["data"] == []
    body = {"dataset": guarded.things["dataset_id"], "components": 2, "config": {"iterations": 99}}
    first = guarded.ask("POST", "/jobs", "alice", json=body)
    second = guarded.ask("POST", "/jobs", "alice", json=body)
    guarded.ask("POST", f"/jobs/{first.json()['id']}/cancel", "admin")
    assert (first.status_code, second.status_code) == (202, 429)
    assert second.headers["Retry-After"] == "10"


def test_a_revoked_key_ends(guarded: Guarded) -> None:
    token = create_key(guarded.folder, "short", "read")
    guarded.keys["short"] = token
    assert guarded.ask("GET", "/jobs", "short").status_code == 200
    command = [sys.executable, "-m", "service", "keys"]
    folder = ["--folder", str(guarded.folder)]
    subprocess.run([*command, "revoke", *folder, f"key_{token.split('_')[1]}"], check=True)
    listed = subprocess.run([*command, "list", *folder], capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == 1 + len(guarded.keys)
    assert not any(token in listed for token in guarded.keys.values())
    while (response := guarded.ask("GET", "/jobs", "short")).status_code == 200:
        time.sleep(0.1)
    assert response.json()["code"] == "key_invalid"


def test_rate_limit_headers(guarded: Guarded) -> None:
    headers = guarded.ask("GET", "/jobs", "alice").headers
    assert headers["RateLimit-Policy"] == '"requests";q=1000;w=1'
    assert headers["RateLimit"].startswith('"requests";r=99')


def test_other_origins_are_let_in_by_name_only(guarded: Guarded) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        asked = guarded.ask("OPTIONS", "/assign", None, headers=preflight)
        answered = guarded.ask("GET", "/jobs", "alice", headers={"Origin": origin})
        for response in (asked, answered):
            assert response.headers.get("Access-Control-Allow-Origin") == allowed


def test_a_body_that_trickles_is_cut_off(guarded: Guarded) -> None:
    url = httpx.URL(guarded.address)
    with socket.create_connection((url.host, url.port or 80)) as client:
        client.sendall(
            f"POST /datasets HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 1000\r\n"
            f"Authorization: Bearer {guarded.keys['alice']}\r\n\r\nx,y\n".encode()
        )
        answer = client.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 408")
    assert '"code":"body_too_slow"' in answer
    assert len(guarded.ask("GET", "/datasets", "alice").json()["data"]) == 1


def test_logs_tell_what_happened_and_no_secret(guarded: Guarded) -> None:
    secret = "whsec_5ecret"  # noqa: S105
    token = guarded.keys["alice"]
    body = {"webhook": {"url": f"https://x:{secret}@example.com", "secret": secret}}
    for query in ("", f"?key={token}&secret={secret}"):
        refused = guarded.ask("POST", f"/jobs{query}", "alice", json=body)
        assert refused.status_code == 422
        assert secret not in refused.text
    answer = guarded.ask("GET", f"/jobs/{token}?secret={secret}", "alice")
    request_id = answer.headers["X-Request-ID"]
    line = guarded.logged_request(request_id)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/jobs/{job_id}", 422)
    assert line["key"] == f"key_{token.split('_')[1]}"
    assert line["ms"] > 0
    of_job = [line for line in guarded.log("worker") if "job_id" in line]
    assert [line["event"] for line in of_job[:2]] == ["job begins", "job ends"]
    assert (of_job[0]["job_id"], of_job[0]["attempt"]) == (guarded.things["job_id"], 1)
    everything = "".join(path.read_text() for path in (guarded.folder / "logs").iterdir())
    assert secret not in everything
    for token in guarded.keys.values():
        assert token not in everything
        assert token.split("_", 2)[2] not in everything


def test_metrics(guarded: Guarded) -> None:
    guarded.ask("POST", "/assign", "reader", json={"points": [[0, 0]] * 7})
    guarded.ask("POST", "/v2/models/default/infer", "reader", json=INFER)
    text = guarded.ask("GET", "/metrics", "reader").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(figures["kvae_assigned_rows_total"]) >= 8
    assert float(figures['kvae_jobs{status="succeeded"}']) == 1
    assert float(figures["kvae_worker_age_seconds"]) < 60
    assert float(figures["kvae_model_cache_bytes"]) > 0
    assert float(figures["kvae_model_cache_misses_total"]) == 1
    assert float(figures["kvae_sweeps_total"]) > 1
    for phase in ("waiting", "iterations", "around"):
        assert float(figures[f'kvae_job_seconds_count{{phase="{phase}"}}']) >= 1
    name = 'kvae_request_seconds_count{method="POST",route="/assign",status="200"}'
    assert float(figures[name]) >= 1


def test_a_trace_leads_from_the_request_to_the_worker(guarded: Guarded) -> None:
    expected = {
        ("kvae-api", "POST /jobs"),
        ("kvae-api", "INSERT"),
        ("kvae-api", "apply_async/kvae.train"),
        ("kvae-worker", "run/kvae.train"),
    }
    deadline = time.monotonic() + 60
    while not expected <= guarded.traces.of(TRACE):
        assert time.monotonic() < deadline, guarded.traces.of(TRACE)
        time.sleep(0.1)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "kvae.example"},  # by a proxy, or a name that was made to mean this machine
        {"X-Forwarded-For": "10.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"Via": "1.1 proxy"},
        {"Sec-Fetch-Site": "cross-site"},  # by a page of somebody else
    ],
)
def test_without_keys_only_this_machine_is_answered(
    client: Client, headers: dict[str, str]
) -> None:
    response = client.http.get("/jobs", headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "no_keys_yet")
    assert client.http.get("/healthz", headers=headers).status_code == 200


def test_without_keys_only_loopback_is_bound(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "up", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: without a key only this machine can be served")
