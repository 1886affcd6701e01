"""Small files that unpack to gigabytes: a problem that names it, and memory that stays flat."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest

from api_schemas.datasets import Column, FileOptions
from benchmarks.peak import PeakMemory
from service import media, turns
from service.batches import PointSpec, open_batch
from service.encoding import Encoding
from service.errors import Busy, InvalidInput, TooLarge
from tests.service.api import api_server
from tests.service.files import arrow_stream, long_text, parquet_file, zeros
from tests.service.test_ingest import read

FLAT = 256  # MiB
MAX_BYTES = 64 << 20
MEDIA_TYPES = {"parquet": media.PARQUET, "arrow": media.ARROW}
OUT_OF_MEMORY = "unpacking it takes over 1,073,741,824 bytes of memory"


@contextmanager
def flat() -> Iterator[None]:
    """The process takes no more memory in the block, or little."""
    with PeakMemory(os.getpid()) as memory:
        yield
    resident, _ = memory.peak - memory.before
    assert resident < FLAT


@pytest.fixture(scope="session", params=MEDIA_TYPES)
def packed(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """A kind of file, and one of zeros."""
    return request.param, zeros(request.param)


def assign(body: bytes, kind: str, columns: list[Column], folder: Path) -> None:
    """Read points to assign to the last."""
    path = folder / "body"
    path.write_bytes(body)
    encoding = Encoding(columns)
    spec = PointSpec((encoding.dimensions,), 1, encoding)
    for _ in open_batch(path, MEDIA_TYPES[kind], spec, FileOptions(), MAX_BYTES).pieces:
        pass


def test_zeros_are_not_uploaded(packed: tuple[str, bytes], tmp_path: Path) -> None:
    with flat(), pytest.raises(InvalidInput, match=OUT_OF_MEMORY):
        read(packed[1], tmp_path)


def test_zeros_are_not_assigned(packed: tuple[str, bytes], tmp_path: Path) -> None:
    columns = [Column(name=f"x{i}", type="number") for i in range(16)]
    with flat(), pytest.raises(InvalidInput, match=OUT_OF_MEMORY):
        assign(packed[1], packed[0], columns, tmp_path)


def test_the_client_is_told(packed: tuple[str, bytes], tmp_path: Path) -> None:
    with api_server(tmp_path) as (address, _), flat():
        response = httpx.post(f"{address}/datasets", content=packed[1], timeout=60)
    problem = response.json()
    assert (problem["status"], problem["code"]) == (422, "invalid_file")
    assert OUT_OF_MEMORY in problem["detail"]
    kept = [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert [name for name in kept if not name.startswith("turn-")] == []


def test_few_files_are_unpacked_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.2)
    body = parquet_file(x=[1.0, 2.0])
    with ExitStack() as others:
        for _ in range(turns.AT_ONCE):
            others.enter_context(turns.turn(tmp_path))
        with pytest.raises(Busy, match="too many files are being unpacked"):
            read(body, tmp_path)
    assert read(body, tmp_path)[0].rows == 2


@pytest.mark.parametrize(
    ("kind", "said"), [("parquet", OUT_OF_MEMORY), ("arrow", "text of over 1,000 characters")]
)
def test_text_that_is_often_the_same_is_not_uploaded(kind: str, said: str, tmp_path: Path) -> None:
    body = long_text(kind)
    with flat(), pytest.raises(InvalidInput, match=said):
        read(body, tmp_path, categories="onehot")


@pytest.mark.parametrize(("kind", "said"), [("parquet", OUT_OF_MEMORY), ("arrow", "is none of")])
def test_text_that_is_often_the_same_is_not_assigned(kind: str, said: str, tmp_path: Path) -> None:
    columns = [
        Column(name="x", type="category", categories=["a", "b"]),
        Column(name="y", type="number"),
    ]
    body = long_text(kind)
    with flat(), pytest.raises(InvalidInput, match=said):
        assign(body, kind, columns, tmp_path)


def test_many_categories_are_set_apart_a_piece_at_a_time(tmp_path: Path) -> None:
    names = pa.array([f"n{i}" for i in range(1000)])
    body = arrow_stream(x=names.take(pa.array(np.arange(1 << 20) % 1000)))
    with flat(), pytest.raises(TooLarge, match="the points take over 67,108,864 bytes"):
        read(body, tmp_path, max_bytes=MAX_BYTES, categories="onehot")


def test_records_that_say_little_are_filled_in_a_piece_at_a_time() -> None:
    columns = [Column(name="x", type="category", categories=["a"] * 60_000, fill="a")]
    spec = PointSpec((60_000,), 1, Encoding(columns))
    body = b'{"points": [{"x": "a"}' + b", {}" * 5000 + b"]}"
    batch = open_batch(body, media.JSON, spec, FileOptions(), MAX_BYTES)
    with flat(), pytest.raises(TooLarge, match="the points take over 67,108,864 bytes"):
        list(batch.pieces)


def test_rows_of_nothing_come_to_an_end(tmp_path: Path) -> None:
    body = arrow_stream(x=pa.nulls(1 << 26))
    with flat(), pytest.raises(TooLarge, match="the points take over 67,108,864 bytes"):
        read(body, tmp_path, max_bytes=MAX_BYTES, missing="drop")


def test_a_wide_schema_is_not_read(tmp_path: Path) -> None:
    body = arrow_stream(**{f"{i:01000}": [1.0] for i in range(40_000)})
    with flat(), pytest.raises(InvalidInput, match="its schema takes over 33,554,432 bytes"):
        read(body, tmp_path)
