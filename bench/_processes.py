"""Processes of a benchmark: each on a core of its own, ended with the benchmark however that ends."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STOP_SECONDS = 20.0
OTHERS_SHARE = 0.05
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchError(SystemExit):
    """The benchmark can't give a figure that means anything; the text says why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """One for the server and its database, another one for the load."""

    server: int
    load: int

    @classmethod
    def choose(cls) -> Cores:
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            print("only one core: the load takes its time from the server, mind the CPU figures only")
        return cls(usable[-1], usable[0])


class Process:
    """A child on `core`; what it prints goes to `log`. It gets `stop_signal` from the kernel, too, when this process
    dies without stopping it. `user` is who it runs as when we are root."""

    def __init__(
        self,
        argv: Sequence[str],
        core: int,
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        user: str = "",
        cwd: Path | None = None,
        **streams: Any,
    ) -> None:
        identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user and os.geteuid() == 0 else []
        self._stop_signal = stop_signal
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                ["taskset", "-c", str(core), "setpriv", "--pdeathsig", stop_signal.name[3:], *identity, *argv],
                start_new_session=True,
                cwd=cwd,
                **{"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, **streams},
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def last_words(self) -> str:
        return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])

    def stop(self) -> None:
        """Asks, waits, then kills the whole group."""
        if self.popen.poll() is None:
            self.popen.send_signal(self._stop_signal)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


def tree_cpu_seconds(roots: Sequence[int]) -> float:
    """User and system time that `roots` and all their descendants have used, those that ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    return sum(used for pid, used in ticks.items() if _descends(pid, parents, roots)) / _TICKS_PER_SECOND


@contextmanager
def others_told() -> Iterator[None]:
    """Says afterwards how much of the machine others used meanwhile: what they take is missing in every rate."""
    began, before = time.monotonic(), _others_seconds()
    yield
    share = (_others_seconds() - before) / (time.monotonic() - began) / (os.cpu_count() or 1)
    advice = ": mind the CPU figures, rates and latencies need a quiet machine" if share > OTHERS_SHARE else ""
    print(f"\nother processes used {max(share, 0):.0%} of the machine meanwhile{advice}")


def _others_seconds() -> float:
    """CPU time that all but our own tree has used since boot: user, nice, system, irq, softirq, steal."""
    cpu = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(cpu) - cpu[3] - cpu[4]) / _TICKS_PER_SECOND - tree_cpu_seconds([os.getpid()])


def _descends(pid: int, parents: dict[int, int], roots: Sequence[int]) -> bool:
    while pid not in roots:
        if pid not in parents:
            return False
        pid = parents[pid]
    return True


def resident_bytes(pid: int) -> int:
    """RSS of one process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], seconds: float, process: Process, what: str) -> None:
    """Polls; raises BenchError when `process` ends or time is up first."""
    end = time.monotonic() + seconds
    while not ready():
        if process.popen.poll() is not None:
            raise BenchError(f"{what} ended at start: {process.last_words}")
        if time.monotonic() > end:
            raise BenchError(f"{what} is not ready after {seconds:.0f} s: {process.last_words}")
        time.sleep(0.01)


@contextmanager
def work_folder(owner: str = "") -> Iterator[Path]:
    """A folder that is gone afterwards; `owner` gets it when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        if owner and os.geteuid() == 0:
            shutil.chown(folder, pwd.getpwnam(owner).pw_uid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def warn_without_disk(folder: Path) -> None:
    """Durable figures mean nothing where fsync costs nothing."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        print(f"{folder} is on {kind}: durable figures are worthless, set TMPDIR to a folder on disk")


def end_on_signals() -> None:
    """SIGTERM and Ctrl-C unwind quietly, so that everything started is stopped."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
