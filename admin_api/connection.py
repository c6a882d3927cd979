"""One HTTP connection, with a limit on the time that a request's header may take.

uvicorn's h11 protocol limits the size of headers, but not their time: it only times the silence after an answer. A
connection that never ends its header, or sends nothing at all, would stay for ever, and as many as the limit on
connections would shut everybody out.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedProtocol(H11Protocol):
    """Closed when no header is complete `header_seconds` after the connection was made or the last answer ended."""

    header_seconds: ClassVar[float] = 15
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._restart()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._restart()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _restart(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(self.header_seconds, self._expire)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        """A header that is complete has its request under way: then the body's own limit counts."""
        if self.conn.their_state is h11.IDLE:
            self.transport.close()
