"""What connections may do and how long, in time that the test moves."""

from __future__ import annotations

import pytest
from sipd_rig import REALM, Phone, Rig, contacts
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sipd.message.message import Response
from sipd.message.parser import parse
from sipd.transport.connections import Connections, StreamLimits
from sipd.transport.flow import Flow
from sipd.transport.stream import StreamFramer
from sipd.transport.tcp import StreamConnection, tcp_factory

LIMITS = StreamLimits(connections=5, per_source=3, idle_seconds=3600)
CONTACT = "Contact: <sip:5926100061@10.0.0.9;transport=tcp>"


class Wire(StringTransport):
    """The other side does not see what is written until it reads; `ended` is how the connection was ended here."""

    def __init__(self, peer: IPv4Address | IPv6Address) -> None:
        super().__init__(peerAddress=peer)
        self.connection: StreamConnection | None = None
        self.ended = ""

    def abortConnection(self) -> None:
        super().abortConnection()
        self.ended = "aborted"
        self.lose(ConnectionLost())

    def loseConnection(self) -> None:
        super().loseConnection()
        self.ended = self.ended or "closed"

    def lose(self, error: Exception) -> None:
        assert self.connection
        self.connection.connectionLost(Failure(error))


class Bench:
    def __init__(self) -> None:
        self.rig = Rig()
        self.connections = Connections(self.rig.clock, LIMITS, self.rig.registry)
        self.factory = tcp_factory(self.connections, self.rig.core, self.rig.metrics)

    def connect(self, host: str = "203.0.113.7", port: int = 40000) -> Wire | None:
        kind = IPv6Address if ":" in host else IPv4Address
        peer = kind("TCP", host, port)
        connection = self.factory.buildProtocol(peer)
        if connection is None:
            return None
        wire = Wire(peer)
        wire.connection = connection
        connection.makeConnection(wire)
        return wire

    def accepted(self, host: str = "203.0.113.7", port: int = 40000) -> Wire:
        wire = self.connect(host, port)
        assert wire
        return wire

    def say(self, wire: Wire, data: bytes) -> bytes:
        """What comes back at once."""
        assert wire.connection
        wire.clear()
        wire.connection.dataReceived(data)
        self.rig.clock.advance(0)
        answer: bytes = wire.value()
        return answer

    def answers(self, wire: Wire, data: bytes) -> list[Response]:
        frames = list(StreamFramer().feed(self.say(wire, data)))
        found = [parse(frame) for frame in frames if isinstance(frame, bytes)]
        return [each for each in found if isinstance(each, Response)]

    def register(self, wire: Wire, contact: str = CONTACT, call_id: str = "call-1") -> Response:
        phone = Phone(self.rig, call_id=call_id)
        (challenge,) = self.answers(wire, sized(phone.request()))
        phone.take_nonce(challenge)
        (answer,) = self.answers(wire, sized(phone.signed(contact)))
        return answer

    def ended(self, reason: str) -> float:
        return self.rig.value("intercom_sipd_connections_ended_total", transport="tcp", reason=reason)

    def open(self) -> float:
        return self.rig.value("intercom_sipd_connections", transport="tcp")


def sized(data: bytes) -> bytes:
    return data[:-2] + b"Content-Length: 0\r\n\r\n"


def options(rig: Rig) -> bytes:
    return sized(Phone(rig, call_id="o").request("OPTIONS"))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_answers_come_back_over_the_connection_whatever_via_says(bench: Bench) -> None:
    wire = bench.accepted()
    first, second = bench.answers(wire, options(bench.rig) * 2)
    assert (first.status, second.status) == (200, 200)
    assert (first.via.params["received"], first.via.params["rport"]) == ("203.0.113.7", "40000")


def test_a_ping_gets_its_pong(bench: Bench) -> None:
    wire = bench.accepted()
    assert bench.say(wire, b"\r\n\r\n") == b"\r\n"
    assert bench.say(wire, b"\r\n") == b""
    assert bench.say(wire, b"\r\n\r\n" * 3)[:2] == b"\r\n"


