"""What can go wrong with a connection, done to it on purpose."""

import asyncio
import socket
import struct
from typing import NoReturn

from aiohttp import web

from orchestrator.core.clock import Clock
from orchestrator.practice.fault_kinds import FaultKind

_TICK_S = 0.05


async def forever() -> NoReturn:
    """Wait until the client goes or the server stops, either of which cancels the task."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def reset(http: web.BaseRequest) -> NoReturn:
    """Close the connection with a TCP reset."""
    transport = http.transport
    if transport is not None:
        # Without lingering, closing sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    await forever()


def redirect(http: web.BaseRequest, *, status: int) -> web.Response:
    """Return the way to another path of the provider's, where nothing is."""
    return web.Response(status=status, headers={"Location": f"{http.path.rpartition('/')[0]}/elsewhere"})


async def cut(http: web.BaseRequest) -> NoReturn:
    """Close the connection after what was written, in the middle of the body."""
    if http.transport is not None:
        http.transport.close()
    await forever()


async def drip(response: web.StreamResponse, data: bytes, *, bytes_per_s: int, clock: Clock) -> None:
    """Write at about so many bytes a second, in twenty portions a second or single bytes."""
    portion = max(1, int(bytes_per_s * _TICK_S))
    for at in range(0, len(data), portion):
        await clock.sleep(portion / bytes_per_s)
        await response.write(data[at : at + portion])


async def broken_body(http: web.BaseRequest, body: bytes, *, kind: FaultKind) -> web.StreamResponse:
    """Send half of a JSON body: complete for HTTP (malformed_chunk, odd_chunk), cut off, or stalled."""
    half = body[: len(body) // 2]
    if kind in {FaultKind.MALFORMED_CHUNK, FaultKind.ODD_CHUNK}:
        return web.Response(body=half, content_type="application/json")
    response = await _begun(http, size_bytes=len(body))
    await response.write(half)
    return await (forever() if kind is FaultKind.STALL_STREAM else cut(http))


async def dripped_body(
    http: web.BaseRequest, body: bytes, *, bytes_per_s: int, clock: Clock
) -> web.StreamResponse:
    """Send a JSON body a few bytes at a time."""
    response = await _begun(http, size_bytes=len(body))
    await drip(response, body, bytes_per_s=bytes_per_s, clock=clock)
    return response


async def _begun(http: web.BaseRequest, *, size_bytes: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = size_bytes
    await response.prepare(http)
    return response
