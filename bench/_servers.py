"""The registrars that are compared, each on one core with its database, started fresh and stopped with the block."""

from __future__ import annotations

import signal
import socket
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import _kamailio
from bench._accounts import DOMAIN, FIRST_NUMBER, SECRET, seed_accounts
from bench._processes import BenchError, Process, free_port, resident_bytes, tree_cpu_seconds, wait_until, work_folder

__all__ = ["DOMAIN", "FIRST_NUMBER", "SECRET", "Server", "kamailio", "postgres", "sipd", "sipd_home"]

START_SECONDS = 120.0
_LISTENERS = (("sipd", "udp"), ("metrics", "sipd"))
PG_BIN = Path("/usr/lib/postgresql/15/bin")
PG_USER = "postgres"
PROBE = (
    b"OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKprobe\r\nMax-Forwards: 70\r\n"
    b"From: <sip:probe@%s>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
) % ((DOMAIN.encode(),) * 3)


@dataclass
class Server:
    """`processes` are all that work for it; the first one is the registrar itself."""

    name: str
    port: int
    folder: Path
    metrics_port: int = 0
    processes: list[Process] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        return tree_cpu_seconds([process.pid for process in self.processes])

    def resident_bytes(self) -> int:
        return resident_bytes(self.processes[0].pid)

    @property
    def last_words(self) -> str:
        return self.processes[0].last_words

    def answers(self) -> bool:
        """Does it reply to an OPTIONS, whatever it replies?"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(PROBE)
                return probe.recv(4096).startswith(b"SIP/2.0 ")
            except OSError:
                return False

    def bindings(self) -> int:
        """What it says in its metrics; 0 while it does not say anything. Ours only."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0
        found = [line.split()[1] for line in lines if line.startswith("intercom_sipd_bindings ")]
        return int(float(found[0])) if found else 0

    def wait(self, seconds: float = START_SECONDS) -> None:
        wait_until(self.answers, seconds, self.processes[0], self.name)


@contextmanager
def postgres(core: int) -> Iterator[tuple[Process, str]]:
    """A PostgreSQL of our own as Debian configures it (fsync on), and its address `host:port`."""
    with work_folder(PG_USER) as folder:
        data, port = folder / "data", free_port(socket.SOCK_STREAM)
        initdb = [str(PG_BIN / "initdb"), "-D", str(data), "-U", PG_USER, "--auth=trust", "-E", "UTF8"]
        created = Process(initdb, core, folder / "initdb.log", user=PG_USER, cwd=folder)
        if created.popen.wait(START_SECONDS):
            raise BenchError(f"initdb failed: {created.last_words}")
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        argv = [str(PG_BIN / "postgres"), "-D", str(data)]
        for key, value in options.items():
            argv += ["-c", f"{key}={value}"]
        process = Process(argv, core, folder / "log", stop_signal=signal.SIGINT, user=PG_USER, cwd=folder)
        try:
            wait_until(lambda: _accepts(port), START_SECONDS, process, "PostgreSQL")
            yield process, f"127.0.0.1:{port}"
        finally:
            process.stop()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def kamailio(
    name: str,
    core: int,
    aors: int,
    *,
    children: int = 1,
    options: tuple[str, ...] = (),
    database: tuple[Process, str] | None = None,
) -> Iterator[Server]:
    """Registrar, usrloc and digest with HA1s in a hash table. `database`: bindings are written through to it."""
    with work_folder() as folder:
        server = Server(name, free_port(), folder)
        _kamailio.install()
        config = _kamailio.write(folder, server.port, children, aors, database[1] if database else "")
        argv = ["kamailio", "-DD", "-E", "-f", str(config), "-Y", str(folder), "-b", "4194304", *options]
        process = Process(argv, core, folder / "log", cwd=folder)
        server.processes = [process, database[0]] if database else [process]
        try:
            server.wait()
            yield server
        finally:
            process.stop()


@contextmanager
def sipd_home(aors: int, durability: str) -> Iterator[Path]:
    """A configuration file of sipd, its data directory beside it, with `aors` accounts."""
    with work_folder() as folder:
        config = folder / "suite.toml"
        config.write_text(
            f'data_dir = "{folder}/data"\n'
            f'[sipd]\ndomain = "{DOMAIN}"\nudp = "127.0.0.1:{free_port()}"\ndurability = "{durability}"\n'
            f'[metrics]\nsipd = "127.0.0.1:{free_port(socket.SOCK_STREAM)}"\n'
            f'[numbers]\npersonal = "{FIRST_NUMBER}-{FIRST_NUMBER * 2 - 1}"\n[log]\nlevel = "warning"\n'
        )
        seed_accounts(config, aors)
        yield config


@contextmanager
def sipd(name: str, core: int, config: Path, *, wait: bool = True) -> Iterator[Server]:
    """Our own, from a configuration of `sipd_home`. `wait` False: it may still be starting when the block begins."""
    settings = tomllib.loads(config.read_text())
    port, metrics = (int(settings[section][key].rpartition(":")[2]) for section, key in _LISTENERS)
    server = Server(name, port, config.parent, metrics)
    argv = [sys.executable, "-m", "sipd.main", "--config", str(config)]
    process = Process(argv, core, config.parent / "log", cwd=Path(__file__).parent.parent)
    server.processes = [process]
    try:
        if wait:
            server.wait()
        yield server
    finally:
        process.stop()
