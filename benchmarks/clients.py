"""Clients that assign and sample without end, and hold every answer against the first one."""

import asyncio
import json
import random
from collections import Counter, defaultdict
from statistics import quantiles
from time import monotonic, perf_counter

import httpx

from benchmarks.figures import Figure
from service.media import JSON, NPY
from tests.points import Points, npy

PAUSE_SECONDS = 1.0  # of a client between an answer and its next call, on average


class Calls:
    """Requests whose answers are always the same bytes, and those bytes."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kinds: list[tuple[str, httpx.Request, bytes]] = []

    async def add_model(self, model: str, points: Points) -> None:
        """Every kind of call to a model that was trained on such points."""
        few, many = points[:20], points[:2000]
        json_body, in_json = json.dumps({"points": few.tolist()}).encode(), {"Content-Type": JSON}
        in_npy = {"Content-Type": NPY, "Accept": NPY}
        assign, sample = f"/assign?model={model}", f"/sample?model={model}&seed=1"
        await self._add("assign, JSON, 20 points", "POST", assign, in_json, json_body)
        await self._add("assign, NPY, 2,000 points", "POST", assign, in_npy, npy(many))
        with_scores = f"{assign}&include=confidence"
        await self._add("assign, JSON, confidence", "POST", with_scores, in_json, json_body)
        await self._add("sample, JSON, 16 points", "GET", f"{sample}&n=16", {"Accept": JSON})
        one = f"{sample}&n=1000&component=0"
        await self._add("sample, NPY, 1,000 points", "GET", one, {"Accept": NPY})

    async def _add(
        self, kind: str, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> None:
        request = self._http.build_request(method, url, headers=headers, content=body)
        answer = (await self._http.send(request)).raise_for_status()
        self._kinds.append((kind, request, answer.content))

    def any(self, chance: random.Random) -> tuple[str, httpx.Request, bytes]:
        """The kind, the request and the bytes of its answer."""
        return chance.choice(self._kinds)


class Tally:
    """What became of all calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()

    def figures(self, minutes: float) -> list[Figure]:
        """Rates, latencies of each kind, errors."""
        answered = sum(map(len, self.seconds.values()))
        figures = [Figure("calls answered", answered / (60 * minutes), "a second")]
        for kind, seconds in sorted(self.seconds.items()):
            percentiles = quantiles([1e3 * one for one in seconds], n=100)
            figures += [
                Figure(f"{kind}, p50", percentiles[49], "ms"),
                Figure(f"{kind}, p99", percentiles[98], "ms"),
                Figure(f"{kind}, longest", 1e3 * max(seconds), "ms"),
            ]
        wrong = self.errors.total()
        return [*figures, Figure("calls without the right answer", wrong, "", "0", not wrong)]


async def call_until(
    end: float, number: int, http: httpx.AsyncClient, calls: Calls, tally: Tally
) -> None:
    """One client, on a connection of its own, until a time of the monotonic clock."""
    chance = random.Random(number)  # noqa: S311 - no secret
    while monotonic() < end:
        kind, request, right = calls.any(chance)
        started = perf_counter()
        try:
            response = await http.send(request)
        except httpx.TransportError as error:
            tally.errors[f"{kind}: {error!r}"] += 1
        else:
            tally.seconds[kind].append(perf_counter() - started)
            if response.status_code != 200:
                tally.errors[f"{kind}: {response.status_code} {response.text[:200]}"] += 1
            elif response.content != right:
                tally.errors[f"{kind}: not the first answer: {response.content[:200]!r}"] += 1
        await asyncio.sleep(chance.expovariate(1 / PAUSE_SECONDS))
