"""A line between a hub and its portal that can be cut, stalled, or lose what the portal answers."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import Enum, auto

CHUNK = 65536  # bytes


class State(Enum):
    """What the line does to what goes through it."""

    WHOLE = auto()
    CUT = auto()  # nobody gets through, and open connections break
    STALLED = auto()  # everything waits
    DEAF = auto()  # requests get through, and the connection breaks at the first answer


class Wire:
    """Listens on 127.0.0.1 and passes on to a port there, until it is closed."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self.state = State.WHOLE
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)

    def start(self) -> Wire:
        self._thread.start()
        self._call(self._listen())
        return self

    def set(self, state: State) -> None:
        """Change what the line does, to open connections as well."""
        self._call(self._set(state))

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._flows = asyncio.Event()
        self._flows.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, state: State) -> None:
        self.state = state
        if state is State.STALLED:
            self._flows.clear()
        else:
            self._flows.set()
        if state is State.CUT:
            self._break_all()

    async def _end(self) -> None:
        self._server.close()
        self._break_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _break_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError):
            if self.state is not State.CUT:
                await self._connect(reader, writer)
        writer.transport.abort()
        self._open.discard(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self.to_port)
        self._open.add(requests)
        there = asyncio.create_task(self._pump(reader, requests))
        back = asyncio.create_task(self._pump(answers, writer, is_answer=True))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            requests.transport.abort()
            self._open.discard(requests)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                if is_answer and self.state is State.DEAF:
                    return
                writer.write(data)
                await writer.drain()