def test_a_malformed_message_in_a_good_frame_ends_nothing(bench: Bench) -> None:
    wire = bench.accepted()
    bad = options(bench.rig).replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 BYE")
    assert [answer.status for answer in bench.answers(wire, bad + options(bench.rig))] == [400, 200]
    assert wire.ended == ""


@pytest.mark.parametrize("length", [b"99999999", b"-1", b"nonsense"])
def test_a_length_that_can_not_be_gets_400_and_the_end(bench: Bench, length: bytes) -> None:
    wire = bench.accepted()
    bad = options(bench.rig).replace(b"Content-Length: 0", b"Content-Length: " + length)
    assert [answer.status for answer in bench.answers(wire, bad + options(bench.rig))] == [400]
    assert wire.ended == "closed"
    assert bench.answers(wire, options(bench.rig)) == []
    bench.rig.clock.advance(LIMITS.closing_seconds + 1)
    assert wire.ended == "aborted"
    assert bench.ended("malformed") == 1
    assert bench.open() == 0


def test_what_is_no_sip_is_closed_without_a_word(bench: Bench) -> None:
    wire = bench.accepted()
    assert bench.say(wire, b"\x16\x03\x01\x00\xa5") == b""
    assert wire.ended == "closed"
    assert bench.rig.value("intercom_sipd_dropped_total", reason="not-sip") == 1


def test_strangers_have_half_a_minute_however_much_they_say(bench: Bench) -> None:
    wire = bench.accepted()
    for _ in range(29):
        bench.say(wire, b"\r\n\r\n" + options(bench.rig))
        bench.rig.clock.advance(1)
    assert wire.ended == ""
    bench.rig.clock.advance(2)
    assert (wire.ended, bench.ended("unauthenticated")) == ("aborted", 1)


def test_who_has_registered_stays_while_anything_comes(bench: Bench) -> None:
    wire = bench.accepted()
    assert bench.register(wire).status == 200
    (binding,) = bench.rig.location.bindings("5926100061")
    assert binding.flow == Flow("tcp", "203.0.113.7", 40000, 1)
    for _ in range(3):
        bench.rig.clock.advance(3000)
        bench.say(wire, b"\r\n\r\n")
    assert wire.ended == ""
    bench.rig.clock.advance(3602)
    assert (wire.ended, bench.ended("idle")) == ("aborted", 1)


def test_a_wrong_secret_makes_no_friend(bench: Bench) -> None:
    wire = bench.accepted()
    phone = Phone(bench.rig, secret="wrong")
    (challenge,) = bench.answers(wire, sized(phone.request()))
    phone.take_nonce(challenge)
    assert bench.answers(wire, sized(phone.signed(CONTACT)))[0].status == 401
    bench.rig.clock.advance(31)
    assert wire.ended == "aborted"


def test_a_lost_connection_takes_its_bindings_along(bench: Bench) -> None:
    wire = bench.accepted()
    bench.register(wire)
    bench.rig.changed.clear()
    wire.lose(ConnectionDone())
    bench.rig.clock.advance(0)
    assert contacts(bench.rig) == []
    assert bench.rig.changed == ["5926100061"]
    assert (bench.open(), bench.ended("closed")) == (0, 1)
    with pytest.raises(OSError, match="gone"):
        bench.connections.send(Flow("tcp", "203.0.113.7", 40000, 1), b"x")


def test_a_new_connection_replaces_the_old_one(bench: Bench) -> None:
    old, new = bench.accepted(), bench.accepted(port=40001)
    bench.register(old)
    bench.register(new, call_id="call-2")
    old.lose(ConnectionLost())
    (binding,) = bench.rig.location.bindings("5926100061")
    assert binding.flow.port == 40001
    assert bench.ended("lost") == 1


def test_bindings_over_other_ways_stay(bench: Bench) -> None:
    wire = bench.accepted()
    bench.register(wire)
    Phone(bench.rig, call_id="call-2").register("Contact: <sip:5926100061@10.0.0.10>")
    wire.lose(ConnectionDone())
    assert contacts(bench.rig) == ["sip:5926100061@10.0.0.10"]


