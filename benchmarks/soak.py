"""The service under many clients for a long time: no error, no growth, a bounded queue.

`python -m benchmarks.soak [--minutes M] [--clients C] [--json FILE] [--address URL]`: clients
assign to and sample from several models, as JSON and NPY, while jobs train and assign. Each answer
must be the same as the first, each job succeed. Without an address the whole stack is started here,
and its processes must not grow; with one, the key is read from KVAE_KEY. The status is 1 when a bar
is missed.
"""

import asyncio
import json
import os
import ssl
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
import psutil
from redis import Redis

from benchmarks.clients import Calls, Tally, call_until
from benchmarks.figures import Figure
from benchmarks.growth import Gauge, Growth, gauges_of
from benchmarks.jobs import AT_ONCE, Jobs, trained_models
from service.embedded import Stack, embedded_stack
from service.queue import QUEUE

TIMEOUT = 60.0
LOOK_SECONDS = 2.0
MESSAGES = "messages that wait"


@contextmanager
def served(address: str | None) -> Iterator[tuple[str, dict[str, Gauge]]]:
    """The service's address, and what must not grow of it."""
    if address:
        yield address, {}
        return
    with TemporaryDirectory() as name, embedded_stack(Path(name), 0) as stack:
        yield stack.address, gauges_of_stack(stack)


def gauges_of_stack(stack: Stack) -> dict[str, Gauge]:
    """Of API and worker, and of the stack as a whole."""
    broker, *ours = stack.children
    gauges: dict[str, Gauge] = {}
    for child in ours:
        if child.process:
            gauges |= gauges_of(child.name, child.process.pid)
    redis = Redis(unix_socket_path=broker.environment["KVAE_BROKER_URL"].partition("://")[2])
    return {
        **gauges,
        "processes": lambda: len(psutil.Process().children(recursive=True)),
        MESSAGES: lambda: redis.llen(QUEUE),
    }


async def soak(address: str, minutes: float, clients: int, growth: Growth) -> list[Figure]:
    """All figures, once the time is over and the last jobs have ended."""
    tally, jobs = Tally(), Jobs()
    async with AsyncExitStack() as stack:
        key, tls = os.environ.get("KVAE_KEY"), ssl.create_default_context()
        headers = {"Authorization": f"Bearer {key}"} if key else {}

        async def connect() -> httpx.AsyncClient:
            client = httpx.AsyncClient(
                base_url=address, headers=headers, timeout=TIMEOUT, verify=tls, trust_env=False
            )
            return await stack.enter_async_context(client)

        connections = [await connect() for _ in range(clients)]
        http = await connect()
        calls = Calls(http)
        for model, points in await trained_models(http):
            await calls.add_model(model, points)
        end = monotonic() + 60 * minutes
        async with asyncio.TaskGroup() as tasks:
            for number, connection in enumerate(connections):
                tasks.create_task(call_until(end, number, connection, calls, tally))
            for number in range(AT_ONCE):
                tasks.create_task(jobs.submit_until(end, number, http))
            tasks.create_task(look_until(end, growth))
    for error, times in tally.errors.most_common():
        print(f"{times} times {error}", file=sys.stderr)
    return [*tally.figures(minutes), *jobs.figures(minutes), *growth.figures(), *queue(growth)]


def queue(growth: Growth) -> list[Figure]:
    """How many messages waited at most, where that can be seen."""
    most = max(growth.values.get(MESSAGES, []), default=None)
    if most is None:
        return []
    return [Figure(f"{MESSAGES}, most", most, "", f"<= {2 * AT_ONCE}", most <= 2 * AT_ONCE)]


async def look_until(end: float, growth: Growth) -> None:
    """Read all gauges now and then."""
    while monotonic() < end:
        await asyncio.to_thread(growth.look)
        await asyncio.sleep(LOOK_SECONDS)


def main() -> int:
    """Print and judge the figures; returns the exit status."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--address", help="of a service that runs; without one it is started here")
    parser.add_argument("--json", type=Path, help="write figures and readings to this file")
    arguments = parser.parse_args()
    with served(arguments.address) as (address, gauges):
        growth = Growth(gauges)
        figures = asyncio.run(soak(address, arguments.minutes, arguments.clients, growth))
    print(*map(Figure.line, figures), sep="\n")
    if arguments.json:
        report = {
            "cores": os.cpu_count(),
            "minutes": arguments.minutes,
            "clients": arguments.clients,
            "figures": [figure._asdict() for figure in figures],
            "seconds": growth.seconds,
            "readings": growth.values,
        }
        arguments.json.write_text(json.dumps(report, indent=1))
    return int(any(figure.reached is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
