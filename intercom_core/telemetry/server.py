"""`/metrics`, `/healthz` and `/readyz` of a daemon, on a listener and a thread of their own.

A thread, so that a main loop that hangs is still told from the outside. Bounded: one request at a time, 5 s each.
"""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from intercom_core.config.settings import Listen
from intercom_core.telemetry.health import Health

REQUEST_TIMEOUT_SECONDS = 5


class TelemetryServer:
    """Serves until `stop`. `start` raises OSError when the address can't be used."""

    def __init__(self, listen: Listen, registry: CollectorRegistry, health: Health) -> None:
        self._listen = listen
        self._handler = _make_handler(registry, health)
        self._server: HTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        server_class = type("_Server", (HTTPServer,), {"address_family": family, "request_queue_size": 16})
        self._server = server_class((self._listen.host, self._listen.port), self._handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="telemetry", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port) if self._server else 0

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(REQUEST_TIMEOUT_SECONDS)


def _make_handler(registry: CollectorRegistry, health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_SECONDS
        server_version = "intercom"
        sys_version = ""

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
