"""Micro-batching: calls that wait while others are computed are computed together."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeAlias, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

Calls: TypeAlias = "list[tuple[Item, asyncio.Future[Answer]]]"

THREADS = 16  # batches under way; most of them wait for the database
BATCH_CALLS = 64


class Batcher(Generic[Key, Item, Answer]):
    """Computes calls of one key in batches, one after the other; keys don't wait for each other.

    A batch is all that comes until a turn of the event loop brings no more: the first of many
    requests does not go alone. For use on one event loop, on which alone the state changes.
    """

    def __init__(self, compute: Callable[[Key, list[Item]], list[Answer | Exception]]) -> None:
        """``compute`` gives an answer or an error for each item, on a thread of its own.

        What it raises is every item's error.
        """
        self._compute = compute
        self._pool = ThreadPoolExecutor(THREADS, "batch")
        self._waiting: dict[Key, Calls[Item, Answer]] = {}  # for the next batch

    async def call(self, key: Key, item: Item) -> Answer:
        """The answer for one item. Raises its error."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        if key not in self._waiting:
            self._waiting[key] = []
            loop.call_soon(self._gather, key, 1)
        self._waiting[key].append((item, answer))
        return await answer

    def close(self) -> None:
        self._pool.shutdown()

    def _gather(self, key: Key, seen: int) -> None:
        """Start a batch, unless more have come than were ``seen`` a turn ago."""
        waiting = len(self._waiting[key])
        if seen < waiting < BATCH_CALLS:
            asyncio.get_running_loop().call_soon(self._gather, key, waiting)
        else:
            self._start(key)

    def _start(self, key: Key) -> None:
        waiting = self._waiting[key]
        batch, self._waiting[key] = waiting[:BATCH_CALLS], waiting[BATCH_CALLS:]
        items = [item for item, _ in batch]
        done = asyncio.get_running_loop().run_in_executor(self._pool, self._compute, key, items)
        done.add_done_callback(partial(self._finish, key, batch))

    def _finish(
        self,
        key: Key,
        batch: "Calls[Item, Answer]",
        done: "asyncio.Future[list[Answer | Exception]]",
    ) -> None:
        if self._waiting[key]:
            asyncio.get_running_loop().call_soon(self._gather, key, 0)
        else:
            del self._waiting[key]
        error = done.exception()
        found = [error] * len(batch) if error else done.result()
        for (_, answer), result in zip(batch, found, strict=True):
            if answer.done():  # its caller has gone
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
