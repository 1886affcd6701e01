"""Memory and time that the API process needs to take a large CSV file in.

`python -m benchmarks.ingest --megabytes 1000 --json FILE` writes a table with numbers, integers,
booleans, a category and gaps, and uploads it to a service of its own with every choice on: medians
for the gaps, 0/1 columns for the category.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.peak import PeakMemory
from service.embedded import embedded_stack

ROWS = 50_000  # written at once
NUMBERS = 12
CITIES = np.array(["Bern", "Oslo", "Rome", "Turku", "Vaduz"])
PATH = "/datasets?missing=median&categories=onehot"


@dataclass(frozen=True)
class Figures:
    """MiB of the API process: all that is resident, and what is no file of the system."""

    megabytes: float
    rows: int
    seconds: float
    resident_before: float
    resident_peak: float
    anonymous_before: float
    anonymous_peak: float


def write_table(path: Path, size: int) -> None:
    """A CSV file of at least this many bytes."""
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        while file.tell() < size:
            header = csv.WriteOptions(include_header=file.tell() == 0)
            csv.write_csv(_rows(random), file, header)


def measure(folder: Path, megabytes: float) -> Figures:
    """Upload a table of this size to a service that is started for it."""
    path = folder / "table.csv"
    write_table(path, int(megabytes * 1e6))
    os.environ["KVAE_MAX_BODY_BYTES"] = str(path.stat().st_size)
    with embedded_stack(folder / "service", 0) as stack:
        pid = next(c.process.pid for c in stack.children if c.name == "api" and c.process)
        start = time.perf_counter()
        with PeakMemory(pid) as memory:
            dataset = _upload(stack.address, path)
        seconds = time.perf_counter() - start
    before, peak = memory.before.tolist(), memory.peak.tolist()
    return Figures(
        megabytes=path.stat().st_size / 1e6,
        rows=dataset["rows"],
        seconds=seconds,
        resident_before=before[0],
        resident_peak=peak[0],
        anonymous_before=before[1],
        anonymous_peak=peak[1],
    )


def _rows(random: np.random.Generator) -> pa.Table:
    columns: dict[str, Any] = {f"x{i}": random.normal(size=ROWS) for i in range(NUMBERS)}
    columns["count"] = random.integers(1_000, size=ROWS)
    columns["is_new"] = random.random(ROWS) < 0.5
    columns["city"] = random.choice(CITIES, ROWS)
    columns["rate"] = pa.array(random.random(ROWS), mask=random.random(ROWS) < 0.1)
    return pa.table(columns)


def _upload(address: str, path: Path) -> dict[str, Any]:
    connection = HTTPConnection(urlsplit(address).netloc)
    with path.open("rb") as file:
        connection.request("POST", PATH, file, {"Content-Length": str(path.stat().st_size)})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    connection.close()
    if response.status != 201:
        raise SystemExit(f"refused: {answer}")
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kvae-ingest-") as folder:
        figures = json.dumps(asdict(measure(Path(folder), arguments.megabytes)), indent=2)
    print(figures)
    if arguments.json:
        arguments.json.write_text(figures + "\n")


if __name__ == "__main__":
    main()
