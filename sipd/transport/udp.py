"""SIP over UDP: datagrams to messages, Via stamping, answers to where they belong (RFC 3261 §18, RFC 3581)."""

from __future__ import annotations

import ipaddress
import socket
import string
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from intercom_core.config.fields import Listen
from intercom_core.telemetry import log
from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.fields import parse_via
from sipd.message.grammar import split_outside_quotes
from sipd.message.headers import Headers
from sipd.message.message import Request, Response
from sipd.message.parser import MESSAGE_LIMIT_BYTES, parse
from sipd.message.replies import reply_to_headers
from sipd.transport.batch import BatchPort
from sipd.transport.flow import Flow

DEFAULT_PORT = 5060
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

_TOKEN_BYTES = frozenset(b"-.!%*_+`'~" + string.digits.encode() + string.ascii_letters.encode())

_log = log.get("sipd.transport")


class Dropped(StrEnum):
    """What gets no answer. `error`: our own fault, see the log; `send`: the kernel refused to send."""

    KEEP_ALIVE = "keep-alive"
    STUN = "stun"
    NOT_SIP = "not-sip"
    MALFORMED = "malformed"
    STRAY_RESPONSE = "stray-response"
    ERROR = "error"
    SEND = "send"


class Handler(Protocol):
    """What a transport serves. `on_request` may raise MalformedMessageError, and returns the number that its sender
    has proved to be, if any. `source` is that of the flow."""

    def on_request(self, request: Request, flow: Flow, send: Callable[[bytes], None]) -> str | None: ...

    def on_response(self, response: Response, source: str) -> bool: ...


class ConnectionHandler(Handler, Protocol):
    """`numbers` are those that `on_request` returned for requests of the connection that is gone."""

    def on_connection_lost(self, flow: Flow, numbers: Iterable[str]) -> None: ...


class ShortWay(Protocol):
    """Answers some datagrams without parsing them (sipd.hot)."""

    def take(self, datagram: bytes, address: tuple[str, int]) -> bytes | None: ...

    def watch(
        self, datagram: bytes, request: Request, flow: Flow, send: Callable[[bytes], None]
    ) -> Callable[[bytes], None]: ...

    def settle(self) -> None: ...


class MessageMetrics:
    """Counters of what comes in, over any transport."""

    def __init__(self, registry: CollectorRegistry) -> None:
        dropped = Counter(
            "intercom_sipd_dropped", "Datagrams and messages without an answer", ["reason"], registry=registry
        )
        malformed = Counter("intercom_sipd_malformed", "Malformed messages", ["reason"], registry=registry)
        self.dropped = {reason: dropped.labels(reason) for reason in Dropped}
        self.malformed = {reason: malformed.labels(reason) for reason in Reason}


