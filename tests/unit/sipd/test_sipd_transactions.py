"""Timers and states of RFC 3261 §17.1.2 and §17.2.2."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from sipd.message.headers import Headers
from sipd.message.message import Request, Response
from sipd.transaction.client import ClientTransactions, Failure, Outcome
from sipd.transaction.server import ServerTransactions, server_key


def request(branch: str = "z9hG4bK1", method: str = "NOTIFY", cseq: int = 1) -> Request:
    headers = Headers()
    headers.add("Via", f"SIP/2.0/UDP h:1;branch={branch}")
    headers.add("From", "<sip:a@h>;tag=1")
    headers.add("To", "<sip:b@h>")
    headers.add("Call-ID", "c")
    headers.add("CSeq", f"{cseq} {method}")
    return Request(method, "sip:b@h", headers)


def response(status: int, to: Request) -> Response:
    return Response(status, "x", to.headers)


class Client:
    def __init__(self, *, reliable: bool = False) -> None:
        self.clock = Clock()
        self.table = ClientTransactions(self.clock)
        self.sent: list[float] = []
        self.outcomes: list[Outcome] = []
        self.broken = False
        self.request = request()
        self.table.start(self.request, "h", self.send, self.outcomes.append, reliable=reliable)

    def send(self, data: bytes) -> None:
        if self.broken:
            raise OSError("unreachable")
        assert data == self.request.to_bytes()
        self.sent.append(self.clock.seconds())

    def run(self, seconds: float) -> None:
        self.clock.pump([0.125] * round(seconds * 8))


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    client = Client()
    client.run(40)
    assert client.sent == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert client.outcomes == [Failure.TIMEOUT]
    assert len(client.table) == 0
    assert client.clock.getDelayedCalls() == []


def test_a_provisional_response_slows_down_and_a_final_one_ends() -> None:
    client = Client()
    assert client.table.receive(response(100, client.request), "h")
    client.run(5)
    assert client.sent == [0, 0.5, 4.5]
    final = response(200, client.request)
    client.table.receive(final, "h")
    client.table.receive(response(500, client.request), "h")
    assert client.outcomes == [final]
    client.run(4.75)
    assert len(client.table) == 1, "timer K absorbs late responses"
    client.run(0.25)
    assert len(client.table) == 0
    assert not client.table.receive(final, "h")
    assert len(client.sent) == 3


def test_a_transport_that_fails() -> None:
    client = Client()
    client.broken = True
    client.run(1)
    assert client.outcomes == [Failure.TRANSPORT]
    assert client.clock.getDelayedCalls() == []


def test_over_a_reliable_transport_nothing_is_repeated_or_kept() -> None:
    client = Client(reliable=True)
    client.run(31)
    assert client.sent == [0]
    client.run(1)
    assert client.outcomes == [Failure.TIMEOUT]
    client = Client(reliable=True)
    final = response(200, client.request)
    assert client.table.receive(final, "h")
    assert (client.outcomes, len(client.table)) == ([final], 0)
    assert client.clock.getDelayedCalls() == []


def test_a_lost_connection_fails_what_was_sent_over_it() -> None:
    client = Client(reliable=True)
    client.table.lost("another")
    assert client.outcomes == []
    client.table.lost("h")
    assert (client.outcomes, len(client.table)) == ([Failure.TRANSPORT], 0)
    assert client.clock.getDelayedCalls() == []


@pytest.mark.parametrize("other", [request(branch="z9hG4bK2"), request(method="OPTIONS")])
def test_responses_of_others_do_not_match(other: Request) -> None:
    client = Client()
    assert not client.table.receive(response(200, other), "h")
    client.table.stop()
    assert client.clock.getDelayedCalls() == []


def test_a_response_from_elsewhere_does_not_match() -> None:
    client = Client()
    assert not client.table.receive(response(200, client.request), "elsewhere")
    assert client.outcomes == []
    assert client.table.receive(response(200, client.request), "h")
    client.table.stop()


def test_server_absorbs_until_timer_j() -> None:
    clock = Clock()
    table = ServerTransactions(clock)
    sent: list[bytes] = []
    key = server_key(request())
    assert not table.absorb(key)
    transaction = table.begin(key, sent.append)
    assert table.absorb(key)
    assert sent == [], "nothing to repeat yet"
    transaction.respond(b"200")
    transaction.respond(b"500")
    assert table.absorb(key)
    assert sent == [b"200", b"200"]
    clock.advance(31.9)
    assert table.absorb(key)
    clock.advance(0.2)
    assert not table.absorb(key)
    assert clock.getDelayedCalls() == []


def test_over_a_reliable_transport_timer_j_is_zero() -> None:
    clock, sent = Clock(), list[bytes]()
    table = ServerTransactions(clock)
    key = server_key(request())
    transaction = table.begin(key, sent.append, reliable=True)
    assert table.absorb(key)
    transaction.respond(b"200")
    assert (sent, len(table)) == ([b"200"], 0)
    assert clock.getDelayedCalls() == []


def test_server_transactions_expire_in_order_on_one_timer() -> None:
    clock = Clock()
    table = ServerTransactions(clock)
    for i in range(10):
        table.begin(server_key(request(f"z9hG4bK{i}")), lambda _: None).respond(b"")
        clock.advance(1)
        assert len(clock.getDelayedCalls()) == 1
    clock.pump([1] * 26)
    assert len(table) == 5
    clock.pump([1] * 10)
    assert len(table) == 0


def test_server_table_is_bounded() -> None:
    table = ServerTransactions(Clock(), limit=3)
    for i in range(5):
        table.begin(server_key(request(f"z9hG4bK{i}")), lambda _: None)
    assert len(table) == 3
    assert not table.absorb(server_key(request("z9hG4bK0")))
    assert table.absorb(server_key(request("z9hG4bK4")))


def test_matching_of_old_clients_without_a_magic_branch() -> None:
    one, again, other = request("1"), request("1"), request("1", cseq=2)
    assert server_key(one) == server_key(again)
    assert server_key(one) != server_key(other)
