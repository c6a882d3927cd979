"""The real suite as a child process, and the small clients an installer would use."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from free_ports import free_port

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
SUITE = [sys.executable, "-m", "intercom_core.suite"]


class RunningSuite:
    """`intercom-suite run` on free ports of 127.0.0.1 with its data under `folder`."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        self.config = folder / "suite.toml"
        self.api_port, self.device_port = free_port(), free_port()
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.metrics = {role: free_port() for role in ("sipd", "provisiond", "admin_api")}
        metrics = "\n".join(f'{role} = "127.0.0.1:{port}"' for role, port in self.metrics.items())
        self.config.write_text(
            f'data_dir = "{folder / "data"}"\n'
            f'[database]\nurl = "{database_url}"\n'
            f'[sipd]\ndomain = "127.0.0.1"\nudp = "127.0.0.1:{self.sip_port}"\nmin_expires_seconds = 1\n'
            f'[provisiond]\nhttp = "127.0.0.1:{self.device_port}"\n'
            f'[admin_api]\nhttp = "127.0.0.1:{self.api_port}"\n'
            f"[metrics]\n{metrics}\n"
            '[log]\nformat = "json"\n'
        )
        self.password = ""
        self.output: list[str] = []
        self._seen = 0
        self._arrived = threading.Condition()
        self.log = folder / "suite.log"
        self.start()

    def start(self) -> None:
        """Returns when the suite has said that it is ready; `password` is what this start showed, if anything."""
        begin = len(self.output)
        with self.log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*SUITE, "run", "--config", str(self.config)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        # Drained all the time: a full pipe would stop the daemons.
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        self.wait_for_line(r"^ready in ")
        shown = [line for line in self.output[begin:] if line.startswith("distributor password: ")]
        self.password = shown[0].removeprefix("distributor password: ") if shown else ""

    def _read(self, stdout: IO[str]) -> None:
        with stdout:
            for line in stdout:
                with self._arrived:
                    self.output.append(line.rstrip("\n"))
                    self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def wait_for_line(self, pattern: str) -> str:
        """The first line of output that matches and was not waited for before."""

        def found() -> bool:
            while self._seen < len(self.output):
                self._seen += 1
                if re.search(pattern, self.output[self._seen - 1]):
                    return True
            return not self._reader.is_alive()

        with self._arrived:
            arrived = self._arrived.wait_for(found, START_TIMEOUT_SECONDS)
            line = self.output[self._seen - 1] if self.output else ""
        assert arrived, f"no {pattern!r} in: {self.tail()}"
        assert re.search(pattern, line), f"ended before {pattern!r}: {self.tail()}"
        return line

    def tail(self) -> str:
        return "\n".join([*self.output[-40:], self.log.read_text()[-2000:]])

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT)
        code = self._process.wait(STOP_TIMEOUT_SECONDS)
        self._reader.join(STOP_TIMEOUT_SECONDS)
        return code

    def kill(self, *, children: bool) -> None:
        """kill -9 of the supervisor and, as in a power cut, of its `children` at the same time."""
        pids = [self.daemon_pid(role) for role in self.metrics] if children else []
        for pid in [self._process.pid, *pids]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_SECONDS)
        self._reader.join(STOP_TIMEOUT_SECONDS)

    def daemon_pid(self, role: str) -> int:
        """The process id of a daemon, found among the supervisor's children."""
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in path.read_text().split():
            if role.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return int(pid)
        raise AssertionError(f"no child {role}")

    def kill_daemon(self, role: str) -> None:
        """kill -9 one daemon and wait until the supervisor has it serving again."""
        os.kill(self.daemon_pid(role), signal.SIGKILL)
        self.wait_for_line(rf'"daemon": "{role}".*daemon_ready_again|daemon_ready_again.*"daemon": "{role}"')

    def metric(self, role: str, name: str) -> float:
        """The sum over the labels of one metric."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics[role]}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        values = [line.rpartition(" ")[2] for line in lines if re.match(rf"{name}(\{{| )", line)]
        assert values, f"{role} has no metric {name}"
        return sum(map(float, values))


class Api:
    """The REST API with one account's token."""

    def __init__(self, suite: RunningSuite, login: str, password: str) -> None:
        self._base = f"http://127.0.0.1:{suite.api_port}/api/v1"
        self._token = ""
        self._token = self.call("POST", "/login", {"login": login, "password": password})["token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, expect: int | None = None) -> Any:
        """The decoded answer; asserts success, or the status `expect`."""
        request = urllib.request.Request(self._base + path, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        wanted = status == expect if expect else 200 <= status < 300
        assert wanted, f"{method} {path}: {status} {text.decode()}"
        return json.loads(text) if text else None


def curl(url: str, *options: str) -> tuple[int, dict[str, str], str]:
    """(status, headers in lower case, body) as the real curl sees them."""
    done = subprocess.run(
        ["curl", "-sS", "--path-as-is", "-i", "-m", "10", *options, url], capture_output=True, check=True, timeout=20
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, body.decode()


def autop(text: str) -> dict[str, str]:
    """The keys of an Autop file."""
    pairs = (line.split(" = ", 1) for line in text.splitlines() if line.startswith("Config."))
    return {key: value for key, value in ([*pair, ""][:2] for pair in pairs)}  # noqa: C416
