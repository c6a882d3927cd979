"""Peers on loopback, stopped after each test, and timers that let a test see every retry."""

from __future__ import annotations

import pytest
import pytest_twisted
from sim_peers import HttpPeer, SipPeer
from twisted.internet import reactor

from simulator.waiting import Timing

QUICK = Timing(
    t1_seconds=0.02,
    t2_seconds=0.08,
    first_retry_seconds=0.02,
    longest_retry_seconds=0.05,
    http_timeout_seconds=2.0,
    unregister_timeout_seconds=1.0,
)


@pytest.fixture
def quick() -> Timing:
    return QUICK


@pytest_twisted.async_yield_fixture
async def http():
    peer = HttpPeer(reactor)
    yield peer
    await peer.stop()


@pytest_twisted.async_yield_fixture
async def sip():
    peer = SipPeer(reactor)
    yield peer
    await peer.stop()
