"""Start, restart and stop of the daemons, on a clock of the test's own and processes that only exist on paper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from intercom_core.runtime.supervisor import (
    MAX_PAUSE_SECONDS,
    STABLE_SECONDS,
    START_TIMEOUT_SECONDS,
    STOP_TIMEOUT_SECONDS,
    StartError,
    Supervisor,
)

ROLES = ("one", "two")


class _Process:
    """A spawned process; `signals` is what it was sent."""

    def __init__(self, protocol: Any, readiness: Any) -> None:
        self._protocol = protocol
        self._readiness = readiness
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def tell(self, state: bytes) -> None:
        self._readiness.datagramReceived(state, None)

    def end(self, code: int = 0, signal: int | None = None) -> None:
        self._protocol.processEnded(Failure(ProcessTerminated(code, signal)))


class _Reactor(Clock):
    """`spawned` has the processes of each role, the newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: dict[str, list[_Process]] = {}
        self.readiness: dict[str, Any] = {}

    def listenUNIXDatagram(self, address: str, protocol: Any) -> None:
        self.readiness[address] = protocol

    def spawnProcess(self, protocol: Any, _path: str, argv: list[str], env: dict[str, str], **_files: Any) -> _Process:
        process = _Process(protocol, self.readiness[env["NOTIFY_SOCKET"]])
        self.spawned.setdefault(argv[1], []).append(process)
        return process

    def newest(self, role: str) -> _Process:
        return self.spawned[role][-1]


@pytest.fixture
def reactor() -> _Reactor:
    return _Reactor()


@pytest.fixture
def supervisor(reactor: _Reactor) -> Iterator[Supervisor]:
    made = Supervisor(reactor, {role: ["python", role] for role in ROLES})
    yield made
    made._folder.cleanup()


def _start(reactor: _Reactor, supervisor: Supervisor) -> Deferred[None]:
    started = Deferred.fromCoroutine(supervisor.start())
    for role in ROLES:
        assert not started.called
        reactor.newest(role).tell(b"READY=1")
    assert started.called
    return started


def test_a_crash_is_restarted_at_once_and_one_that_repeats_with_growing_pauses(
    reactor: _Reactor, supervisor: Supervisor
) -> None:
    _start(reactor, supervisor)
    pauses = []
    for crash in range(8):
        reactor.newest("one").end(signal=9)
        (timer,) = reactor.getDelayedCalls()
        pauses.append(timer.getTime() - reactor.seconds())
        reactor.advance(pauses[-1])
        assert len(reactor.spawned["one"]) == crash + 2
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_SECONDS
    assert len(reactor.spawned["two"]) == 1, "nobody else is touched"

    reactor.advance(STABLE_SECONDS)
    reactor.newest("one").end(signal=9)
    (timer,) = reactor.getDelayedCalls()
    assert timer.getTime() == reactor.seconds(), "after a stable time the count begins anew"


@pytest.mark.parametrize(("code", "told"), [(1, True), (70, False)])
def test_a_daemon_that_ends_before_it_was_ready_fails_the_start(
    reactor: _Reactor, supervisor: Supervisor, code: int, told: bool
) -> None:
    started = Deferred.fromCoroutine(supervisor.start())
    reactor.newest("one").tell(b"STOPPING=1")
    reactor.newest("one").end(code)
    failures: list[Failure] = []
    started.addErrback(failures.append)
    (failure,) = failures
    assert isinstance(failure.value, StartError)
    assert (failure.value.message, failure.value.told) == ("one could not start", told)
    assert len(reactor.spawned["one"]) == 1


def test_a_daemon_that_never_gets_ready_is_named(reactor: _Reactor, supervisor: Supervisor) -> None:
    started = Deferred.fromCoroutine(supervisor.start())
    reactor.newest("one").tell(b"STATUS=loading\nREADY=1")
    failures: list[Failure] = []
    started.addErrback(failures.append)
    reactor.advance(START_TIMEOUT_SECONDS)
    assert failures[0].value.message.startswith("two did not get ready")


def test_stop_asks_then_kills_and_restarts_nobody(reactor: _Reactor, supervisor: Supervisor) -> None:
    _start(reactor, supervisor)
    one, two = reactor.newest("one"), reactor.newest("two")
    stopped = Deferred.fromCoroutine(supervisor.stop())
    assert (one.signals, two.signals) == (["TERM"], ["TERM"])
    one.end()
    reactor.advance(STOP_TIMEOUT_SECONDS)
    assert (one.signals, two.signals) == (["TERM"], ["TERM", "KILL"])
    assert not stopped.called
    two.end(signal=9)
    assert stopped.called
    assert len(reactor.spawned["one"]) == len(reactor.spawned["two"]) == 1
    assert reactor.getDelayedCalls() == []


def test_stop_while_a_restart_is_pending(reactor: _Reactor, supervisor: Supervisor) -> None:
    _start(reactor, supervisor)
    reactor.newest("one").end(signal=9)
    stopped = Deferred.fromCoroutine(supervisor.stop())
    reactor.newest("two").end()
    assert stopped.called
    assert reactor.getDelayedCalls() == []
    assert len(reactor.spawned["one"]) == 1
