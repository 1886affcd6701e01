"""Disks that are full: the service goes on where it was once there is room."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.invariants import violations
from tests.faults.stack import Stack
from tests.points import npy, three_blobs


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """No room on a disk of its own for as long as the block lasts."""
    if not disk.is_mount():
        pytest.skip("only root can mount a small disk")
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        ballast.unlink()


@pytest.mark.whole
def test_no_room_for_blobs(stack: Stack) -> None:
    job = stack.submit(iterations=8)
    stack.until(job, "running", iteration=1)
    with full(stack.storage.folder):
        refused = stack.client.http.post("/datasets", content=npy(three_blobs(200)[0]))
        assert refused.status_code == 503
        assert refused.json()["code"] == "storage_unavailable"
        stack.worker.until_logged("next try in")
    assert stack.until_ended(job) == "succeeded"
    assert stack.client.get(f"/jobs/{job}")["attempt"] == 1
    assert violations(stack.database, stack.storage) == []


@pytest.mark.whole
def test_no_room_for_the_database(stack: Stack) -> None:
    job = stack.submit(iterations=8)
    stack.until(job, "running", iteration=1)
    with full(stack.folder / "postgres" / "data"):
        stack.postgres.until_logged("No space left on device")
    stack.mend()
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage) == []
