"""The suite as a child process."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

KEPT_LINES = 5
LINE_LIMIT_BYTES = 4096
KILL_AFTER_SECONDS = 20.0
# A session of its own: Ctrl-C reaches only the demo, which stops the devices first and the suite after them.
_OWN_SESSION = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


class SuiteError(Exception):
    """The suite did not start; the text has its last lines."""


class SuiteProcess(ProcessProtocol):
    """`greeting` has what the suite said on standard output before it was ready, by the word before the first colon."""

    transport: IProcessTransport | None = None

    def __init__(self, clock: IReactorTime, command: Sequence[str], log_path: Path) -> None:
        self._clock = clock
        self._command = command
        self._log_path = log_path
        self._rest = b""
        self._last_lines: list[str] = []
        self._ready: Deferred[None] = Deferred()
        self._ended: Deferred[None] = Deferred()
        self.greeting: dict[str, str] = {}

    async def start(self, reactor: IReactorProcess, environment: Mapping[str, str], timeout_seconds: float) -> None:
        """Starts it and waits for its line `ready in ...`. Raises SuiteError."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("ab")
        argv = [sys.executable, "-c", _OWN_SESSION, *self._command]
        reactor.spawnProcess(self, sys.executable, argv, dict(environment), None, None, None, False, None)
        self._ready.addTimeout(timeout_seconds, self._clock, onTimeoutCancel=self._too_slow)
        await self._ready

    async def stop(self) -> None:
        """Asks it to end, and kills it when it does not."""
        if self.transport is None or self._ended.called:
            return
        self._signal("TERM")
        killer = self._clock.callLater(KILL_AFTER_SECONDS, self._signal, "KILL")
        await self._ended
        if killer.active():
            killer.cancel()

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LINE_LIMIT_BYTES:]
        for line in lines:
            self._line(line.decode("utf-8", "replace").strip())

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        self._log.write(data)
        self._keep(data.decode("utf-8", "replace").strip())

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self._log.close()
        if not self._ready.called:
            self._ready.errback(SuiteError(self._story(f"it ended: {reason.value}")))
        self._ended.callback(None)

    def _line(self, line: str) -> None:
        name, colon, value = line.partition(":")
        shown = f"{name}: (shown once)" if "password" in name else line
        self._log.write(f"{shown}\n".encode())
        self._keep(shown)
        if self._ready.called:
            return
        if colon:
            self.greeting.setdefault(name.strip(), value.strip())
        if line.startswith("ready in "):
            self._ready.callback(None)

    def _keep(self, text: str) -> None:
        """Lines for people; log events (JSON) are in the file."""
        lines = [line for line in text.splitlines() if line and not line.startswith("{")]
        self._last_lines = [*self._last_lines, *lines][-KEPT_LINES:]

    def _too_slow(self, _result: object, seconds: float) -> None:
        raise SuiteError(self._story(f"not ready after {seconds:g} s"))

    def _story(self, why: str) -> str:
        return "\n  ".join([f"The suite did not start, {why}", *self._last_lines, f"all of it: {self._log_path}"])

    def _signal(self, name: str) -> None:
        try:
            cast(IProcessTransport, self.transport).signalProcess(name)
        except ProcessExitedAlready:
            pass
