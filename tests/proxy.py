"""The network between two processes, which can be cut."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
State = Literal["whole", "cut", "silent"]

CHUNK = 1 << 16


class Proxy:
    """Passes bytes on to a server. What is cut is closed and refused; what is silent hangs."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self.port = 0
        self._connect = connect
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    def be(self, state: State) -> None:
        """Change the network, also for the connections that there are."""

        async def change() -> None:
            self._is_cut = state == "cut"
            (self._flows.clear if state == "silent" else self._flows.set)()
            if self._is_cut:
                for writer in self._writers:
                    writer.transport.abort()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen on ``port`` for as long as the block lasts."""
        serving = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.be("cut")
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            server.close()
            self._loop.run_until_complete(asyncio.sleep(0.1))
            self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if not self._is_cut:
                there_reader, there_writer = await self._connect()
                await asyncio.gather(
                    self._pass_on(reader, there_writer), self._pass_on(there_reader, writer)
                )
        writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        except OSError:  # cut, or one of the two has died
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
