"""The process as the supervisor sees it: ready, serving, stopping; one clear line when it can't start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from intercom_core.config.settings import Settings
from intercom_core.runtime.setup import create_distributor, prepare


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installed data directory, and the environment of a daemon that works on it."""
    store = prepare(Settings(data_dir=tmp_path / "var"))
    create_distributor(store, "boss", "a long password")
    store.close()
    keys = {
        "INTERCOM_DATA_DIR": str(tmp_path / "var"),
        "INTERCOM_ADMIN_API__HTTP": "127.0.0.1:0",
        "INTERCOM_METRICS__ADMIN_API": "",
        "INTERCOM_LOG__FORMAT": "json",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("INTERCOM_")} | keys


def command() -> list[str]:
    return [sys.executable, "-m", "admin_api.main"]


@contextmanager
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process once it has told its supervisor that it is ready, and its base URL."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(30)
        process = subprocess.Popen(
            command(), env=environment | {"NOTIFY_SOCKET": str(tmp_path / "notify")}, stdout=subprocess.PIPE, text=True
        )
        try:
            assert supervisor.recv(100) == b"READY=1"
            assert process.stdout is not None
            started = next(line for line in process.stdout if '"started"' in line)
            port = started.split('"port": ')[1].split(",")[0]
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.communicate()


def endless_header(url: str) -> bytes:
    """Sends a header that never ends; the first bytes of the answer, or nothing when the connection is cut."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        try:
            for _ in range(1000):
                client.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 10_000)
            raise AssertionError("10 MB of header were taken")
        except ConnectionError:
            pass
        try:
            return client.recv(12)
        except ConnectionError:
            return b""


def test_serves_and_stops_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    with running(environment, tmp_path) as (process, url):
        login = httpx.post(f"{url}/api/v1/login", json={"login": "boss", "password": "a long password"})
        assert login.json()["role"] == "distributor"
        assert endless_header(url) in (b"", b"HTTP/1.1 400")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert '"stopped"' in output
        assert "a long password" not in output
        assert login.json()["token"] not in output


@pytest.mark.system
def test_the_worked_day_of_the_documentation_works(environment: dict[str, str], tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    with running(environment, tmp_path) as (process, url):
        script = script.replace("http://127.0.0.1:8000", url).replace("curl -sS", "curl -sS --fail-with-body")
        day = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("login distributor", "login boss")],
            env=environment | {"distributor_password": "a long password"}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert day.returncode == 0, day.stdout + day.stderr
        assert "Main gate" in day.stdout
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_port_in_use_is_one_line_and_exit_code_1(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            command(),
            env=environment | {"INTERCOM_ADMIN_API__HTTP": address},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert (ended.returncode, ended.stderr) == (1, f"admin_api: can't listen on {address}: Address already in use\n")


def test_a_database_that_is_not_there_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    ended = subprocess.run(
        command(), env=environment | {"INTERCOM_DATA_DIR": str(tmp_path / "new")}, capture_output=True, text=True,
        timeout=30,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("admin_api: ")
    assert ended.stderr.count("\n") == 1
