"""The HTTP/1.0 and 1.1 edge (RFC 9112): thin, and bounded in everything a stranger can send.

Bounds: the limits of `request_reader` on a request, one read (64 KiB) of pipelined requests in hand, write
back-pressure respected, `Limits` on time and connections. When all connections are in use the longest idle one makes
room. After an answer that is not 2xx or 304 the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from intercom_core.telemetry import log
from provisiond.autop.answers import Answers, ClaimRequest, Refusal, Response, refuse, refuse_method, unavailable
from provisiond.autop.request_reader import Request, RequestReader

REQUESTS_PER_CONNECTION = 1000
SWEEP_SECONDS = 1.0

_log = log.get("provisiond.http")


@dataclass(frozen=True, slots=True)
class Limits:
    """`head_seconds`: from the first byte of a request to the end of its headers, however the bytes drip.
    `idle_seconds`: between requests. `write_seconds`: a client that takes nothing. `linger_seconds`: for a client to
    read a refusal of a request that it is still sending."""

    connections: int = 4096
    head_seconds: float = 10
    idle_seconds: float = 30
    write_seconds: float = 60
    linger_seconds: float = 2


class Claimer(Protocol):
    """Records claims; see provisiond.bootstrap.claims."""

    async def take(self, wanted: ClaimRequest) -> Response: ...


@implementer(IPushProducer)
class ConfigProtocol(TwistedProtocol):
    """One connection. `deadline` is when the factory ends it, in seconds of its clock."""

    transport: Any

    def __init__(self, factory: ConfigFactory, source: str) -> None:
        self._factory = factory
        self._source = source
        self._reader = RequestReader()
        self._served = 0
        self._clogged = False
        self._claiming = False
        self._done = False
        self.deadline = factory.deadline(factory.limits.head_seconds)

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._factory.opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802
        self._done = True
        self._factory.closed(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._done:
            return
        was_in_request = self._reader.in_request
        self._reader.feed(data)
        if self._reader.in_request and not was_in_request:
            self.deadline = self._factory.deadline(self._factory.limits.head_seconds)
        self._serve()

    def _serve(self) -> None:
        """Answers in order what is in hand, as far as the client takes it."""
        requests, limits = self._reader.requests, self._factory.limits
        before = self._served
        while requests and not (self._clogged or self._claiming or self._done):
            self._handle(requests.popleft())
        if self._done:
            return
        if requests or self._clogged or self._claiming:
            self.transport.pauseProducing()
            self.deadline = self._factory.deadline(limits.write_seconds)
            return
        self.transport.resumeProducing()
        if self._served > before:
            self.deadline = self._factory.deadline(
                limits.head_seconds if self._reader.in_request else limits.idle_seconds
            )

    def _handle(self, request: Request) -> None:
        if request.refusal is not None:
            refusal = request.refusal
            self._send(request, refuse_method() if refusal is Refusal.METHOD else refuse(refusal))
            return
        decision = self._factory.answers.answer(request.method, request.target, request.if_none_match, self._source)
        if isinstance(decision, Response):
            self._send(request, decision)
            return
        self._claiming = True
        claim = Deferred.fromCoroutine(self._factory.claimer.take(decision))
        claim.addErrback(self._claim_failed)
        claim.addCallback(self._claimed, request)

    def _claim_failed(self, failure: Failure) -> Response:
        _log.error("claim_not_recorded", reason=failure.getErrorMessage())
        return unavailable()

    def _claimed(self, response: Response, request: Request) -> None:
        self._claiming = False
        if self._done:
            return
        self._send(request, response)
        self._serve()

    def _send(self, request: Request, response: Response) -> None:
        self._served += 1
        close = request.close or response.refusal is not None or self._served >= REQUESTS_PER_CONNECTION
        connection = (
            b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n" if request.old_version else b""
        )
        body = b"" if request.method == b"HEAD" else response.body
        self.transport.write(
            b"HTTP/1.1 %b\r\nDate: %b\r\n%b%b\r\n%b"
            % (response.status, self._factory.date(), response.fields, connection, body)
        )
        self._factory.answered(self, response)
        if close:
            self._end(lingers=request.refusal is not None)

    def _end(self, *, lingers: bool) -> None:
        """Closes. A client that is still sending would get a reset instead of the answer: it is read out first."""
        self._done = True
        self.transport.unregisterProducer()
        if lingers:
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()
            self.deadline = self._factory.deadline(self._factory.limits.linger_seconds)
        else:
            self.transport.loseConnection()
            self.deadline = self._factory.deadline(self._factory.limits.write_seconds)

    def finish(self) -> None:
        """Ends the connection after what was answered so far."""
        if not self._done:
            self._end(lingers=False)

    def abort(self) -> None:
        """Ends the connection at once."""
        self._done = True
        self.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802
        """The transport's buffer is full: no further answers until the client has read."""
        self._clogged = True

    def resumeProducing(self) -> None:  # noqa: N802
        self._clogged = False
        self.deadline = self._factory.deadline(self._factory.limits.idle_seconds)
        self._serve()

    def stopProducing(self) -> None:  # noqa: N802
        self._done = True


class ConfigFactory(Factory):
    """Keeps the connections, in the order in which they were last served. `on_answer` is told of each answer."""

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        answers: Answers,
        claimer: Claimer,
        on_answer: Callable[[Response], None],
        on_ended: Callable[[str], None],
        limits: Limits = Limits(),
    ) -> None:
        self._clock = clock
        self.answers = answers
        self.claimer = claimer
        self.limits = limits
        self._on_answer = on_answer
        self._on_ended = on_ended
        self._connections: dict[ConfigProtocol, None] = {}
        self._date = (-1, b"")
        self._sweeper = LoopingCall(self._sweep)
        self._sweeper.clock = clock

    def __len__(self) -> int:
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> ConfigProtocol:  # noqa: N802
        return ConfigProtocol(self, str(getattr(addr, "host", "")))

    def startFactory(self) -> None:  # noqa: N802
        self._sweeper.start(SWEEP_SECONDS, now=False)

    def stopFactory(self) -> None:  # noqa: N802
        if self._sweeper.running:
            self._sweeper.stop()

    def deadline(self, seconds: float) -> float:
        return self._clock.seconds() + seconds

    def date(self) -> bytes:
        """The Date field's value (RFC 9110 §6.6.1), made once a second."""
        second = int(self._clock.seconds())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]

    def opened(self, connection: ConfigProtocol) -> None:
        self._connections[connection] = None
        if len(self._connections) > self.limits.connections:
            self._drop(next(iter(self._connections)), "evicted")

    def closed(self, connection: ConfigProtocol) -> None:
        self._connections.pop(connection, None)

    def answered(self, connection: ConfigProtocol, response: Response) -> None:
        if connection in self._connections:
            del self._connections[connection]
            self._connections[connection] = None
        self._on_answer(response)

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for connection in [c for c in self._connections if c.deadline <= now]:
            self._drop(connection, "timeout")

    def _drop(self, connection: ConfigProtocol, reason: str) -> None:
        self.closed(connection)
        self._on_ended(reason)
        connection.abort()

    def end_all(self) -> None:
        """Ends every connection once what was answered is out, for the stop of the daemon."""
        for connection in list(self._connections):
            connection.finish()
