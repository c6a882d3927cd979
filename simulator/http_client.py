"""A small HTTP/1.1 client: one connection a request, as simple devices do."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from simulator.http_text import HttpError, HttpResponse, ResponseReader
from simulator.network import NetworkReactor

SLOW_BITE_BYTES = 512


class HttpClient:
    """Sends one request on a connection of its own and closes it.

    `timeout_seconds` covers all of it, from the look-up of the name to the last byte. `pause_seconds` > 0 makes the
    client a slow reader: it rests that long after each small piece.
    """

    def __init__(
        self, reactor: NetworkReactor, user_agent: str, timeout_seconds: float = 10.0, pause_seconds: float = 0.0
    ) -> None:
        self._reactor = reactor
        self._user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds

    async def get(self, url: str, etag: str = "") -> HttpResponse:
        """GET, with If-None-Match when an entity tag is known. Raises HttpError."""
        return await self.request("GET", url, {"If-None-Match": etag} if etag else {})

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> HttpResponse:
        """One request and its answer, of any status. Raises HttpError."""
        parts = _split(url)
        lines = [
            f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
            f"Host: {parts.netloc.rpartition('@')[2]}",
            f"User-Agent: {self._user_agent}",
            "Accept: */*",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
            *([f"Content-Length: {len(body)}"] if body else []),
        ]
        data = "\r\n".join([*lines, "", ""]).encode("utf-8") + body
        exchange = _Exchange(self._reactor, method, data, self._pause_seconds)
        answer = Deferred.fromCoroutine(self._exchange(self._endpoint(parts), exchange))
        answer.addTimeout(self._timeout_seconds, self._reactor, onTimeoutCancel=self._timed_out)
        return await answer

    async def _exchange(self, endpoint: IStreamClientEndpoint, exchange: _Exchange) -> HttpResponse:
        try:
            await connectProtocol(endpoint, exchange)  # type: ignore[no-untyped-call]
        except (CancelledError, ConnectingCancelledError) as error:
            raise CancelledError from error
        except Exception as error:  # each reactor and resolver has its own ways to fail
            raise HttpError("connect", f"no connection: {type(error).__name__}") from error
        try:
            return await exchange.answer
        finally:
            exchange.close()

    def _endpoint(self, parts: SplitResult) -> IStreamClientEndpoint:
        host, port = parts.hostname or "", parts.port or 80
        if isIPAddress(host):
            return TCP4ClientEndpoint(self._reactor, host, port, timeout=self._timeout_seconds)
        return HostnameEndpoint(self._reactor, host, port, timeout=self._timeout_seconds)

    def _timed_out(self, _result: object, seconds: float) -> HttpResponse:
        raise HttpError("timeout", f"no complete answer within {seconds:g} s")


class _Exchange(Protocol):
    """The request goes out when the connection is up; `answer` fires with the response or an HttpError."""

    transport: ITCPTransport

    def __init__(self, clock: IReactorTime, method: str, request: bytes, pause_seconds: float) -> None:
        self._clock = clock
        self._request = request
        self._reader = ResponseReader(method=method)
        self._pause_seconds = pause_seconds
        self._closed = False
        self._backlog = bytearray()
        self.answer: Deferred[HttpResponse] = Deferred()

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._pause_seconds and not self._closed:
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # every TCP transport is a push producer
            self._backlog += data
            self._bite()
        else:
            self._feed(data)

    def _bite(self) -> None:
        piece = bytes(self._backlog[:SLOW_BITE_BYTES])
        del self._backlog[:SLOW_BITE_BYTES]
        self._feed(piece)
        if not self._closed and not self.answer.called:
            self._clock.callLater(self._pause_seconds, self._rested)

    def _rested(self) -> None:
        if self._closed or self.answer.called:
            return
        if self._backlog:
            self._bite()
        else:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def _feed(self, data: bytes) -> None:
        if self.answer.called:
            return
        try:
            response = self._reader.feed(data)
        except HttpError as error:
            self.answer.errback(error)
        else:
            if response is not None:
                self.answer.callback(response)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802
        self._closed = True
        self._feed(bytes(self._backlog))
        if self.answer.called:
            return
        try:
            self.answer.callback(self._reader.end())
        except HttpError as error:
            self.answer.errback(error)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.transport.abortConnection()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname and parts.port != 0 and url.isascii() and url.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise HttpError("bad-url", "not an http:// URL that a device understands")
    return parts
