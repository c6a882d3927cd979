from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.sip_text import Request, Response, SipTextError, answer, parameter, parse

NOTIFY = (
    b"NOTIFY sip:1@127.0.0.1:5070 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0\r\n"
    b'f: "A;tag=no" <sip:server@here;tag=no>;tag=a1\r\n'
    b"t: <sip:1@here>\r\n"
    b"i: c1\r\n"
    b"CSeq: 7 NOTIFY\r\n"
    b"o: check-sync;\r\n"
    b" reboot=true\r\n"
    b"l: 2\r\n"
    b"\r\n"
    b"ab"
)


def test_request_with_compact_names_and_a_folded_line():
    request = parse(NOTIFY + b"cut off by Content-Length")
    assert isinstance(request, Request)
    assert (request.method, request.uri, request.body) == ("NOTIFY", "sip:1@127.0.0.1:5070", b"ab")
    assert request.branch == "z9hG4bK1"
    assert len(request.all("Via")) == 2
    assert request.get("Event") == "check-sync; reboot=true"
    assert parameter(request.get("event"), "reboot") == "true"


def test_answer_copies_what_rfc3261_section_8_2_6_asks_for():
    request = parse(NOTIFY)
    response = parse(answer(request, 200, "OK", "mine").encode())
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "OK")
    assert response.all("via") == request.all("via")
    assert response.get("to") == "<sip:1@here>;tag=mine"
    for name in ("from", "call-id", "cseq"):
        assert response.get(name) == request.get(name)


def test_a_tag_in_to_is_kept():
    request = parse(NOTIFY.replace(b"t: <sip:1@here>", b"t: <sip:1@here>;tag=old"))
    assert answer(request, 200, "OK", "mine").get("to") == "<sip:1@here>;tag=old"


def test_what_is_built_is_read_again():
    request = Request(tuple(parse(NOTIFY).headers), "NOTIFY", "sip:x", b"body")
    assert parse(request.encode()) == request


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "no empty line"),
        (NOTIFY[:60], "no empty line"),
        (NOTIFY.replace(b"SIP/2.0\r\nv", b"SIP/3.0\r\nv"), "neither"),
        (NOTIFY.replace(b"i: c1\r\n", b""), "no call-id header"),
        (NOTIFY.replace(b"l: 2", b"l: 3"), "Content-Length"),
        (NOTIFY.replace(b"l: 2", b"l: -1"), "Content-Length"),
        (NOTIFY.replace(b"i: c1", b"c1"), "without a name"),
        (NOTIFY.replace(b"i: c1", b"i: \xff"), "UTF-8"),
    ],
)
def test_malformed_messages_are_refused(datagram, reason):
    with pytest.raises(SipTextError, match=reason):
        parse(datagram)


@given(st.binary(max_size=200), st.integers(0, len(NOTIFY)))
def test_no_bytes_break_the_parser(noise, position):
    try:
        parse(NOTIFY[:position] + noise + NOTIFY[position:])
    except SipTextError:
        pass
