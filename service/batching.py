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

    A call that finds nothing under way is computed at once. For use on one event loop, on which
    alone the state changes.
    """

    def __init__(self, compute: Callable[[Key, list[Item]], list[Answer | Exception]]) -> None:
        """``compute`` gives an answer or an error for each item, on a thread of its own.

        What it raises is every item's error.
        """
        self._compute = compute
        self._pool = ThreadPoolExecutor(THREADS, "batch")
        self._waiting: dict[Key, Calls[Item, Answer]] = {}  # behind the batch under way

    async def call(self, key: Key, item: Item) -> Answer:
        """The answer for one item. Raises its error."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            self._waiting[key].append((item, answer))
        else:
            self._waiting[key] = []
            self._start(key, [(item, answer)])
        return await answer

    def close(self) -> None:
        self._pool.shutdown()

    def _start(self, key: Key, batch: "Calls[Item, Answer]") -> None:
        items = [item for item, _ in batch]
        done = asyncio.get_running_loop().run_in_executor(self._pool, self._compute, key, items)
        done.add_done_callback(partial(self._finish, key, batch))

    def _finish(
        self,
        key: Key,
        batch: "Calls[Item, Answer]",
        done: "asyncio.Future[list[Answer | Exception]]",
    ) -> None:
        waiting = self._waiting[key]
        if waiting:
            self._waiting[key] = waiting[BATCH_CALLS:]
            self._start(key, waiting[:BATCH_CALLS])
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
