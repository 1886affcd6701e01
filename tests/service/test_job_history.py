"""What a job leaves on its way: events as they come, checkpoints, previews."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service import blobs, checkpoints, event_stream, events, jobs, leases, previews
from service.database import Database
from service.errors import NotFound
from service.event_stream import EventStreams
from service.scatter import Plane
from service.storage import Folder
from tests.service import rows


@pytest.fixture
def claim(database: Database) -> leases.Claim:
    with database.write() as session:
        claim = leases.claim(session, rows.job(session).id, 60)
    assert claim
    return claim


def finish(database: Database, claim: leases.Claim) -> None:
    with database.write() as session:
        leases.finish(session, claim, "succeeded")


async def names(stream: AsyncIterator[bytes], at_most: int = 1000) -> list[str]:
    found: list[str] = []
    async for part in stream:
        lines = dict(line.split(": ", 1) for line in part.decode().split("\n") if line)
        found.append(lines.get("event") or next(iter(lines)))
        if len(found) == at_most:
            break
    return found


def test_a_stream_follows_a_job_to_its_end(
    database: Database, claim: leases.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(event_stream, "BATCH", 2)
    with database.write() as session:
        for iteration in range(3):
            leases.record_iteration(session, claim, iteration, {})

    async def follow() -> list[list[str]]:
        streams = EventStreams(database)
        many = [asyncio.create_task(names(streams.follow(claim.job_id, 0))) for _ in range(50)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(finish, database, claim)
        return await asyncio.gather(*many)

    told = ["retry", "status", "status", "metrics", "metrics", "metrics", "status"]
    assert asyncio.run(follow()) == [told] * 50
    assert asyncio.run(names(EventStreams(database).follow(claim.job_id, 0))) == told


def test_a_stream_of_a_job_that_is_deleted_ends(
    database: Database, claim: leases.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = EventStreams(database).follow(claim.job_id, 0)
    finish(database, claim)

    async def follow() -> list[str]:
        begun = await names(stream, at_most=1)
        with database.write() as session:
            jobs.remove(session, claim.job_id)
        return begun + await names(stream)

    assert asyncio.run(follow()) == ["retry"]


def test_a_silent_stream_has_heartbeats(
    database: Database, claim: leases.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0)
    stream = EventStreams(database).follow(claim.job_id, after=2**40)
    assert asyncio.run(names(stream, at_most=3)) == ["retry", "", ""]


def test_events_become_visible_in_order(database: Database, claim: leases.Claim) -> None:
    """A writer that began first is waited for, so that a reader can't pass its event by."""
    began, other = threading.Event(), threading.Thread(target=lambda: write_second())

    def write_second() -> None:
        began.wait()
        with database.write() as session:
            events.add(session, claim.job_id, "message", "second")

    other.start()
    with database.write() as session:
        events.add(session, claim.job_id, "message", "first")
        session.flush()
        began.set()
        other.join(0.2)
        with database.read() as reading:
            assert len(events.page(reading, claim.job_id, 0, 10).data) == 2  # queued, running
    other.join()
    with database.read() as session:
        log = events.page(session, claim.job_id, 0, 10).data
    assert [event.message for event in log[2:]] == ["first", "second"]


def test_the_newest_two_checkpoints_are_kept(
    database: Database, claim: leases.Claim, tmp_path: Path
) -> None:
    storage = Folder(tmp_path / "blobs")
    storage.prepare()

    def leave(iteration: int, data: bytes) -> None:
        with database.write() as session:
            sha256 = storage.put(data)
            checkpoints.add(session, claim.job_id, iteration, sha256, len(data))
            old = checkpoints.release(session, claim.job_id, checkpoints.KEPT)
        blobs.remove(database, storage, old)

    def stored() -> set[bytes]:
        return {path.read_bytes() for path in storage.folder.rglob("*") if path.is_file()}

    def listed() -> list[tuple[int, int, bool]]:
        with database.read() as session:
            found = checkpoints.page(session, claim.job_id, 0, 10).data
        return [(c.iteration, c.bytes, c.kept) for c in found]

    for iteration in range(1, 5):
        leave(iteration, b"x" * iteration)
    assert listed() == [(1, 1, False), (2, 2, False), (3, 3, True), (4, 4, True)]
    assert stored() == {b"xxx", b"xxxx"}
    leave(4, b"again")  # the last one could not be read, and its iteration was done again
    assert listed()[2:] == [(3, 3, True), (4, 5, True)]
    with database.read() as session:
        assert [kept.iteration for kept in checkpoints.kept(session, claim.job_id)] == [4, 3]
    with database.write() as session:
        checkpoints.release(session, claim.job_id)
    assert not any(kept for *_, kept in listed())
    leave(1, b"anew")
    assert listed() == [(1, 4, True)]


def test_previews_are_kept_up_to_a_number(
    database: Database, claim: leases.Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "KEPT", 3)
    with database.read() as session, pytest.raises(NotFound, match="no preview yet"):
        previews.get(session, jobs.get(session, claim.job_id))
    with database.write() as session, pytest.raises(NotFound, match="only jobs that train"):
        previews.get(session, rows.assign_job(session, 5))
    for iteration in [1, 2, 3, 4, 4]:
        with database.write() as session:
            previews.add(session, claim.job_id, iteration, b"%d" % iteration)
    with database.read() as session:
        assert previews.get(session, jobs.get(session, claim.job_id)).png == b"4"
        assert previews.get(session, jobs.get(session, claim.job_id), 2).png == b"2"
        with pytest.raises(NotFound, match="of iteration 1; its last 3 are kept"):
            previews.get(session, jobs.get(session, claim.job_id), 1)


@pytest.mark.parametrize(
    ("shape", "largest"),
    [
        ((3, 64, 2), 560),
        ((2, 64, 1), 560),
        ((2, 64, 5), 560),
        ((10, 8, 8, 8), 1000),
        ((4, 8, 3, 300, 200), 1000),
        ((1024, 1, 28, 28), 1500),
    ],
)
def test_a_picture_of_each_shape(shape: tuple[int, ...], largest: int) -> None:
    k, n = shape[:2]
    assert n == previews.samples_wanted(k, len(shape) > 3)
    made = np.random.default_rng(0).random(shape)
    made[0, 0] = np.nan
    plane = Plane.of(made[1]) if len(shape) == 3 else None
    png = previews.render(made, plane)
    assert max(Image.open(io.BytesIO(png)).size) <= largest
