from __future__ import annotations

from random import Random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from simulator.faults import FaultError, Faults
from simulator.totals import Latencies
from simulator.waiting import Bell, Timing


def ring_result(bell: Bell, timeout_seconds: float) -> list[bool]:
    got: list[bool] = []
    Deferred.fromCoroutine(bell.wait(timeout_seconds)).addCallback(got.append)
    return got


def test_rings_while_nobody_waits_are_one():
    clock = Clock()
    bell = Bell(clock)
    bell.ring()
    bell.ring()
    assert ring_result(bell, 10) == [True]
    waiting = ring_result(bell, 10)
    assert waiting == []
    clock.advance(10)
    assert waiting == [False]
    assert clock.getDelayedCalls() == []


def test_a_ring_wakes_the_waiter_at_once():
    clock = Clock()
    bell = Bell(clock)
    waiting = ring_result(bell, 10)
    bell.ring()
    bell.ring()
    assert waiting == [True]
    assert clock.getDelayedCalls() == []


def test_retries_double_up_to_the_longest_with_half_of_it_jitter():
    timing, rng = Timing(), Random(1)
    for failures, full in ((1, 1.0), (2, 2.0), (3, 4.0), (7, 60.0), (10_000, 60.0)):
        seconds = [timing.retry_seconds(failures, rng) for _ in range(200)]
        assert full / 2 <= min(seconds) < full * 0.55
        assert full * 0.95 < max(seconds) <= full


def test_fault_switches():
    faults = Faults.parse(["lose_response=0.25", "wrong_secret=yes", "slow_read", "reboot_every_seconds=30"])
    assert faults == Faults(lose_response=0.25, wrong_secret=True, slow_read=True, reboot_every_seconds=30.0)


@pytest.mark.parametrize(
    "switch", ["lose=1", "lose_response=2", "drop_notify=x", "wrong_secret=maybe", "drop_notify=nan"]
)
def test_a_wrong_fault_switch_is_named(switch):
    with pytest.raises(FaultError, match=switch.partition("=")[0]):
        Faults.parse([switch])


def test_percentiles_are_of_nearest_rank():
    latencies = Latencies()
    assert latencies.percentile(99) == 0.0
    for value in range(1, 101):
        latencies.add(value / 1000)
    assert (latencies.percentile(50), latencies.percentile(99)) == (0.05, 0.099)
