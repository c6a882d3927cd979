"""The life of a Twisted daemon: read the configuration, open what it stands on, start, serve, stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from intercom_core.config.fields import Listen
from intercom_core.config.load import load_settings
from intercom_core.config.settings import Settings
from intercom_core.model.errors import SuiteError
from intercom_core.runtime import notify
from intercom_core.runtime.failures import cannot_listen, explain_start_failure
from intercom_core.runtime.limits import raise_file_limit
from intercom_core.runtime.pool import WorkPool
from intercom_core.store.engine import Store, open_engine
from intercom_core.store.migrate import require_current_schema
from intercom_core.telemetry import log
from intercom_core.telemetry.health import Health
from intercom_core.telemetry.server import TelemetryServer

DATABASE_THREADS = 4
BEAT_SECONDS = 1.0
_SERVING = "serving"  # the part of /readyz that says: `start` is through, `stop` has not begun

_log = log.get("runtime.role")


@dataclass(frozen=True, slots=True)
class RoleContext:
    """All that a daemon gets from outside. `pool` is for database work."""

    reactor: Any
    settings: Settings
    store: Store
    pool: WorkPool
    registry: CollectorRegistry
    health: Health


class Service(Protocol):
    """A daemon's wiring. `start` returns when it serves and raises when it can't; `stop` loses nothing."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@runtime_checkable
class Reloadable(Protocol):
    """A service that takes over what has changed in files when it gets SIGHUP."""

    def reload(self) -> None: ...


Build = Callable[[RoleContext], Service]


def parse_config_path(role: str, argv: Sequence[str]) -> Path | None:
    parser = argparse.ArgumentParser(prog=role, description=f"The {role} daemon; see intercom-suite run --role.")
    parser.add_argument("--config", type=Path, help="TOML file (default: conf/suite.toml if present)")
    path: Path | None = parser.parse_args(argv).config
    return path


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures (CPU, memory, descriptors, garbage collector)."""
    # The time series with creation times would double every counter's lines, and nobody reads them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metrics_listen(settings: Settings, role: str) -> Listen | None:
    listen: Listen | None = getattr(settings.metrics, role)
    return listen


def open_store(settings: Settings) -> Store:
    """The database of the settings. Raises SuiteError when its schema is not this version's."""
    store = Store(open_engine(settings.database_url))
    require_current_schema(store)
    return store


class _Run:
    """One start-to-stop of a daemon inside a running reactor. `exit_code` is valid after the reactor stopped."""

    def __init__(self, role: str, build: Build, reactor: Any, settings: Settings) -> None:
        self._role = role
        self._build = build
        self._reactor = reactor
        self._settings = settings
        self._service: Service | None = None
        self._context: RoleContext | None = None
        self._telemetry: TelemetryServer | None = None
        self._ending = False
        self.exit_code = 0

    def schedule(self) -> None:
        self._reactor.callWhenRunning(lambda: Deferred.fromCoroutine(self._start()))

    async def _start(self) -> None:
        try:
            self._context = context = self._open()
            self._start_telemetry(context)
            service = self._build(context)
            await service.start()
            self._service = service
        except Exception as error:
            reason = explain_start_failure(error)
            if reason is None:
                _log.exception("start_failed")
            else:
                print(f"{self._role}: {reason}", file=sys.stderr)
            self.exit_code = 70 if reason is None else 1
            self._reactor.stop()
            return
        if self._ending:
            await self._stop()
            return
        context.health.set(_SERVING, True)
        notify.ready()
        _log.info("started", pid=os.getpid())

    def _open(self) -> RoleContext:
        store = open_store(self._settings)
        registry = new_registry()
        pool = WorkPool(self._reactor, "database", DATABASE_THREADS, registry)
        self._reactor.addSystemEventTrigger("after", "shutdown", pool.stop)
        self._reactor.addSystemEventTrigger("after", "shutdown", store.close)
        health = Health()
        health.set(_SERVING, False)
        beat = LoopingCall(health.beat)
        beat.clock = self._reactor
        beat.start(BEAT_SECONDS)
        return RoleContext(self._reactor, self._settings, store, pool, registry, health)

    def _start_telemetry(self, context: RoleContext) -> None:
        listen = metrics_listen(self._settings, self._role)
        if listen is None:
            return
        self._telemetry = TelemetryServer(listen, context.registry, context.health)
        try:
            self._telemetry.start()
        except OSError as error:
            raise cannot_listen(listen, error) from None

    def on_signal(self, _number: int, _frame: object) -> None:
        self._reactor.callFromThread(self._begin_end)

    def on_hangup(self, _number: int, _frame: object) -> None:
        self._reactor.callFromThread(self._reload)

    def _reload(self) -> None:
        if isinstance(self._service, Reloadable) and not self._ending:
            self._service.reload()

    def _begin_end(self) -> None:
        if self._ending:
            return
        self._ending = True
        if self._context is not None:
            self._context.health.set(_SERVING, False)
        notify.stopping()
        if self._service is not None:
            Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        try:
            if self._service is not None:
                await self._service.stop()
            _log.info("stopped")
        except Exception:
            _log.exception("stop_failed")
            self.exit_code = 70
        finally:
            if self._telemetry:
                self._telemetry.stop()
            self._reactor.stop()


def run_role(role: str, build: Build, reactor: Any, argv: Sequence[str]) -> int:
    """Runs a daemon until SIGTERM or SIGINT; returns the exit code: 0, 1 (can't start as told) or 70 (our fault)."""
    try:
        settings = load_settings(parse_config_path(role, argv), os.environ)
    except SuiteError as error:
        print(f"{role}: {error.message}", file=sys.stderr)
        return 1
    configure_logging(role, settings)
    log.capture_twisted()
    raise_file_limit()
    run = _Run(role, build, reactor, settings)
    run.schedule()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, run.on_signal)
    signal.signal(signal.SIGHUP, run.on_hangup)
    reactor.run(installSignalHandlers=False)
    return run.exit_code


def configure_logging(role: str, settings: Settings) -> None:
    as_json = None if settings.log.format == "auto" else settings.log.format == "json"
    log.configure(role, level=settings.log.level, as_json=as_json)
