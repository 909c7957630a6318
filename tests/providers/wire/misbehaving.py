"""A server on a real socket that answers as a test says, byte by byte, and notes what it was sent."""

import asyncio
import gzip
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

Answer = Callable[["Exchanged"], Awaitable[None]]


@dataclass(slots=True)
class Exchanged:
    """One request as it came in, and the way to answer it."""

    head: str
    body: bytes
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def send(self, *blocks: bytes) -> None:
        for block in blocks:
            self.writer.write(block)
            await self.writer.drain()

    async def answer(
        self, body: bytes, *, status: str = "200 OK", headers: str = "", json: bool = True
    ) -> None:
        kind = "application/json" if json else "text/event-stream"
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        await self.send(head.encode() + body)

    async def begin_stream(self, headers: str = "") -> None:
        await self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            + headers.encode()
            + b"\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """End the connection with a TCP RST."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()

    async def closed_by_client(self) -> bool:
        """Wait until the other side has closed the connection."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


@dataclass(slots=True)
class Server:
    """What a server has seen."""

    base_url: str = ""
    requests: list[Exchanged] = field(default_factory=list)
    connections: int = 0
    failures: list[BaseException] = field(default_factory=list)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    """Serve until the block ends; a failure in `answer` that is no broken connection fails the test."""
    server = Server()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = next(
                    (
                        int(line.split(":")[1])
                        for line in head.lower().split("\r\n")
                        if line.startswith("content-length:")
                    ),
                    0,
                )
                exchanged = Exchanged(head, await reader.readexactly(size), writer, reader)
                server.requests.append(exchanged)
                await answer(exchanged)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except AssertionError as exc:
            server.failures.append(exc)
        finally:
            writer.close()

    listening = await asyncio.start_server(converse, "127.0.0.1", 0, limit=2**24)
    port = listening.sockets[0].getsockname()[1]
    server.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        listening.close()
    assert server.failures == []


def bomb(size_mb: int) -> bytes:
    """Return a gzip that unfolds to so many megabytes of spaces."""
    return gzip.compress(b" " * (size_mb * 1024 * 1024), compresslevel=9)
