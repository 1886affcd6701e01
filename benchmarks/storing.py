"""How fast and how small a model's assignments are stored, on SQLite and PostgreSQL.

`python -m benchmarks.storing [--points N] [--json FILE]`: some seconds. The bars are 5 seconds and
8 bytes a point beside the index, for a million points in one transaction.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import text

from service import assignments
from service.database import Database, migrate
from service.tables import AliasRow, ModelRow
from tests.servers import postgres_server

COMPONENTS, RARE = 16, 15  # the last of them has ten points, all late
MAX_SECONDS, MAX_BYTES = 5, 8
SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables",
}


def measure(url: str, points: int) -> dict[str, Any]:
    """Store the assignments of ``points`` points in a fresh database, and read a late page."""
    migrate(url)
    database = Database(url)
    rng = np.random.default_rng(0)
    partition = rng.integers(RARE, size=points)
    partition[-10:] = RARE
    shares = {name: rng.random(points, np.float32) for name in ("confidence", "outlier_score")}
    before = size(database)
    started = perf_counter()
    with database.write() as session:
        model = blank_model(points)
        session.add_all([model, AliasRow(name="default", model_id=model.id, pinned=False)])
        session.flush()
        source = assignments.of_model(model)
        assignments.store(session, source, partition, shares)
    stored = perf_counter() - started
    started = perf_counter()
    with database.read() as session:
        page = assignments.page(session, source, RARE, points - 5, 20)
    paged = perf_counter() - started
    assert [row.row for row in page.data] == list(range(points - 4, points))  # noqa: S101
    bytes_a_point = (size(database) - before) / points
    database.close()
    return {
        "seconds": stored,
        "bytes_a_point": bytes_a_point,
        "late_page_of_a_rare_component_seconds": paged,
        "reached": stored <= MAX_SECONDS and bytes_a_point < MAX_BYTES,
    }


def blank_model(points: int) -> ModelRow:
    return ModelRow(
        id="mdl_",
        name="",
        weights_bytes=0,
        shape=[1],
        columns=[],
        alpha=[],
        sizes=[points],
        metrics={},
        config={},
        provenance={"source": "trained"},
        whole=[],
    )


def size(database: Database) -> int:
    """Bytes of all tables with their indices."""
    with database.read() as session:
        return int(session.scalar(text(SIZES[database.engine.dialect.name])) or 0)


def main() -> None:
    """Print a line a database."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, postgres_server() as server:
        urls = {
            "SQLite": f"sqlite:///{folder}/storing.db",
            "PostgreSQL": server.replace("postgresql:", "postgresql+psycopg:"),
        }
        figures = {name: measure(url, arguments.points) for name, url in urls.items()}
    for name, found in figures.items():
        print(
            f"{name:<12}{found['seconds']:.2f} s (at most {MAX_SECONDS}), "
            f"{found['bytes_a_point']:.2f} bytes a point (less than {MAX_BYTES}, index and all), "
            f"late page of a rare component {found['late_page_of_a_rare_component_seconds']:.4f} s"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"points": arguments.points, **figures}, indent=2))


if __name__ == "__main__":
    main()
