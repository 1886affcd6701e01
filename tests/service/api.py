"""The API alone, on a socket, with models that were published without a worker."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from api_schemas.datasets import Column
from service import jobs, models
from service.app import create_app
from service.database import Database, migrate
from service.settings import Settings
from tests.servers import free_port, wait_for
from tests.service import rows
from trainer import Fit


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[str, Database]]:
    """Yields the address of a server in this process, and its database."""
    url = f"sqlite:///{folder / 'kvae.db'}"
    migrate(url)
    settings = Settings(
        _env_file=None,
        database_url=url,
        storage_path=folder / "blobs",
        broker_url=f"redis+socket://{folder / 'none'}",
        sweep_seconds=3600,
    )
    config = uvicorn.Config(create_app(settings), port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    database = Database(url)
    try:
        address = f"http://127.0.0.1:{config.port}"
        wait_for(lambda: httpx.get(f"{address}/healthz").raise_for_status(), httpx.HTTPError)
        yield address, database
    finally:
        database.close()
        server.should_exit = True
        thread.join()


def publish(database: Database, fit: Fit, columns: Sequence[Column]) -> str:
    """The id of a new model that was trained on a data set of these columns."""
    with database.write() as session:
        job = rows.job(session, fit.mixture.components)
        job.dataset.columns = [column.model_dump() for column in columns]
        job_id = job.id
    with database.write() as session:
        claim = jobs.claim(session, job_id, 60)
    assert claim
    with database.write() as session:
        jobs.record_iteration(session, claim, 1, "a" * 64, {"changed": 0.5})
        return models.publish(session, claim, fit.mixture, fit.partition)
