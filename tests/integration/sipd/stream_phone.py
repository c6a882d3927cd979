"""A phone that registers over TCP or TLS and answers NOTIFY over the same connection."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, closing
from typing import Any

from sipd_world import REALM, SipWorld
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from wire_phones import answer_to, nonce_of, register_text

NUMBER, SECRET = "5926100061", "s3cret"


def half_open(sockets: ExitStack, port: int) -> socket.socket:
    """A connection that nobody speaks on, closed with `sockets`."""
    probe = sockets.enter_context(closing(socket.socket()))
    probe.setblocking(False)
    assert probe.connect_ex(("127.0.0.1", port)) in (0, errno.EINPROGRESS)
    return probe


class StreamPhone(Protocol):
    """`notify_status` None: it does not answer. `lost` is true once the connection is gone."""

    def __init__(self, world: SipWorld, number: str = NUMBER, secret: str = SECRET) -> None:
        self.number = number
        self.notified: list[str] = []
        self.notify_status: int | None = 200
        self.lost = False
        self.received = ""
        self._world = world
        self._secret = secret
        self._cseq = 1000 * len(world.phones)  # a device counts on after it has lost its connection
        self._answer: Deferred[str] | None = None
        self._gone: Deferred[None] = Deferred()
        world.phones.append(self)

    async def connect(self, port: int, tls: Any = None, host: str = "127.0.0.1") -> StreamPhone:
        """`tls` is a client's connection creator, None for TCP."""
        endpoint: Any = HostnameEndpoint(self._world.reactor, host, port)
        await connectProtocol(wrapClientTLS(tls, endpoint) if tls else endpoint, self)
        self._transport_name = "TLS" if tls else "TCP"
        return self

    def dataReceived(self, data: bytes) -> None:
        self.received += data.decode()
        while "\r\n\r\n" in self.received:
            message, _, self.received = self.received.partition("\r\n\r\n")
            if not message.startswith("SIP/2.0"):
                self.notified.append(message)
                if self.notify_status is not None:
                    self.transport.write(answer_to(message, self.notify_status))
            elif self._answer is not None:
                answer, self._answer = self._answer, None
                answer.callback(message)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost = True
        self._gone.callback(None)
        if self._answer is not None:
            self._answer.errback(reason)

    async def exchange(self, data: bytes) -> str:
        self._answer = answer = Deferred()
        answer.addTimeout(10, self._world.reactor)
        self.transport.write(data)
        return await answer

    async def register(self, expires: int = 120) -> int:
        """The final status."""
        challenged = await self.exchange(self._request(expires, ""))
        assert challenged.startswith("SIP/2.0 401")
        return int((await self.exchange(self._request(expires, nonce_of(challenged))))[8:11])

    def _request(self, expires: int, nonce: str) -> bytes:
        self._cseq += 1
        return register_text(self.number, self._cseq, REALM, self._secret, nonce, expires, self._transport_name)

    async def close(self) -> None:
        if not self.lost and self.transport is not None:
            self.transport.abortConnection()
            await self._gone
