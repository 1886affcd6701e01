"""Servers and databases that the tests share."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from shutil import copyfile

import psycopg
import pytest
import torch

from service.database import Database, migrate
from service.processes import die_with_parent
from tests.servers import S3_CREDENTIALS, postgres_server, s3_server

NewDatabase = Callable[[str], AbstractContextManager[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How far the tests of `tests/faults` go, and what those of `tests/e2e` run against."""
    parser.addoption("--fault-runs", type=int, default=0, help="processes killed at random times")
    parser.addoption("--seed", type=int, help="repeat one of these")
    parser.addoption("--machines", action="store_true", help="two, with PostgreSQL and S3")


def pytest_configure() -> None:
    """End with make, also when that is killed."""
    if "MAKELEVEL" in os.environ:
        die_with_parent(os.getppid(), signal.SIGTERM)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The networks of the tests are small: threads would only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewDatabase]:
    """Makes PostgreSQL databases, each a copy of the one named, for as long as they are used."""
    numbers = count()
    with postgres_server() as url:

        def execute(command: str) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(command.encode())

        @contextmanager
        def new_database(template: str) -> Iterator[str]:
            name = f"test_{next(numbers)}"
            execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            yield f"{url.rsplit('/', 1)[0]}/{name}".replace("postgresql:", "postgresql+psycopg:")
            execute(f"DROP DATABASE {name} WITH (FORCE)")

        yield new_database


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a bucket on an S3-compatible server, whose credentials are in the environment."""
    with pytest.MonkeyPatch.context() as environment, s3_server() as url:
        for name, value in S3_CREDENTIALS.items():
            environment.setenv(name, value)
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database as the migrations build it, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "test.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: NewDatabase) -> Iterator[str]:
    """The name of a PostgreSQL database as the migrations build it."""
    with postgres("template1") as url:
        migrate(url)
        yield url.rsplit("/", 1)[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    new_database: NewDatabase = request.getfixturevalue("postgres")
    with new_database("template1") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of each kind, as the migrations build it."""
    if request.param == "sqlite":
        path = copyfile(request.getfixturevalue("migrated_file"), tmp_path / "test.db")
        yield from _opened(f"sqlite:///{path}")
        return
    new_database: NewDatabase = request.getfixturevalue("postgres")
    with new_database(request.getfixturevalue("migrated_template")) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets, where KVAE_DATA says that they are."""
    folder = os.environ.get("KVAE_DATA")
    if not folder:
        pytest.skip("KVAE_DATA names no folder of data sets")
    return Path(folder)
