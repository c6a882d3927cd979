"""Wires the provisioning daemon."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall

import autop_templates
from intercom_core.changes.waker import open_waker
from intercom_core.config.settings import Settings
from intercom_core.runtime.pool import WorkPool
from intercom_core.runtime.role import RoleContext
from intercom_core.security.box import SealedBox
from intercom_core.security.keys import KeyName, load_box
from intercom_core.store.housekeeping import forget_old
from intercom_core.store.schema import now_utc
from intercom_core.telemetry import log
from provisiond.autop import families
from provisiond.autop.answers import Answers, CloneAlarm, Delivery, Refusal, Response
from provisiond.autop.http import ConfigFactory, Limits
from provisiond.autop.inputs import Server
from provisiond.autop.render import FileKind, Renderer, probe
from provisiond.autop.shelf import Shelf
from provisiond.bootstrap import claims
from provisiond.sync import keeper
from provisiond.sync.deliveries import Deliveries

TEMPLATES = Path(autop_templates.__file__).parent
DEFAULT_SIP_PORT = 5060
LISTEN_BACKLOG = 1024
RESERVED_FILES = 256
HOUSEKEEPING_SECONDS = 3600

_log = log.get("provisiond.service")


@dataclass(frozen=True, slots=True)
class HttpMetrics:
    """`kind`: of the file, or none; `outcome`: ok, not_modified, refused."""

    requests: Counter
    refusals: Counter
    ended: Counter
    connections: Gauge

    @classmethod
    def on(cls, registry: CollectorRegistry) -> HttpMetrics:
        prefix = "intercom_provisiond"
        metrics = cls(
            Counter(f"{prefix}_config_requests", "Config requests", ["kind", "outcome"], registry=registry),
            Counter(f"{prefix}_config_refusals", "Refused config requests", ["reason"], registry=registry),
            Counter(f"{prefix}_http_connections_ended", "Connections ended by us", ["reason"], registry=registry),
            Gauge(f"{prefix}_http_connections", "Open connections of devices", registry=registry),
        )
        for kind in FileKind:
            metrics.requests.labels(kind, "ok")
        for reason in Refusal:
            metrics.refusals.labels(reason)
        return metrics


def server_of(settings: Settings) -> Server:
    """How devices reach this installation. Raises InvalidValueError when its URLs are too long for devices."""
    return Server(
        sip_domain=settings.sipd.domain,
        sip_port=settings.sipd.udp.port if settings.sipd.udp else DEFAULT_SIP_PORT,
        sip_transport="udp",
        register_seconds=settings.sipd.default_expires_seconds,
        base_url=settings.provisioning_url,
    )


def http_limits(open_files: int) -> Limits:
    """As many connections as the process may hold, less what database, logs and everything else need."""
    defaults = Limits()
    return replace(defaults, connections=max(16, min(defaults.connections, open_files - RESERVED_FILES)))


class ProvisiondService:
    """Loads all files, serves them over HTTP, follows the change log."""

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        context.health.set("files", False)
        self._shelf = Shelf()
        self._metrics = HttpMetrics.on(context.registry)
        metrics = keeper.Metrics.on(context.registry)
        shared = (context.store, context.pool, self._shelf, now_utc)
        box = load_box(context.settings.data_dir, KeyName.PROVISIONING)
        self._claims = claims.Claims(context.reactor, *shared, box, claims.Metrics.on(context.registry))
        self._deliveries = Deliveries(context.reactor, *shared, metrics.commands)
        self._keeper = self._new_keeper(box, metrics)
        self._factory = ConfigFactory(
            context.reactor,
            Answers(self._shelf, now_utc),
            self._claims,
            self._answered,
            self._connection_ended,
            http_limits(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )
        self._metrics.connections.set_function(lambda: len(self._factory))
        self._port: IListeningPort | None = None
        self._housekeeping = LoopingCall(lambda: Deferred.fromCoroutine(self._forget_old()))
        self._housekeeping.clock = context.reactor

    def _new_keeper(self, box: SealedBox, metrics: keeper.Metrics) -> keeper.Keeper:
        context = self._context
        server = server_of(context.settings)
        renderer = Renderer(families.load(TEMPLATES, probe))
        render_pool = WorkPool(context.reactor, "render", 1, context.registry)
        context.reactor.addSystemEventTrigger("after", "shutdown", render_pool.stop)
        return keeper.Keeper(
            context.reactor,
            context.store,
            context.pool,
            render_pool,
            open_waker(context.reactor, context.store),
            box,
            renderer,
            server,
            self._shelf,
            metrics,
        )

    @property
    def http_port(self) -> int:
        """The port that is listened on; 0 when none is."""
        return self._port.getHost().port if self._port else 0  # type: ignore[attr-defined]

    async def start(self) -> None:
        await self._keeper.load()
        listen = self._context.settings.provisiond.http
        if listen is not None:
            self._port = self._context.reactor.listenTCP(
                listen.port, self._factory, backlog=LISTEN_BACKLOG, interface=listen.host
            )
        self._keeper.follow()
        self._housekeeping.start(HOUSEKEEPING_SECONDS, now=False)
        self._context.health.set("files", True)
        _log.info("serving", http_port=self.http_port)

    async def stop(self) -> None:
        """Nothing that was served is forgotten: what waits to be recorded is written."""
        self._context.health.set("files", False)
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        self._factory.end_all()
        if self._housekeeping.running:
            self._housekeeping.stop()
        await self._keeper.stop()
        await self._deliveries.stop()
        await self._claims.stop()

    async def _forget_old(self) -> None:
        try:
            rows = await self._context.pool.run(forget_old, self._context.store, now_utc())
            _log.info("old_rows_forgotten", rows=rows)
        except Exception:
            _log.exception("old_rows_not_forgotten")

    def _answered(self, response: Response) -> None:
        kind = response.kind or "none"
        if response.refusal is not None:
            self._metrics.requests.labels(kind, "refused").inc()
            self._metrics.refusals.labels(response.refusal).inc()
        else:
            self._metrics.requests.labels(kind, "ok" if response.body else "not_modified").inc()
        if isinstance(response.event, Delivery):
            self._deliveries.note(response.event)
        elif isinstance(response.event, CloneAlarm):
            self._claims.note_alarm(response.event)

    def _connection_ended(self, reason: str) -> None:
        self._metrics.ended.labels(reason).inc()


def build(context: RoleContext) -> ProvisiondService:
    return ProvisiondService(context)
