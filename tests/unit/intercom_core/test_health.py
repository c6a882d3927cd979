"""Health answers and the listener that tells them."""

from __future__ import annotations

import json
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from intercom_core.config.fields import Listen
from intercom_core.telemetry.health import STALL_SECONDS, Health
from intercom_core.telemetry.server import TelemetryServer


class _Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> _Time:
    return _Time()


@pytest.fixture
def health(time: _Time) -> Health:
    health = Health(clock=time)
    health.set("files", False)
    return health


@pytest.fixture
def server(health: Health) -> Iterator[TelemetryServer]:
    registry = CollectorRegistry()
    Counter("intercom_test_things_total", "Things", registry=registry).inc(3)
    server = TelemetryServer(Listen("127.0.0.1", 0), registry, health, request_seconds=0.5)
    server.start()
    yield server
    server.stop()


def _get(server: TelemetryServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_ready_only_when_every_part_is_and_the_loop_turns(server: TelemetryServer, health: Health, time: _Time) -> None:
    assert _get(server, "/healthz")[0] == 200
    assert _get(server, "/readyz")[0] == 503
    health.set("files", True)
    status, body = _get(server, "/readyz")
    assert (status, json.loads(body)["parts"]) == (200, {"files": True})
    time.now += STALL_SECONDS
    assert _get(server, "/readyz")[0] == 503
    assert _get(server, "/healthz")[0] == 503
    health.beat()
    assert _get(server, "/readyz")[0] == 200


def test_metrics_of_the_given_registry(server: TelemetryServer) -> None:
    status, body = _get(server, "/metrics")
    assert status == 200
    assert "intercom_test_things_total 3.0" in body
    assert _get(server, "/../etc/passwd")[0] == 404


def test_a_request_that_drips_is_cut_off_and_holds_up_nobody(server: TelemetryServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(0.05)
        client.sendall(b"GET /metrics HTTP/1.0\r\n")
        answer = b"nothing yet"
        for _ in range(100):
            try:
                client.sendall(b"A: b\r\n")
                answer = client.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b""
            break
        assert b"nothing yet" not in answer
    assert _get(server, "/metrics")[0] == 200


def test_a_client_that_goes_away_leaves_no_traceback(
    server: TelemetryServer, capfd: pytest.CaptureFixture[str]
) -> None:
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(b"GET /met")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert _get(server, "/metrics")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
