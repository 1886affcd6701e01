"""The running service, as a client sees it."""

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from tests.browser import Tab, chromium, tab
from tests.conftest import NewDatabase
from tests.points import npy
from tests.proxy import Proxy
from tests.servers import broker_server, embedded_service, service_processes

NPY = "application/x-npy"
SHORT = {"iterations": 2, "pretraining_epochs": 60, "epochs": 15, "estimator_epochs": 60}
# for minutes, of steps that are too few to be compiled first
ENDLESS = {"iterations": 5000, "pretraining_epochs": 5, "epochs": 5, "estimator_epochs": 5}
MAX_BODY, MAX_JSON = 4 << 20, 1 << 20
ENVIRONMENT = {
    "KVAE_LEASE_SECONDS": "3",
    "KVAE_SWEEP_SECONDS": "0.5",
    "KVAE_WEBHOOK_ALLOW_PRIVATE": "true",
    "KVAE_MAX_BODY_BYTES": str(MAX_BODY),
    "KVAE_MAX_JSON_BYTES": str(MAX_JSON),
}


def from_npy(response: httpx.Response) -> NDArray[Any]:
    assert response.headers["content-type"] == NPY, response.text
    array: NDArray[Any] = np.load(io.BytesIO(response.content))
    return array


@dataclass(frozen=True)
class Client:
    """What the tests do over and over."""

    http: httpx.Client

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        response = self.http.get(path, params=query)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def upload(self, points: NDArray[Any]) -> dict[str, Any]:
        response = self.http.post("/datasets", content=npy(points))
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def submit(self, dataset: str, components: int, **fields: Any) -> dict[str, Any]:
        body = {"dataset": dataset, "components": components, **fields}
        response = self.http.post("/jobs", json=body)
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def wait(self, job: str, status: str = "succeeded", seconds: float = 120) -> dict[str, Any]:
        """The job, once it has this status or has ended."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get(f"/jobs/{job}")
            if found["status"] in (status, "succeeded", "failed", "cancelled"):
                assert found["status"] == status, found
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def train(self, points: NDArray[Any], components: int, **config: Any) -> dict[str, Any]:
        """The finished job."""
        dataset = self.upload(points)
        job = self.submit(dataset["id"], components, config={**SHORT, **config})
        return self.wait(job["id"])

    def assign(self, points: NDArray[Any], model: str = "default") -> NDArray[Any]:
        headers = {"Content-Type": NPY, "Accept": NPY}
        return from_npy(
            self.http.post("/assign", params={"model": model}, content=npy(points), headers=headers)
        )

    def sample(self, **query: Any) -> NDArray[Any]:
        return from_npy(self.http.get("/sample", params=query, headers={"Accept": NPY}))


Machine = Callable[[str], AbstractContextManager[str]]
Cluster = Callable[[], AbstractContextManager[Machine]]


@pytest.fixture(scope="session")
def cluster(
    s3: str,
    postgres: NewDatabase,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Cluster:
    """Starts PostgreSQL, broker and bucket, which are all that machines share; yields what starts
    a machine of this name, with an API and a worker, and yields its address."""

    numbers = count()

    @contextmanager
    def start() -> Iterator[Machine]:
        blobs = s3.replace("/blobs", f"/cluster-{next(numbers)}")
        with postgres(migrated_template) as database, broker_server() as broker:

            def machine(name: str) -> AbstractContextManager[str]:
                folder = tmp_path_factory.mktemp(name)
                storage = {"KVAE_STORAGE_URL": blobs, "KVAE_CACHE_PATH": str(folder / "cache")}
                return service_processes(folder, database, broker, {**ENVIRONMENT, **storage})

            yield machine

    return start


@contextmanager
def in_turns(addresses: list[str]) -> Iterator[str]:
    """An address behind which these get a connection each in turn."""
    urls = cycle([httpx.URL(address) for address in addresses])

    async def connect() -> Any:
        url = next(urls)
        return await asyncio.open_connection(url.host, url.port)

    proxy = Proxy(connect)
    with proxy.running():
        yield f"http://127.0.0.1:{proxy.port}"


@pytest.fixture(scope="session")
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Of an embedded stack that all tests share, or with --machines of two machines."""
    if not request.config.getoption("machines"):
        with embedded_service(tmp_path_factory.mktemp("stack"), ENVIRONMENT) as (address, _):
            yield address
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with (
        cluster() as machine,
        machine("first") as first,
        machine("second") as second,
        in_turns([first, second]) as address,
    ):
        yield address


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[Client]:
    """A client of it."""
    with httpx.Client(base_url=address, timeout=60) as http:
        yield Client(http)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser: Browser, client: Client) -> Iterator[Tab]:
    """A tab that a module's tests share."""
    with tab(browser, str(client.http.base_url).rstrip("/")) as opened:
        yield opened
