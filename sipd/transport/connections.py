"""All connections of the process, over TCP and TLS: how many there may be, how long, and the way to each."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge
from twisted.internet.defer import Deferred

from sipd.transaction.timing import Clock, Timer, cancel
from sipd.transport.flow import Flow

SWEEP_SECONDS = 1.0


class Ended(StrEnum):
    """Why a connection ended, or never began: `refused`."""

    CLOSED = "closed"  # by the other side
    LOST = "lost"  # reset, or keep-alives stayed without an answer
    UNAUTHENTICATED = "unauthenticated"
    IDLE = "idle"
    HANDSHAKE = "handshake"  # of TLS: failed or took too long
    MALFORMED = "malformed"
    STALLED = "stalled"  # the other side does not read
    EVICTED = "evicted"  # to make room
    REFUSED = "refused"
    ERROR = "error"  # our fault, see the log
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Numbers of connections, in total and of one IPv4 address or IPv6 /64, and their times in seconds."""

    connections: int = 20_000
    per_source: int = 1_000
    handshake_seconds: float = 10.0
    unauthenticated_seconds: float = 30.0
    idle_seconds: float = 3_660.0
    stalled_seconds: float = 10.0
    closing_seconds: float = 5.0


class Connection(Protocol):
    """`deadline` is when `expire` is due, in seconds of the clock."""

    flow: Flow
    deadline: float

    def expire(self) -> None: ...

    def abort(self, reason: Ended) -> None: ...

    def send(self, data: bytes) -> None: ...


@dataclass(slots=True)
class _Source:
    connections: int = 0
    strangers: dict[int, Connection] = field(default_factory=dict)


class Connections:
    """Those that have authenticated nothing yet are strangers: when there is no room, the one that waits longest gives
    way; for an address that has all it may have, one of its own."""

    def __init__(self, clock: Clock, limits: StreamLimits, registry: CollectorRegistry) -> None:
        self.clock = clock
        self.limits = limits
        self._numbers = count(1)
        self._all: dict[int, Connection] = {}
        self._strangers: dict[int, Connection] = {}
        self._sources: dict[str, _Source] = {}
        self._timer: Timer | None = None
        self._sockets = 0
        self._drained: Deferred[None] | None = None
        self._open = Gauge("intercom_sipd_connections", "Open connections", ["transport"], registry=registry)
        self._ended = Counter(
            "intercom_sipd_connections_ended", "Connections that ended", ["transport", "reason"], registry=registry
        )

    def __len__(self) -> int:
        return len(self._all)

    def next_number(self) -> int:
        return next(self._numbers)

    def admit(self, transport: str, host: str) -> bool:
        """May `host` have one more connection? Room is made when that can be done."""
        if self._drained is None and self._has_room(host):
            return True
        self._ended.labels(transport, Ended.REFUSED).inc()
        return False

    def _has_room(self, host: str) -> bool:
        source = self._sources.get(_network(host))
        if source is not None and source.connections >= self.limits.per_source:
            return self._evict(source.strangers)
        return len(self._all) < self.limits.connections or self._evict(self._strangers)

    @staticmethod
    def _evict(strangers: dict[int, Connection]) -> bool:
        if not strangers:
            return False
        strangers[next(iter(strangers))].abort(Ended.EVICTED)
        return True

    def add(self, connection: Connection) -> None:
        flow = connection.flow
        self._sockets += 1
        self._all[flow.connection] = self._strangers[flow.connection] = connection
        source = self._sources.setdefault(_network(flow.host), _Source())
        source.connections += 1
        source.strangers[flow.connection] = connection
        self._open.labels(flow.listener).inc()
        if self._timer is None:
            self._timer = self.clock.callLater(SWEEP_SECONDS, self._sweep)

    def trust(self, connection: Connection) -> None:
        """It has authenticated a request: a stranger no more."""
        number = connection.flow.connection
        if self._strangers.pop(number, None) is not None:
            self._sources[_network(connection.flow.host)].strangers.pop(number, None)

    def remove(self, connection: Connection, reason: Ended) -> None:
        flow = connection.flow
        if self._all.pop(flow.connection, None) is None:
            return
        self.trust(connection)
        network = _network(flow.host)
        source = self._sources[network]
        source.connections -= 1
        if not source.connections:
            del self._sources[network]
        self._open.labels(flow.listener).dec()
        self._ended.labels(flow.listener, reason).inc()

    def gone(self) -> None:
        """A socket is closed, maybe some time after its connection was removed."""
        self._sockets -= 1
        if self._drained is not None and not self._sockets:
            self._drained.callback(None)

    def send(self, flow: Flow, data: bytes) -> None:
        """Raises OSError when the connection is gone or does not take it."""
        connection = self._all.get(flow.connection)
        if connection is None:
            raise OSError("the connection is gone")
        connection.send(data)

    def _sweep(self) -> None:
        """One timer for all: at the full number a sweep takes a few milliseconds."""
        self._timer = None
        now = self.clock.seconds()
        for connection in [each for each in self._all.values() if each.deadline <= now]:
            connection.expire()
        if self._all:
            self._timer = self.clock.callLater(SWEEP_SECONDS, self._sweep)

    async def stop(self) -> None:
        """Ends every connection and admits no more."""
        self._drained = Deferred()
        cancel(self._timer)
        self._timer = None
        if not self._sockets:
            return
        for connection in list(self._all.values()):
            connection.abort(Ended.STOP)
        await self._drained


def _network(host: str) -> str:
    """Whoever has an IPv6 address has a /64 of them."""
    if ":" not in host or host.startswith("::ffff:"):
        return host
    packed = ipaddress.IPv6Address(host.partition("%")[0]).packed
    return packed[:8].hex()
