"""What every request meets first and every answer leaves through: limits, security headers, one log line, metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_api import problems
from admin_api.metrics import Metrics
from intercom_core.telemetry import log

MAX_BODY_BYTES = 1024 * 1024
BODY_TIMEOUT_SECONDS = 30.0
_PATH_SHOWN = 200
_LOG = log.get("admin_api.http")

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE = (b"cache-control", b"no-store")


class Edge:
    """ASGI middleware. The body is read whole before the application sees it: at most `MAX_BODY_BYTES`, in at most
    `BODY_TIMEOUT_SECONDS`. An error that nobody handled becomes a logged 500 without details."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()
        sent = _Answer(scope, send)
        try:
            body = await _read_body(scope, receive)
            if isinstance(body, int):
                await problems.answer(body, headers={"Connection": "close"})(scope, receive, sent)
            else:
                await self._app(scope, _replay(body, receive), sent)
        except Exception:
            _LOG.exception("request_failed", method=scope["method"], route=_route(scope))
            if sent.status == 0:
                await problems.answer(500, "internal")(scope, receive, sent)
        finally:
            self._tell(scope, sent.status or 499, self._clock() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.request(route, scope["method"], status, seconds)
        _LOG.info(
            "request",
            method=scope["method"],
            path=scope["path"][:_PATH_SHOWN],
            status=status,
            milliseconds=round(seconds * 1000, 1),
            address=scope["client"][0] if scope.get("client") else "",
        )


class _Answer:
    """Passes an answer on, with the headers that all have. `status` is 0 until the answer has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._secure = scope.get("scheme") == "https"
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *_HEADERS]
            if all(name.lower() != _NO_STORE[0] for name, _ in headers):
                headers.append(_NO_STORE)
            if self._secure:
                headers.append(_HSTS)
            message = {**message, "headers": headers}
        await self._send(message)


async def _read_body(scope: Scope, receive: Receive) -> bytes | int:
    """The whole body, or the status of the refusal: 408 or 413."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value[:20]) > MAX_BODY_BYTES):
            return 413
    try:
        return await asyncio.wait_for(_collect(receive), BODY_TIMEOUT_SECONDS)
    except TimeoutError:
        return 408


async def _collect(receive: Receive) -> bytes | int:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return 408
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return 413
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    first = True

    async def replayed() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return str(getattr(route, "path", "")) or "unmatched"
