"""`/metrics`, `/healthz` and `/readyz` of a daemon, on a listener and a thread of their own.

A thread, so that a main loop that hangs is still told from the outside. Bounded: one request at a time, 5 s each
from connection to last byte.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from intercom_core.config.fields import Listen
from intercom_core.telemetry import log
from intercom_core.telemetry.health import Health

REQUEST_SECONDS = 5.0

_log = log.get("telemetry.server")


class TelemetryServer:
    """Serves until `stop`. `start` raises OSError when the address can't be used."""

    def __init__(
        self, listen: Listen, registry: CollectorRegistry, health: Health, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        self._listen = listen
        self._handler = _make_handler(registry, health, request_seconds)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._server = _Server(self._listen, self._handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="telemetry", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1]) if self._server else 0

    def stop(self) -> None:
        """Waits for the request in hand, so for REQUEST_SECONDS at most."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(REQUEST_SECONDS)


class _Server(TCPServer):
    """Not `HTTPServer`: that looks up its own name in the DNS before it listens."""

    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, listen: Listen, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        super().__init__((listen.host, listen.port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that goes away in the middle is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("request_failed")


def _make_handler(registry: CollectorRegistry, health: Health, request_seconds: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "intercom"
        sys_version = ""

        def setup(self) -> None:
            super().setup()
            # The timeout of a socket begins anew with each byte; this one does not.
            self._deadline = threading.Timer(request_seconds, self._cut)
            self._deadline.daemon = True
            self._deadline.start()

        def finish(self) -> None:
            self._deadline.cancel()
            super().finish()

        def _cut(self) -> None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/healthz":
                self._send_json(200 if health.alive else 503, {"alive": health.alive})
            elif self.path == "/readyz":
                self._send_json(200 if health.ready else 503, health.report())
            else:
                self._send_json(404, {"paths": ["/metrics", "/healthz", "/readyz"]})

        def _send_json(self, status: int, body: dict[str, object]) -> None:
            self._send(status, "application/json", json.dumps(body).encode() + b"\n")

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Scrapes are not worth a log line."""

    return Handler
