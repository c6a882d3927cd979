"""SIP over TLS (RFC 3261 §26.3.1, RFC 5630): connections as over TCP, after a handshake; certificates that can be
replaced while sipd runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from prometheus_client import CollectorRegistry, Counter, Gauge
from twisted.internet.interfaces import IAddress, IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from intercom_core.config.fields import CertificateFiles
from intercom_core.security.certificates import CertificateError, ServerCertificates
from intercom_core.telemetry import log
from sipd.transaction.timing import Clock, Timer, cancel
from sipd.transport.connections import Connections, Ended
from sipd.transport.tcp import StreamConnection, StreamFactory
from sipd.transport.udp import ConnectionHandler, MessageMetrics

WATCH_SECONDS = 10.0

_log = log.get("sipd.tls")


class Handshake(StrEnum):
    """How a handshake ended. `abandoned`: the other side left, or had to make room."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"


class TlsMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.handshakes = Counter(
            "intercom_sipd_tls_handshakes", "TLS handshakes by outcome", ["outcome"], registry=registry
        )
        self.reloads = Counter(
            "intercom_sipd_tls_reloads", "Certificates read again, by outcome", ["outcome"], registry=registry
        )
        self.expires_at = Gauge(
            "intercom_sipd_tls_certificate_expires_seconds",
            "When the first of the certificates in use expires, seconds since the epoch",
            registry=registry,
        )


@implementer(IOpenSSLServerConnectionCreator)
class WatchedCertificates:
    """Certificates that follow their files: looked at every WATCH_SECONDS. Connections that are there keep theirs, and
    files that can't be used change nothing."""

    def __init__(
        self, clock: Clock, files: Sequence[CertificateFiles], client_ca: Path | None, metrics: TlsMetrics
    ) -> None:
        self._clock = clock
        self._files = files
        self._client_ca = client_ca
        self._metrics = metrics
        self._paths = [path for pair in files for path in (pair.certificate, pair.key)]
        self._paths += [client_ca] if client_ca else []
        self._seen: list[object] = []
        self._timer: Timer | None = None
        self._current: ServerCertificates | None = None

    def start(self) -> None:
        """Raises CertificateError."""
        self._read()
        self._timer = self._clock.callLater(WATCH_SECONDS, self._watch)

    def stop(self) -> None:
        cancel(self._timer)

    def _read(self) -> None:
        self._seen = self._stamps()
        self._current = ServerCertificates(self._files, self._client_ca)
        self._metrics.expires_at.set(self._current.expires_at.timestamp())

    def _stamps(self) -> list[object]:
        return [_stamp(path) for path in self._paths]

    def _watch(self) -> None:
        self._timer = self._clock.callLater(WATCH_SECONDS, self._watch)
        if self._stamps() != self._seen:
            self.reload()

    def reload(self) -> None:
        """Read the files now."""
        try:
            self._read()
        except CertificateError as error:
            # Key and certificate may be replaced one after the other: the next change of a file tries again.
            self._metrics.reloads.labels("failed").inc()
            _log.warning("certificates_not_reloaded", reason=error.message)
        else:
            self._metrics.reloads.labels("ok").inc()
            _log.info("certificates_reloaded")

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002, N802, N803
        if self._current is None:
            raise RuntimeError("no certificates were read")
        connection = SSL.Connection(self._current.default)
        connection.set_accept_state()
        return connection


def _stamp(path: Path) -> object:
    """Changes when the file does; a rename over it, too."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@implementer(IHandshakeListener)
class TlsConnection(StreamConnection):
    """Like one over TCP once the handshake is done, for which it has a time of its own."""

    def __init__(
        self, connections: Connections, handler: ConnectionHandler, metrics: MessageMetrics, tls: TlsMetrics
    ) -> None:
        super().__init__("tls", connections, handler, metrics)
        self._tls = tls
        self._is_secure = False

    def _await_first_request(self) -> None:
        if self._is_secure:
            super()._await_first_request()
        else:
            self._expect(self._connections.limits.handshake_seconds, Ended.HANDSHAKE)

    def handshakeCompleted(self) -> None:  # noqa: N802
        self._is_secure = True
        self._await_first_request()
        self._tls.handshakes.labels(Handshake.OK).inc()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if not self._is_secure:
            self._tls.handshakes.labels(self._outcome(reason.value)).inc()
        super().connectionLost(reason)

    def _outcome(self, error: BaseException | None) -> Handshake:
        if self._reason is Ended.HANDSHAKE:
            return Handshake.TIMEOUT
        return Handshake.FAILED if isinstance(error, SSL.Error) else Handshake.ABANDONED

    def _end_of(self, error: BaseException | None) -> Ended:
        return super()._end_of(error) if self._is_secure else Ended.HANDSHAKE


class TlsFactory(TLSMemoryBIOFactory):
    """As Twisted's, but the factory inside may refuse a connection, and messages are written as they come: each is
    one record already."""

    protocol = TLSMemoryBIOProtocol

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802
        inside = self.wrappedFactory.buildProtocol(addr)
        protocol: Any = self.protocol
        return None if inside is None else protocol(self, inside)


def tls_factory(
    connections: Connections,
    handler: ConnectionHandler,
    metrics: MessageMetrics,
    certificates: WatchedCertificates,
    tls: TlsMetrics,
) -> TlsFactory:
    inside = StreamFactory("tls", connections, lambda: TlsConnection(connections, handler, metrics, tls))
    clock: Any = connections.clock
    return TlsFactory(certificates, False, inside, clock)
