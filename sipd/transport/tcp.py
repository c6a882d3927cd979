"""SIP over connections (RFC 3261 §18): requests in, answers back over the same connection, and nothing else: a binding
made over a connection is reached over it alone, so this server never opens one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from intercom_core.config.fields import Listen
from intercom_core.telemetry import log
from sipd.message.errors import MalformedMessageError
from sipd.message.headers import Headers
from sipd.message.message import Request, Response
from sipd.message.parser import parse
from sipd.transport.connections import Connections, Ended
from sipd.transport.flow import Flow
from sipd.transport.stream import BrokenStreamError, KeepAlive, StreamFramer
from sipd.transport.udp import ConnectionHandler, Dropped, MessageMetrics, stateless_refusal, unmapped

BACKLOG = 1024
PONG = b"\r\n"

# Inherited by accepted sockets. A phone whose power was cut is noticed after 90 s of silence, 30 s after a NOTIFY;
# small kernel buffers keep ten thousand phones that don't read within a bound.
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024),
    (socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024),
)

_log = log.get("sipd.transport")


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """One connection. It is its transport's producer to learn when the other side does not read: then nothing is read
    from it either, and it ends when that lasts."""

    def __init__(
        self, listener: str, connections: Connections, handler: ConnectionHandler, metrics: MessageMetrics
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._handler = handler
        self._metrics = metrics
        self._framer = StreamFramer()
        self._numbers: set[str] = set()
        self._reason: Ended | None = None
        self._before_stall: tuple[float, Ended] | None = None
        self.deadline = 0.0
        self._due = Ended.UNAUTHENTICATED

    def connectionMade(self) -> None:  # noqa: N802
        peer = self._transport.getPeer()
        self.flow = Flow(self._listener, peer.host, peer.port, self._connections.next_number())
        self._transport.registerProducer(self, True)
        self._await_first_request()
        self._connections.add(self)

    @property
    def _transport(self) -> Any:
        return self.transport

    def _await_first_request(self) -> None:
        self._expect(self._connections.limits.unauthenticated_seconds, Ended.UNAUTHENTICATED)

    def _expect(self, seconds: float, otherwise: Ended) -> None:
        self.deadline = self._connections.clock.seconds() + seconds
        self._due = otherwise

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._reason is not None:
            return
        try:
            self._received(data)
        except BrokenStreamError as error:
            self._broken(error)
        except Exception:
            self._drop(Dropped.ERROR)
            _log.exception("connection_failed", source=self.flow.address)
            self.abort(Ended.ERROR)

    def _received(self, data: bytes) -> None:
        for frame in self._framer.feed(data):
            if frame is KeepAlive.PING:
                self._transport.write(PONG)
            else:
                self._message(frame)
        if self._numbers and self._before_stall is None:
            self._expect(self._connections.limits.idle_seconds, Ended.IDLE)

    def _message(self, data: bytes) -> None:
        try:
            message = parse(data)
            if isinstance(message, Request):
                self._request(message)
            elif not self._handler.on_response(message, self.flow.source):
                self._drop(Dropped.STRAY_RESPONSE)
        except MalformedMessageError as error:
            self._malformed(error)

    def _request(self, request: Request) -> None:
        request.via = request.via.stamped(unmapped(self.flow.host), self.flow.port)
        try:
            number = self._handler.on_request(request, self.flow, self._reply)
        except MalformedMessageError as error:
            raise MalformedMessageError(error.reason, request.headers) from None
        if number is not None and number not in self._numbers:
            self._numbers.add(number)
            self._connections.trust(self)

    def _malformed(self, error: MalformedMessageError) -> None:
        self._metrics.malformed[error.reason].inc()
        flow = self.flow
        answer = stateless_refusal(error, unmapped(flow.host), flow.port) if error.request_headers else None
        if answer is None:
            self._drop(Dropped.MALFORMED)
        else:
            self._reply(answer)

    def _broken(self, error: BrokenStreamError) -> None:
        if error.head:
            self._malformed(MalformedMessageError(error.reason, _request_headers(error.head)))
        else:
            self._drop(Dropped.NOT_SIP)
        self._close(Ended.MALFORMED)

    def _reply(self, data: bytes) -> None:
        """§18.2.2 without its fallback: when the connection is gone the answer is, too."""
        if self._reason is None:
            self._transport.write(data)
        else:
            self._drop(Dropped.SEND)

    def _drop(self, reason: Dropped) -> None:
        self._metrics.dropped[reason].inc()

    def send(self, data: bytes) -> None:
        """A request of ours. Raises OSError when the connection ends or does not take anything now."""
        if self._reason is not None or self._before_stall is not None:
            raise OSError("the connection takes nothing")
        self._transport.write(data)

    def pauseProducing(self) -> None:  # noqa: N802
        if self._before_stall is None and self._reason is None:
            self._before_stall = (self.deadline, self._due)
            self._expect(self._connections.limits.stalled_seconds, Ended.STALLED)
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        if self._before_stall is not None and self._reason is None:
            self.deadline, self._due = self._before_stall
            self._before_stall = None
            self._transport.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802
        """The transport says so when it is lost; connectionLost follows."""

    def expire(self) -> None:
        self.abort(self._due)

    def abort(self, reason: Ended) -> None:
        """End it at once. What was not sent yet is lost."""
        self._reason = self._reason or reason
        self._connections.remove(self, self._reason)
        self._transport.abortConnection()

    def _close(self, reason: Ended) -> None:
        """End it as soon as what was written has left."""
        self._reason = reason
        self._expect(self._connections.limits.closing_seconds, reason)
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._reason is None:
            self._reason = self._end_of(reason.value)
        self._connections.remove(self, self._reason)
        self._connections.gone()
        if self._reason is not Ended.STOP:
            self._handler.on_connection_lost(self.flow, self._numbers)

    def _end_of(self, error: BaseException | None) -> Ended:
        return Ended.CLOSED if isinstance(error, ConnectionDone) else Ended.LOST


def _request_headers(head: bytes) -> Headers | None:
    try:
        message = parse(head)
    except MalformedMessageError as error:
        return error.request_headers
    return None if isinstance(message, Response) else message.headers


class StreamFactory(ServerFactory):
    """Connections of one listener, as long as there is room."""

    noisy = False

    def __init__(self, name: str, connections: Connections, build: Callable[[], StreamConnection]) -> None:
        self._name = name
        self._connections = connections
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> StreamConnection | None:  # noqa: N802
        host = getattr(addr, "host", "")
        return self._build() if self._connections.admit(self._name, host) else None


class StreamTransport:
    """A listening socket. `port` is the one that was taken, 0 while there is none."""

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self._port: Any = None
        self.port = 0

    def listen(self, reactor: Any, address: Listen) -> None:
        """Raises CannotListenError."""
        self._port = port = reactor.listenTCP(address.port, self._factory, BACKLOG, address.host)
        for level, option, value in _SOCKET_OPTIONS:
            port.socket.setsockopt(level, option, value)
        self.port = port.getHost().port

    async def stop(self) -> None:
        """Takes no more connections; those that are there stay."""
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()


def tcp_factory(connections: Connections, handler: ConnectionHandler, metrics: MessageMetrics) -> StreamFactory:
    return StreamFactory("tcp", connections, lambda: StreamConnection("tcp", connections, handler, metrics))
