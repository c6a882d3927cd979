"""The notifier over a real database, in time that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from sipd_world import SipWorld
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from wire_phones import answer_to

from intercom_core.runtime.pool import WorkPool
from sipd.location.binding import Binding
from sipd.location.location import Location
from sipd.message.message import Response
from sipd.message.parser import parse
from sipd.notifier import IN_FLIGHT_LIMIT, POLL_SECONDS, Local, Notifier
from sipd.transaction.client import ClientTransactions
from sipd.transport.flow import Flow

NUMBER = "5926100061"
# Commands carry the wall clock's time, so the test's clock must not be behind it.
START = 4_000_000_000.0


class InlinePool:
    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return maybeDeferred(call, *args)


class Bench:
    def __init__(self, world: SipWorld) -> None:
        self.world = world
        self.device_id = world.add_device(NUMBER)
        self.clock = Clock()
        self.clock.advance(START)
        registry = CollectorRegistry()
        self.location = Location(self.clock, lambda _: None, registry)
        self.clients = ClientTransactions(self.clock)
        self.sent: list[tuple[Flow, str]] = []
        self.notifier = Notifier(
            self.clock,
            cast("WorkPool", InlinePool()),
            world.store,
            self.location,
            self.clients,
            self.send,
            lambda _: Local("suite.test", "suite.test:5060"),
            registry,
        )
        Deferred.fromCoroutine(self.notifier.start())

    def send(self, flow: Flow, data: bytes) -> None:
        if flow.port == 1:
            raise OSError("unreachable")
        self.sent.append((flow, data.decode()))

    def bind(self, *ports: int) -> None:
        self.location.replace(
            NUMBER,
            tuple(Binding(Flow("udp", "h", port), f"sip:{port}@h", START + 900, START, "c", 1) for port in ports),
        )

    def queue(self) -> int:
        command = self.world.queue_check_sync(self.device_id, NUMBER)
        self.notifier.wake()
        return command

    def answer(self, request: str, status: int) -> None:
        response = parse(answer_to(request, status))
        assert isinstance(response, Response)
        assert self.clients.receive(response, "h")

    def pass_seconds(self, seconds: int) -> None:
        self.clock.pump([0.5] * (2 * seconds))


@pytest.fixture
def bench(world: SipWorld) -> Bench:
    return Bench(world)


def test_silence_is_a_timeout(bench: Bench) -> None:
    bench.bind(10)
    command = bench.queue()
    bench.pass_seconds(31)
    assert bench.world.command(command) == ("running", "")
    assert len(bench.sent) == 10
    bench.pass_seconds(2)
    assert bench.world.command(command) == ("failed", "timeout")


def test_one_of_several_bindings_is_enough_and_all_are_told(bench: Bench) -> None:
    bench.bind(1, 10, 11)
    command = bench.queue()
    assert [flow.port for flow, _ in bench.sent] == [10, 11]
    bench.answer(bench.sent[0][1], 200)
    assert bench.world.command(command) == ("running", "")
    bench.answer(bench.sent[1][1], 481)
    assert bench.world.command(command) == ("done", "ok")


def test_a_kernel_that_refuses(bench: Bench) -> None:
    bench.bind(1)
    assert bench.world.command(bench.queue()) == ("failed", "transport")


def test_no_more_than_the_limit_are_under_way(bench: Bench) -> None:
    bench.bind(10)
    queued = [bench.world.queue_check_sync(bench.device_id, NUMBER) for _ in range(IN_FLIGHT_LIMIT + 5)]
    bench.notifier.wake()
    assert len(bench.sent) == IN_FLIGHT_LIMIT
    for _, request in list(bench.sent):
        bench.answer(request, 200)
    assert len(bench.sent) == IN_FLIGHT_LIMIT + 5
    for _, request in bench.sent[IN_FLIGHT_LIMIT:]:
        bench.answer(request, 200)
    assert {bench.world.command(command) for command in queued} == {("done", "ok")}


def test_a_lost_hint_is_made_up_by_the_poll(bench: Bench) -> None:
    command = bench.world.queue_check_sync(bench.device_id, NUMBER)
    bench.clock.advance(POLL_SECONDS)
    assert bench.world.command(command) == ("failed", "offline")


def test_a_database_that_fails_is_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bind(10)
    command = bench.queue()
    with monkeypatch.context() as patch:
        patch.setattr(bench.world.store, "write", lambda: 1 / 0)
        bench.answer(bench.sent[0][1], 200)
    assert bench.world.command(command) == ("running", "")
    bench.clock.advance(1)
    assert bench.world.command(command) == ("done", "ok")


def test_stopped_it_leaves_what_is_under_way_for_the_next_start(bench: Bench) -> None:
    bench.bind(10)
    command = bench.queue()
    Deferred.fromCoroutine(bench.notifier.stop())
    bench.clients.stop()
    bench.location.stop()
    assert bench.clock.getDelayedCalls() == []
    assert bench.world.command(command) == ("running", "")
