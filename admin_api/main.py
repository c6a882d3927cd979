"""The `admin_api` process: configuration, database, uvicorn, a clean end."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import uvicorn
from fastapi import FastAPI

from admin_api import service
from admin_api.app import create_app
from admin_api.connection import TimedProtocol
from intercom_core.config.fields import Listen
from intercom_core.config.load import load_settings
from intercom_core.config.settings import Settings
from intercom_core.model.errors import SuiteError
from intercom_core.runtime import notify
from intercom_core.runtime.role import (
    configure_logging,
    metrics_listen,
    new_registry,
    open_store,
    parse_config_path,
)
from intercom_core.telemetry import log
from intercom_core.telemetry.health import Health
from intercom_core.telemetry.server import TelemetryServer

ROLE = "admin_api"
MAX_HEADER_BYTES = 32 * 1024
MAX_CONNECTIONS = 500
KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 5
_TICKS_PER_BEAT = 10  # uvicorn ticks ten times a second
_LOG = log.get("admin_api.main")


class CannotServeError(SuiteError):
    code = "listen"


class _Server(uvicorn.Server):
    """Tells the supervisor when it serves, and the health endpoint that its loop turns."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health
        health.set("serving", False)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            self._health.beat()
            self._health.set("serving", True)
            _LOG.info("started", pid=os.getpid(), port=sockets[0].getsockname()[1])
            notify.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._health.set("serving", False)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_BEAT == 0:
            self._health.beat()
        return await super().on_tick(counter)


def main(argv: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT. Returns 0, or 1 with one clear line when it can't start as told."""
    try:
        settings = load_settings(parse_config_path(ROLE, argv), os.environ)
        configure_logging(ROLE, settings)
        with ExitStack() as resources:
            _serve(settings, resources)
    except SuiteError as error:
        print(f"{ROLE}: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _serve(settings: Settings, resources: ExitStack) -> None:
    listener = resources.enter_context(_bind(settings.admin_api.http))
    store = open_store(settings)
    resources.callback(store.close)
    registry, health = new_registry(), Health()
    app = create_app(service.build(settings, store, registry))
    telemetry = metrics_listen(settings, ROLE)
    if telemetry is not None:
        server = TelemetryServer(telemetry, registry, health)
        try:
            server.start()
        except OSError as error:
            raise CannotServeError(f"can't listen on {telemetry}: {error.strerror}") from None
        resources.callback(server.stop)
    _run(app, listener, health)


def _run(app: FastAPI, listener: socket.socket, health: Health) -> None:
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
    )
    server = _Server(config, health)
    # uvicorn raises the signal again when it has stopped; by default that would kill this process before it tidies up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])
    notify.stopping()
    _LOG.info("stopped")


def _bind(listen: Listen | None) -> socket.socket:
    """Raises CannotServeError with the address in words."""
    if listen is None:
        raise CannotServeError("admin_api.http is empty: there is nothing to serve")
    listener = socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
    except OSError as error:
        listener.close()
        raise CannotServeError(f"can't listen on {listen}: {error.strerror}") from None
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
