"""Servers and databases that the tests share."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import torch

from service.database import Database, migrate
from service.processes import die_with_parent
from tests.servers import S3_CREDENTIALS, postgres_server, s3_server

NewDatabase = Callable[[], str]


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
    """Makes empty PostgreSQL databases; returns SQLAlchemy URLs."""
    numbers = count()
    with postgres_server() as url:

        def new_database() -> str:
            name = f"test_{next(numbers)}"
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            base, _ = url.rsplit("/", 1)
            return f"{base}/{name}".replace("postgresql:", "postgresql+psycopg:")

        yield new_database


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a bucket on an S3-compatible server, whose credentials are in the environment."""
    with pytest.MonkeyPatch.context() as environment, s3_server() as url:
        for name, value in S3_CREDENTIALS.items():
            environment.setenv(name, value)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    new_database: NewDatabase = request.getfixturevalue("postgres")
    return new_database()


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    """A database of each kind, built by the migrations."""
    migrate(empty_database_url)
    database = Database(empty_database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets, where KVAE_DATA says that they are."""
    folder = os.environ.get("KVAE_DATA")
    if not folder:
        pytest.skip("KVAE_DATA names no folder of data sets")
    return Path(folder)
