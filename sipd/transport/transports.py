"""All ways in and out: UDP, TCP and TLS, as the configuration has them."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from intercom_core.config.settings import SipdSettings
from sipd.transport.connections import Connections, StreamLimits
from sipd.transport.flow import Flow
from sipd.transport.tcp import StreamTransport, tcp_factory
from sipd.transport.tls import TlsMetrics, WatchedCertificates, tls_factory
from sipd.transport.udp import ConnectionHandler, MessageMetrics, ShortWay, UdpTransport

IDLE_GRACE_SECONDS = 60


class Transports:
    """`handler` is served over all of them; `short` is asked first for what comes over UDP."""

    def __init__(
        self,
        reactor: Any,
        settings: SipdSettings,
        handler: ConnectionHandler,
        registry: CollectorRegistry,
        short: ShortWay | None = None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        messages, tls = MessageMetrics(registry), TlsMetrics(registry)
        self._connections = connections = Connections(reactor, _limits(settings), registry)
        self._certificates = WatchedCertificates(reactor, settings.tls_files, settings.tls_client_ca, tls)
        self._udp = UdpTransport("udp", handler, messages, short)
        self._tcp = StreamTransport(tcp_factory(connections, handler, messages))
        self._tls = StreamTransport(tls_factory(connections, handler, messages, self._certificates, tls))

    @property
    def ports(self) -> dict[str, int]:
        """Of each listener (Flow.listener), 0 where there is none."""
        return {"udp": self._udp.port, "tcp": self._tcp.port, "tls": self._tls.port}

    def listen(self) -> None:
        """Raises CannotListenError, or CertificateError."""
        settings = self._settings
        if settings.tls is not None:
            self._certificates.start()
            self._tls.listen(self._reactor, settings.tls)
        if settings.tcp is not None:
            self._tcp.listen(self._reactor, settings.tcp)
        if settings.udp is not None:
            self._udp.listen(self._reactor, settings.udp)

    def reload(self) -> None:
        """Certificates are read again, without waiting for the next look at their files."""
        if self._settings.tls is not None:
            self._certificates.reload()

    def send(self, flow: Flow, data: bytes) -> None:
        """Raises OSError when it can't leave."""
        if flow.connection:
            self._connections.send(flow, data)
        else:
            self._udp.send(data, flow.host, flow.port)

    async def stop(self) -> None:
        """Takes nothing more. Connections end, which changes nothing about what was bound over them."""
        for transport in (self._udp, self._tcp, self._tls):
            await transport.stop()
        self._certificates.stop()
        await self._connections.stop()


def _limits(settings: SipdSettings) -> StreamLimits:
    """A connection outlives the longest binding that can be made over it."""
    idle_seconds = settings.max_expires_seconds + IDLE_GRACE_SECONDS
    return StreamLimits(settings.max_connections, settings.max_connections_per_source, idle_seconds=idle_seconds)
