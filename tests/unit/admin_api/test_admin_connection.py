"""A connection without a complete header is closed; one with a request under way is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from admin_api.connection import TimedProtocol

LIMIT_SECONDS = 10
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Impatient(TimedProtocol):
    """Tells when its time is up."""

    header_seconds = 0.05
    expired: asyncio.Event

    def _expire(self) -> None:
        self.expired.set()
        super()._expire()


async def talk(sent: bytes, app: Any = None) -> bytes:
    """All that a server with `app` answers to `sent` before it closes the connection."""
    config = uvicorn.Config(
        app, http=Impatient, lifespan="off", log_config=None, date_header=False, server_header=False
    )
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    Impatient.expired = asyncio.Event()
    server = await loop.create_server(lambda: Impatient(config, state, {}), "127.0.0.1", 0)
    async with server, asyncio.timeout(LIMIT_SECONDS):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
def test_a_header_that_does_not_end_is_cut(sent: bytes) -> None:
    assert asyncio.run(talk(sent)) == b""


def test_a_request_under_way_is_not_cut_but_the_silence_after_it_is() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await Impatient.expired.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    assert asyncio.run(talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", app)) == ANSWER
