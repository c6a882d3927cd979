"""Runs the daemons as child processes and restarts the one that dies (`intercom-suite run`)."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import DatagramProtocol, ProcessProtocol
from twisted.python.failure import Failure

from intercom_core.model.errors import SuiteError
from intercom_core.telemetry import log

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 10.0
STABLE_SECONDS = 10.0
MAX_PAUSE_SECONDS = 10.0

_log = log.get("suite.supervisor")


TOLD = 1  # exit code of a daemon that has said on stderr why it can't start


class StartError(SuiteError):
    """A daemon did not get ready. `told`: it has said why itself."""

    code = "start"

    def __init__(self, message: str, *, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


def daemon_commands(roles: Sequence[str], config: Path | None) -> dict[str, list[str]]:
    """The argv of each role, with this interpreter."""
    options = ["--config", str(config)] if config else []
    return {role: [sys.executable, "-m", "intercom_core.runtime.child", role, *options] for role in roles}


@dataclass(slots=True)
class _Child:
    role: str
    argv: list[str]
    socket: str
    transport: IProcessTransport | None = None
    started_at: float = 0.0
    was_ready: bool = False
    quick_ends: int = 0


class _Process(ProcessProtocol):
    """Reports the end; output is inherited, so log lines go out as the child wrote them."""

    def __init__(self, on_end: Callable[[Failure], None]) -> None:
        self._on_end = on_end

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self._on_end(reason)


class _Readiness(DatagramProtocol):
    """Receives the sd_notify states of one child."""

    def __init__(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: ARG002, N802
        if b"READY=1" in datagram.split(b"\n"):
            self._on_ready()


class Supervisor:
    """Starts every role and waits until all are ready; afterwards restarts any that ends.

    A role that ends before it was ever ready is a mistake in the set-up, so `start` fails with StartError. Later ends
    are crashes: restarted at once, and with pauses that double up to MAX_PAUSE_SECONDS while it keeps ending within
    STABLE_SECONDS.
    """

    def __init__(self, reactor: Any, commands: Mapping[str, list[str]], keep_open: int | None = None) -> None:
        """`keep_open`: a descriptor that every child gets a copy of (the lock of the data directory)."""
        self._reactor = reactor
        self._child_fds = {0: 0, 1: 1, 2: 2} | ({3: keep_open} if keep_open is not None else {})
        self._folder = tempfile.TemporaryDirectory(prefix="intercom-")
        self._children = {
            role: _Child(role, argv, str(Path(self._folder.name) / f"{role}.sock")) for role, argv in commands.items()
        }
        self._timers: dict[str, IDelayedCall] = {}
        self._started: Deferred[None] = Deferred()
        self._stopped: Deferred[None] | None = None

    async def start(self) -> None:
        for child in self._children.values():
            readiness = _Readiness(lambda child=child: self._on_ready(child))  # type: ignore[misc]
            self._reactor.listenUNIXDatagram(child.socket, readiness)
            self._spawn(child)
        await self._started.addTimeout(START_TIMEOUT_SECONDS, self._reactor, self._on_timeout)

    def _spawn(self, child: _Child) -> None:
        self._timers.pop(child.role, None)
        child.started_at = self._reactor.seconds()
        child.transport = self._reactor.spawnProcess(
            _Process(lambda reason: self._on_end(child, reason)),
            child.argv[0],
            child.argv,
            env=os.environ | {"NOTIFY_SOCKET": child.socket},
            childFDs=self._child_fds,
        )

    def _on_ready(self, child: _Child) -> None:
        if child.was_ready:
            _log.info("daemon_ready_again", daemon=child.role)
        child.was_ready = True
        if not self._started.called and all(each.was_ready for each in self._children.values()):
            self._started.callback(None)

    def _on_end(self, child: _Child, reason: Failure) -> None:
        child.transport = None
        if self._stopped is not None:
            self._check_stopped()
        elif not child.was_ready:
            if not self._started.called:
                told = getattr(reason.value, "exitCode", None) == TOLD
                self._started.errback(StartError(f"{child.role} could not start", told=told))
        else:
            self._restart_later(child, reason.getErrorMessage())

    def _restart_later(self, child: _Child, reason: str) -> None:
        lived = self._reactor.seconds() - child.started_at
        child.quick_ends = child.quick_ends + 1 if lived < STABLE_SECONDS else 0
        pause = min(0.25 * 2**child.quick_ends, MAX_PAUSE_SECONDS) if child.quick_ends > 1 else 0.0
        _log.warning("daemon_ended", daemon=child.role, reason=reason, restart_in_seconds=pause)
        self._timers[child.role] = self._reactor.callLater(pause, self._spawn, child)

    def _on_timeout(self, _result: object, seconds: float) -> None:
        late = ", ".join(child.role for child in self._children.values() if not child.was_ready)
        raise StartError(f"{late} did not get ready within {seconds:.0f} s")

    async def stop(self) -> None:
        """SIGTERM to every child, SIGKILL after STOP_TIMEOUT_SECONDS; returns when all are gone."""
        self._stopped = Deferred()
        for timer in self._timers.values():
            timer.cancel()
        self._signal("TERM")
        kill = self._reactor.callLater(STOP_TIMEOUT_SECONDS, self._signal, "KILL")
        self._check_stopped()
        await self._stopped
        if kill.active():
            kill.cancel()
        self._folder.cleanup()

    def _signal(self, name: str) -> None:
        for child in self._children.values():
            if child.transport is None:
                continue
            try:
                child.transport.signalProcess(name)
            except ProcessExitedAlready:
                continue

    def _check_stopped(self) -> None:
        gone = all(child.transport is None for child in self._children.values())
        if self._stopped is not None and gone and not self._stopped.called:
            self._stopped.callback(None)
