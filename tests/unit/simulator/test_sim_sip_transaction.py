"""Timers E and F of RFC 3261 §17.1.2.2."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from simulator.sip_text import Request, Response
from simulator.sip_transaction import ClientTransactions, SipError
from simulator.waiting import Timing

HEADERS = (
    ("Via", "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKx"),
    ("From", "<sip:1@here>;tag=a"),
    ("To", "<sip:1@here>"),
    ("Call-ID", "c"),
    ("CSeq", "1 REGISTER"),
)
REGISTER = Request(HEADERS, "REGISTER", "sip:here")


class Bench:
    def __init__(self):
        self.clock = Clock()
        self.sent: list[float] = []
        self.transactions = ClientTransactions(self.clock, Timing(), lambda _: self.sent.append(self.clock.seconds()))
        self.outcome: list = []
        self.deferred = self.transactions.request(REGISTER)
        self.deferred.addBoth(self.outcome.append)

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)


def test_retransmissions_double_to_t2_until_timer_f():
    bench = Bench()
    bench.advance(40)
    assert bench.sent == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.outcome[0].check(SipError)
    assert bench.outcome[0].value.code == "timeout"
    assert bench.clock.getDelayedCalls() == []


def test_a_provisional_answer_slows_the_retransmissions_to_t2():
    bench = Bench()
    bench.transactions.receive(Response(HEADERS, 100, "Trying"))
    bench.advance(10)
    assert bench.sent == [0, 0.5, 4.5, 8.5]


def test_the_final_answer_ends_it_and_a_repeated_one_is_not_known():
    bench = Bench()
    final = Response(HEADERS, 200, "OK")
    assert bench.transactions.receive(final)
    assert bench.outcome == [final]
    assert not bench.transactions.receive(final)
    assert bench.clock.getDelayedCalls() == []


@pytest.mark.parametrize(("name", "value"), [("Via", "SIP/2.0/UDP x;branch=z9hG4bKy"), ("CSeq", "1 OPTIONS")])
def test_answers_of_others_are_not_taken(name, value):
    bench = Bench()
    headers = tuple((key, value if key == name else text) for key, text in HEADERS)
    assert not bench.transactions.receive(Response(headers, 200, "OK"))
    assert bench.outcome == []


def test_close_ends_what_is_open():
    bench = Bench()
    bench.transactions.close()
    assert bench.outcome[0].check(CancelledError)
    assert bench.clock.getDelayedCalls() == []
