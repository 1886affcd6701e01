"""Connections and threads: how many there are, and what waits for them."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api_schemas.datasets import Column
from service import database as database_module
from service.database import Database
from tests.servers import wait_for
from tests.service.api import api_server, publish
from tests.service.fits import fit_blobs

THREADS = 40  # of an API's requests


def ask(url: str, status: int) -> None:
    assert httpx.get(url, timeout=60).status_code == status


@pytest.fixture
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}
    monkeypatch.setattr(database_module, "POOL", pool)


@pytest.mark.usefixtures("one_connection")
def test_no_connection_is_held_while_another_is_waited_for(tmp_path: Path) -> None:
    columns = [Column(name=name, type="number") for name in "xy"]
    with api_server(tmp_path) as (address, database):
        model = publish(database, fit_blobs(), columns)
        component = f"{address}/models/{model}/components/0"
        wait_for(lambda: ask(component, 200), AssertionError)  # the sweeper needs the one as well


def test_no_request_waits_for_a_look_at_all_objects(tmp_path: Path) -> None:
    with api_server(tmp_path):
        assert gc.get_freeze_count() > 100_000
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("one_connection")
def test_connections_that_run_out_are_named(tmp_path: Path) -> None:
    with api_server(tmp_path) as (address, database):
        with ThreadPoolExecutor() as threads, database.write() as session:
            session.connection()  # from here on others wait to write
            waiting = threads.submit(httpx.delete, f"{address}/aliases/a", timeout=60)
            wait_for(lambda: ask(f"{address}/jobs", 503), AssertionError)
        assert waiting.result().status_code in (404, 503)  # the sweeper may have been before it
        wait_for(lambda: ask(f"{address}/jobs", 200), AssertionError)


def test_slow_calls_hold_up_neither_health_nor_refusals(tmp_path: Path) -> None:
    with (
        api_server(tmp_path) as (address, database),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        with ThreadPoolExecutor(THREADS) as threads, database.write() as session:
            session.connection()
            slow = [threads.submit(http.delete, "/aliases/a") for _ in range(THREADS)]
            time.sleep(1)
            for path, headers, status in (
                ("/healthz", {}, 200),
                ("/v2/health/live", {}, 200),
                ("/nowhere", {}, 404),
                ("/jobs", {"Authorization": "Bearer kvae_x_y"}, 401),
            ):
                assert http.get(path, headers=headers, timeout=15).status_code == status
            assert not any(call.done() for call in slow)
        assert {call.result().status_code for call in slow} == {404}


def test_a_silent_postgresql_is_given_up_in_seconds() -> None:
    url = "postgresql+psycopg://kvae@db/kvae?connect_timeout=9"
    query = Database(url).engine.url.query
    assert (query["connect_timeout"], query["tcp_user_timeout"]) == ("9", "10000")
