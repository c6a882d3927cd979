"""What comes in over UDP, and where answers go (RFC 3261 §18, RFC 3581)."""

from __future__ import annotations

import pytest
from sipd_rig import PHONE, Phone, Rig, read_request
from twisted.internet.error import MessageLengthError

from sipd.message.message import Response
from sipd.message.parser import parse
from sipd.transport.udp import unmapped

OPTIONS = (
    b"OPTIONS sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;rport;branch=z9hG4bK1\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:example.org>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_with_rport_the_answer_goes_to_the_source(rig: Rig) -> None:
    ((answer, destination),) = rig.send(OPTIONS)
    assert destination == PHONE
    response = parse(answer)
    assert isinstance(response, Response)
    assert response.status == 200
    assert response.via.params == {"rport": "40000", "branch": "z9hG4bK1", "received": "203.0.113.7"}
    assert response.to.tag


def test_without_rport_it_goes_to_the_port_of_the_via(rig: Rig) -> None:
    assert [to for _, to in rig.send(OPTIONS.replace(b";rport", b""))] == [("203.0.113.7", 5070)]
    assert [to for _, to in rig.send(OPTIONS.replace(b":5070;rport", b""))] == [("203.0.113.7", 5060)]


def test_answers_without_state_agree(rig: Rig) -> None:
    assert rig.send(OPTIONS) == rig.send(OPTIONS)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "keep-alive"),
        (b"\r\n\r\n", "keep-alive"),
        (b"\0\0\0\0", "keep-alive"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"x" * 12, "stun"),
        (b"\xff\xfe\xfd", "not-sip"),
        (b'{"json": 1}', "not-sip"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed"),
        (OPTIONS[:-4], "malformed"),
        (OPTIONS.replace(b"OPTIONS sip:example.org SIP/2.0", b"SIP/2.0 200 OK"), "stray-response"),
        (OPTIONS.replace(b"Via: SIP/2.0/UDP 10.0.0.9:5070;rport;branch=z9hG4bK1", b"Via: nonsense"), "malformed"),
    ],
)
def test_dropped_and_counted(rig: Rig, datagram: bytes, reason: str) -> None:
    assert rig.send(datagram) == []
    assert rig.value("intercom_sipd_dropped_total", reason=reason) == 1


@pytest.mark.parametrize(
    ("old", "new", "status", "reason"),
    [
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 BYE", 400, "cseq"),
        (b"OPTIONS sip:example.org ", b"OPTIONS <sip:example.org> ", 400, "start-line"),
        (b"SIP/2.0\r\n", b"SIP/3.0\r\n", 505, "version"),
        (b"OPTIONS sip:example.org ", b"OPTIONS sip:example.org:99999 ", 400, "number"),
    ],
)
def test_malformed_but_answerable(rig: Rig, old: bytes, new: bytes, status: int, reason: str) -> None:
    response = rig.answer(OPTIONS.replace(old, new, 1))
    assert response.status == status
    assert response.via.params["received"] == PHONE[0]
    assert rig.value("intercom_sipd_malformed_total", reason=reason) == 1


def test_a_malformed_ack_is_never_answered(rig: Rig) -> None:
    assert rig.send(OPTIONS.replace(b"OPTIONS", b"ACK").replace(b"sip:example.org ", b"<sip:x> ", 1)) == []


@pytest.mark.parametrize(
    ("method", "status"), [("INVITE", 405), ("SUBSCRIBE", 405), ("CANCEL", 405), ("BYE", 405), ("FOO", 501)]
)
def test_methods_that_are_not_served(rig: Rig, method: str, status: int) -> None:
    response = rig.answer(Phone(rig).request(method))
    assert response.status == status
    assert response.headers.first("Allow") == ("REGISTER, OPTIONS" if status == 405 else None)


def test_acks_are_taken_silently(rig: Rig) -> None:
    assert rig.send(Phone(rig).request("ACK")) == []


def test_options_for_a_user_tells_nothing(rig: Rig) -> None:
    known = rig.answer(Phone(rig).request("OPTIONS", uri="sip:5926100061@example.org"))
    unknown = rig.answer(Phone(rig).request("OPTIONS", uri="sip:5926999999@example.org"))
    assert known.status == unknown.status == 404


def test_a_method_label_cannot_be_invented(rig: Rig) -> None:
    for i in range(5):
        rig.answer(Phone(rig).request(f"X{i}"))
    assert rig.value("intercom_sipd_requests_total", method="other", code="5xx") == 5


def test_a_fault_of_ours_is_logged_and_counted_and_the_next_request_served(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.registrar, "precheck", lambda *_: 1 / 0)
        assert rig.send(Phone(rig).request()) == []
    assert rig.value("intercom_sipd_dropped_total", reason="error") == 1
    assert rig.answer(OPTIONS).status == 200


@pytest.mark.parametrize(
    "error", [MessageLengthError("too long"), BlockingIOError(11, "full"), OSError(101, "unreachable")]
)
def test_an_answer_that_cannot_leave_is_counted_not_a_fault(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A request of 60 KiB can make an answer that fits into no datagram."""

    def refuse(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(rig.wire, "write", refuse)
        assert rig.send(OPTIONS) == []
    assert rig.value("intercom_sipd_dropped_total", reason="send") == 1
    assert rig.value("intercom_sipd_dropped_total", reason="error") == 0


def test_ipv6_peers(rig: Rig) -> None:
    response = rig.answer(OPTIONS, ("2001:db8::7", 4000))
    assert response.via.params["received"] == "2001:db8::7"
    assert unmapped("::ffff:192.0.2.1") == "192.0.2.1"
    assert unmapped("2001:db8::1") == "2001:db8::1"


def test_a_request_keeps_its_other_vias_in_the_answer(rig: Rig) -> None:
    data = OPTIONS.replace(b"From:", b"Via: SIP/2.0/UDP far.example.org;branch=z9hG4bKfar\r\nFrom:")
    response = rig.answer(data)
    assert response.headers.all("Via")[1] == "SIP/2.0/UDP far.example.org;branch=z9hG4bKfar"
    assert len(read_request(data).headers.all("Via")) == 2