class UdpTransport(DatagramProtocol):
    """One socket, IPv4 or IPv6. `name` goes into flows and must stay the same across restarts."""

    def __init__(self, name: str, handler: Handler, metrics: MessageMetrics, short: ShortWay | None = None) -> None:
        self.name = name
        self._handler = handler
        self._metrics = metrics
        self._short = short
        self._port: Any = None
        self.port = 0

    def listen(self, reactor: Any, address: Listen) -> None:
        """Raises CannotListenError. `port` is the one that was taken."""
        port: Any = BatchPort(address.port, self, address.host, MESSAGE_LIMIT_BYTES, reactor)  # type: ignore[no-untyped-call]
        port.startListening()
        self._port = port
        # At the default size bursts after a power cut are lost. The kernel caps this at net.core.rmem_max.
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            port.getHandle().setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        self.port = port.getHost().port

    async def stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()

    def send(self, data: bytes, host: str, port: int) -> None:
        """Raises OSError when the kernel does not take it."""
        if self.transport is None:
            raise OSError("the socket is closed")
        try:
            self.transport.write(data, (host, port))
        except BlockingIOError:
            # The socket's buffer is full: lost, as it may be anywhere on its way. Retransmission makes up for it.
            self._drop(Dropped.SEND)
        except MessageLengthError as error:
            raise OSError(str(error)) from None

    def take(self, datagram: bytes, address: tuple[str, int]) -> bytes | None:
        """For BatchPort: what the short way has to say."""
        if self._short is None:
            return None
        try:
            return self._short.take(datagram, address)
        except Exception:
            _log.exception("short_way_failed", source=Flow(self.name, *address).address)
            return None

    def batch_ended(self) -> None:
        """For BatchPort."""
        if self._short is not None:
            self._short.settle()

    def not_sent(self, datagrams: int) -> None:
        """For BatchPort: the kernel did not take them."""
        self._metrics.dropped[Dropped.SEND].inc(datagrams)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802
        host, port = addr[0], addr[1]
        try:
            self._received(datagram, host, port)
        except Exception:
            self._drop(Dropped.ERROR)
            _log.exception("datagram_failed", source=Flow(self.name, host, port).address)

    def _received(self, datagram: bytes, host: str, port: int) -> None:
        if (not datagram or datagram[0] not in _TOKEN_BYTES) and (noise := _noise(datagram)) is not None:
            self._drop(noise)
            return
        try:
            message = parse(datagram)
            if isinstance(message, Response):
                if not self._handler.on_response(message, host):
                    self._drop(Dropped.STRAY_RESPONSE)
                return
            self._request(message, datagram, host, port)
        except MalformedMessageError as error:
            self._malformed(error, host, port)

    def _request(self, request: Request, datagram: bytes, host: str, port: int) -> None:
        via = request.via
        address = unmapped(host)
        request.via = via.stamped(address, port)
        reply_port = port if "rport" in via.params else via.port or DEFAULT_PORT
        flow = Flow(self.name, host, port)
        send: Callable[[bytes], None] = partial(self._reply, host, reply_port)
        if self._short is not None and reply_port == port:
            send = self._short.watch(datagram, request, flow, send)
        try:
            self._handler.on_request(request, flow, send)
        except MalformedMessageError as error:
            raise MalformedMessageError(error.reason, request.headers) from None

    def _malformed(self, error: MalformedMessageError, host: str, port: int) -> None:
        self._metrics.malformed[error.reason].inc()
        answer = stateless_refusal(error, unmapped(host), port) if error.request_headers else None
        if answer is None:
            self._drop(Dropped.MALFORMED)
        else:
            self._reply(host, port, answer)

    def _reply(self, host: str, port: int, data: bytes) -> None:
        answer = getattr(self.transport, "answer", None)
        if answer is not None:
            answer(data, (host, port))
            return
        try:
            self.send(data, host, port)
        except OSError as error:
            self._drop(Dropped.SEND)
            _log.warning("reply_not_sent", destination=Flow(self.name, host, port).address, reason=str(error))

    def _drop(self, reason: Dropped) -> None:
        self._metrics.dropped[reason].inc()


def _noise(datagram: bytes) -> Dropped | None:
    """What a datagram is that does not begin like SIP; None when it may be SIP after blank lines (§7.5)."""
    if not datagram.strip(b"\r\n\0"):  # some devices send NULs to hold the NAT open
        return Dropped.KEEP_ALIVE
    if len(datagram) >= 20 and datagram[0] < 4 and datagram[4:8] == b"\x21\x12\xa4\x42":
        return Dropped.STUN
    return None if datagram.lstrip(b"\r\n")[0] in _TOKEN_BYTES else Dropped.NOT_SIP


def unmapped(host: str) -> str:
    """`::ffff:192.0.2.1`, as a dual-stack socket shows IPv4 peers, becomes `192.0.2.1`."""
    if not host.startswith("::ffff:"):
        return host
    mapped = ipaddress.IPv6Address(host).ipv4_mapped
    return host if mapped is None else str(mapped)


def stateless_refusal(error: MalformedMessageError, host: str, port: int) -> bytes | None:
    """A 400 (505 for a foreign version) to the source of a request that has all that a response needs, else None."""
    source = error.request_headers or Headers()
    via = source.first("Via")
    cseq = source.first("CSeq")
    if via is None or cseq is None or any(name not in source for name in ("From", "To", "Call-ID")):
        return None
    if cseq.split()[-1:] == ["ACK"]:
        return None
    try:
        first, *rest = split_outside_quotes(via, ",")
        stamped = ",".join([str(parse_via(first).stamped(host, port)), *rest])
    except MalformedMessageError:
        return None
    status = 505 if error.reason is Reason.VERSION else 400
    response = reply_to_headers(source, status, "malformed")
    response.headers.all("Via")[0] = stamped
    response.reason = f"{response.reason} ({error.reason})" if status == 400 else response.reason
    return response.to_bytes()
