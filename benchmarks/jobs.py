"""Jobs that follow each other without end, while others are served."""

import asyncio
import json
import sys
from collections import Counter
from time import monotonic
from typing import Any

import httpx

from benchmarks.figures import Figure
from benchmarks.serving import QUICK, points
from tests.points import Points, digits, npy, three_blobs

AT_ONCE = 4  # queued or running
POLL_SECONDS = 0.5


async def trained_models(http: httpx.AsyncClient) -> list[tuple[str, Points]]:
    """Ids of models of different kinds, each with the points that it was trained on."""
    sets = [(three_blobs(2000)[0], 3), (points()[:20_000], 10), (digits()[0], 10)]
    return [((await ended(http, await train(http, x, k)))["model"], x) for x, k in sets]


async def train(http: httpx.AsyncClient, x: Points, components: int) -> dict[str, Any]:
    """The job."""
    form = {"components": str(components), "config": json.dumps(QUICK)}
    answer = await http.post("/jobs", files={"file": npy(x)}, data=form)
    job: dict[str, Any] = answer.raise_for_status().json()
    return job


async def ended(http: httpx.AsyncClient, job: dict[str, Any]) -> dict[str, Any]:
    """The job, once it is neither queued nor running."""
    while job["finished_at"] is None:
        await asyncio.sleep(POLL_SECONDS)
        job = (await http.get(f"/jobs/{job['id']}")).raise_for_status().json()
    return job


class Jobs:
    """What became of the jobs."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()

    async def submit_until(self, end: float, number: int, http: httpx.AsyncClient) -> None:
        """A job that trains, one that assigns the same points, and so on; waits for the last."""
        x, _ = three_blobs(1000 + number)
        while monotonic() < end:
            try:
                trained = await ended(http, await train(http, x, 3))
                self._ended[trained["status"]] += 1
                query = {"model": trained["model"], "dataset": trained["dataset"]}
                answer = await http.post("/assign", params=query)
                assigned = await ended(http, answer.raise_for_status().json())
                self._ended[assigned["status"]] += 1
            except httpx.HTTPError as error:
                self._ended[repr(error)] += 1

    def figures(self, minutes: float) -> list[Figure]:
        """How many succeeded, and how many did not."""
        lost = self._ended.total() - self._ended["succeeded"]
        if lost:
            print(dict(self._ended), file=sys.stderr)
        return [
            Figure("jobs that succeeded", self._ended["succeeded"] / minutes, "a minute"),
            Figure("jobs that did not", lost, "", "0", not lost),
        ]
