"""The API alone, on a socket, with models that were published without a worker."""

import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import uvicorn
from numpy.typing import NDArray
from PIL import Image

from api_schemas.datasets import Column
from service import answers, leases, media, models
from service.app import create_app
from service.database import Database, migrate
from service.settings import Settings
from tests.servers import free_port, wait_for
from tests.service import rows
from tests.service.fits import bare_summary
from trainer import Fit

COLUMNS = [
    Column(name="price", type="number"),
    Column(name="rooms", type="integer"),
    Column(name="garden", type="boolean"),
    Column(name="colour", type="category", categories=["blue", "red", "sea green"]),
    Column(name="age", type="number", fill=30.0),
]


@dataclass(frozen=True)
class Served:
    """A running API and the models in it, by name: their ids and what was trained."""

    http: httpx.Client
    ids: dict[str, str]
    fits: dict[str, Fit]

    def assign(
        self, model: str, body: bytes, content_type: str, accept: str = media.NPY, **query: Any
    ) -> httpx.Response:
        headers = {"Content-Type": content_type, "Accept": accept}
        query["model"] = self.ids[model]
        response = self.http.post("/assign", params=query, content=body, headers=headers)
        assert response.is_success, response.text
        assert response.headers["content-type"].split(";")[0] == accept
        return response

    def sample(self, model: str, accept: str, **query: Any) -> httpx.Response:
        query["model"] = self.ids[model]
        response = self.http.get("/sample", params=query, headers={"Accept": accept})
        assert response.is_success, response.text
        return response


@contextmanager
def api_server(folder: Path, **changed: Any) -> Iterator[tuple[str, Database]]:
    """Yields the address of a server in this process, and its database."""
    alone = {
        "database_url": f"sqlite:///{folder / 'kvae.db'}",
        "storage_url": str(folder / "blobs"),
        "broker_url": f"redis+socket://{folder / 'none'}",
        "sweep_seconds": 3600,
    }
    settings = Settings(_env_file=None, **{**alone, **changed})
    url = settings.database_url
    migrate(url)
    config = uvicorn.Config(create_app(settings), port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
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
        claim = leases.claim(session, job_id, 60)
    assert claim
    with database.write() as session:
        leases.record_iteration(session, claim, 1, {"changed": 0.5})
        return models.publish(session, claim, fit.mixture, bare_summary(fit), "1+abc")


def homes(n: int = 90) -> pa.Table:
    """Rows of every type of column."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, n)
    return pa.table(
        {
            "price": kind * 9 + rng.normal(size=n),
            "rooms": kind * 3 + rng.integers(1, 3, n),
            "garden": kind == 1,
            "colour": [("blue", "red", "sea green")[k] for k in kind],
            "age": 30 + rng.normal(size=n),
        }
    )


def written(table: pa.Table, media_type: str) -> bytes:
    buffer = io.BytesIO()
    with answers.TABLE_WRITERS[media_type](buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def picture(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