def test_an_answer_that_comes_too_late_is_dropped(bench: Bench) -> None:
    wire = bench.accepted()
    phone = Phone(bench.rig)
    (challenge,) = bench.answers(wire, sized(phone.request()))
    phone.take_nonce(challenge)
    bench.rig.pool.held = []
    assert bench.answers(wire, sized(phone.signed(CONTACT))) == []
    wire.lose(ConnectionDone())
    for _ in range(3):
        bench.rig.pool.release()
        bench.rig.clock.advance(0)
    assert bench.rig.value("intercom_sipd_dropped_total", reason="send") == 1
    assert contacts(bench.rig) == []


def test_the_same_request_again_while_the_first_waits_is_absorbed(bench: Bench) -> None:
    wire = bench.accepted()
    phone = Phone(bench.rig)
    (challenge,) = bench.answers(wire, sized(phone.request()))
    phone.take_nonce(challenge)
    bench.rig.pool.held = []
    request = sized(phone.signed(CONTACT))
    assert bench.answers(wire, request * 2) == []
    assert len(bench.rig.servers) == 1
    wire.clear()
    bench.rig.pool.release()
    assert wire.value().count(b"SIP/2.0 200") == 1
    assert len(bench.rig.servers) == 0, "timer J is zero"


def test_who_does_not_read_is_not_read_and_ends(bench: Bench) -> None:
    wire = bench.accepted()
    bench.register(wire)
    wire.producer.pauseProducing()
    assert wire.producerState == "paused"
    with pytest.raises(OSError, match="takes nothing"):
        bench.connections.send(Flow("tcp", "203.0.113.7", 40000, 1), b"x")
    bench.rig.clock.advance(LIMITS.stalled_seconds - 1)
    wire.producer.resumeProducing()
    assert wire.producerState == "producing"
    bench.connections.send(Flow("tcp", "203.0.113.7", 40000, 1), b"x")
    bench.rig.clock.advance(60)
    assert wire.ended == ""
    wire.producer.pauseProducing()
    bench.rig.clock.advance(LIMITS.stalled_seconds + 1)
    assert (wire.ended, bench.ended("stalled")) == ("aborted", 1)


def test_one_source_evicts_only_its_own_strangers(bench: Bench) -> None:
    neighbour = bench.accepted("198.51.100.1")
    first, *_ = (bench.accepted(port=port) for port in range(1, 4))
    bench.accepted(port=4)
    assert (first.ended, neighbour.ended) == ("aborted", "")
    assert bench.ended("evicted") == 1
    assert bench.open() == 4


def test_a_full_table_takes_nobody_but_in_place_of_a_stranger(bench: Bench) -> None:
    wires = [bench.accepted(f"198.51.100.{i}") for i in range(5)]
    for i in (0, 2, 3, 4):
        bench.register(wires[i], f"Contact: <sip:a@10.0.0.{i}>", f"call-{i}")
    newcomer = bench.accepted()
    assert wires[1].ended == "aborted"
    bench.register(newcomer, "Contact: <sip:a@10.0.0.9>", "call-9")
    assert bench.connect() is None
    assert bench.ended("refused") == 1
    assert len(bench.connections) == 5


def test_an_ipv6_network_is_one_source(bench: Bench) -> None:
    wires = [bench.accepted(f"2001:db8::{i}") for i in range(1, 5)]
    assert [wire.ended for wire in wires] == ["aborted", "", "", ""]
    bench.accepted("2001:db8:0:1::1")
    assert [wire.ended for wire in wires] == ["aborted", "", "", ""]


def test_the_to_of_others_is_no_way_in(bench: Bench) -> None:
    wire = bench.accepted()
    phone = Phone(bench.rig)
    (challenge,) = bench.answers(wire, sized(phone.request()))
    phone.take_nonce(challenge)
    assert bench.answers(wire, sized(phone.signed(CONTACT, to="5926100062")))[0].status == 403
    assert REALM in str(challenge.headers.first("WWW-Authenticate"))
