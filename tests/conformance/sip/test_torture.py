"""Messages that carry the points of RFC 4475, in words of our own, with the verdict the RFC expects."""

from __future__ import annotations

from functools import partial

import pytest

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.message import Request, Response
from sipd.message.parser import parse
from sipd.message.uri import OtherUri, SipUri


def message(start: str, *headers: str, body: str = "", **replaced: str) -> bytes:
    fields = {
        "Via": "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK77",
        "From": "<sip:caller@example.net>;tag=134161461246",
        "To": "<sip:user@example.com>",
        "Call-ID": "torture.0ha0isndaksdj@10.0.0.1",
        "CSeq": f"8 {start.partition(' ')[0]}",
        "Max-Forwards": "7",
    }
    fields |= {name.replace("_", "-"): value for name, value in replaced.items()}
    lines = [start, *(f"{name}: {value}" for name, value in fields.items() if value), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


invite = partial(message, "INVITE sip:user@example.com SIP/2.0")
options = partial(message, "OPTIONS sip:user@example.com SIP/2.0")


def read(data: bytes) -> Request:
    parsed = parse(data)
    assert isinstance(parsed, Request)
    return parsed


def test_3_1_1_1_short_tortuous_invite() -> None:
    """Folding everywhere, odd case, escapes in a quoted display name, several Vias, empty Subject."""
    data = (
        b"INVITE sip:vivekg@chair.example.com;unknownparam SIP/2.0\r\n"
        b"TO :\r\n sip:vivekg@chair.example.com ;   tag    = 19\r\n"
        b'from   : "J \\\\\\"ones\\"" <sip:j@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: 0068\r\n'
        b"Call-ID: wsinv.ndaksdj@192.0.2.1\r\nContent-Length   : 3\r\ncseq: 0009\r\n  INVITE\r\n"
        b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n"
        b"NewFangledHeader:   newfangled value\r\n continued\r\n"
        b'm:"Quoted string \\"\\"" <sip:j@ex.com> ; newparam =\r\n'
        b"      newvalue ;\r\n  secondparam ; q = 0.33\r\n"
        b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  "
        b",\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\r\nabc"
    )
    invite = read(data)
    assert invite.to.tag == "19"
    assert invite.from_.display == 'J \\"ones"'
    assert (invite.cseq.number, invite.via.host, invite.via.branch) == (9, "192.0.2.2", "390skdjuw")
    assert len(invite.headers.all("Via")) == 2
    assert invite.headers.first("Subject") == ""
    assert invite.headers.first("Newfangledheader") == "newfangled value continued"
    contact = invite.contacts[0]
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert invite.body == b"abc"


def test_3_1_1_2_wide_range_of_valid_characters() -> None:
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    uri = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
    request = read(
        message(
            f"{method} {uri} SIP/2.0",
            From="token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_t~1",
            To='"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI@example.com>',
            **{"Call-ID": "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"},
        )
    )
    assert request.method == method
    assert isinstance(request.uri, SipUri)
    assert request.uri.number == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert request.from_.tag == "_t~1"


def test_3_1_1_3_and_4_escapes_in_the_user_part() -> None:
    request = read(message("REGISTER sip:example.com SIP/2.0", To="<sip:%75se%72%00@example.com>"))
    assert isinstance(request.to.uri, SipUri)
    assert request.to.uri.number == "user\x00"
    assert request.to.uri.user == "%75se%72%00"


def test_3_1_1_5_percent_that_is_no_escape_in_a_method() -> None:
    assert read(message("RE%47IST%45R sip:registrar.example.com SIP/2.0")).method == "RE%47IST%45R"


def test_3_1_1_6_no_space_between_display_name_and_bracket() -> None:
    assert read(options(From="caller<sip:c@example.com>;tag=3")).from_.display == "caller"


def test_3_1_1_7_long_values() -> None:
    value = "long" * 400
    request = read(invite(f"Unknown-{value}: {value}", To=f'"{value}" <sip:{value}@e.com>'))
    assert request.to.display == value


def test_3_1_1_8_extra_octets_after_the_message() -> None:
    request = read(
        message("REGISTER sip:example.com SIP/2.0", "Content-Length: 0", body="INVITE sip:joe@example.com SIP/2.0")
    )
    assert request.body == b""


def test_3_1_1_9_semicolon_in_the_user_part() -> None:
    uri = read(message("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0")).uri
    assert isinstance(uri, SipUri)
    assert uri.number == "user;par=u@example.net"
    assert not uri.params


def test_3_1_1_10_unknown_transport_in_a_via() -> None:
    request = read(options(Via="SIP/2.0/UNKNOWN 192.0.2.2:5060;branch=z9hG4bKk"))
    assert request.via.transport == "UNKNOWN"


def test_3_1_1_12_and_13_reason_phrases() -> None:
    for start, reason in (("SIP/2.0 200 = 2**3 * 5**2 но сто", "= 2**3 * 5**2 но сто"), ("SIP/2.0 100 ", "")):
        response = parse(message(start, CSeq="35 INVITE"))
        assert isinstance(response, Response)
        assert response.reason == reason


@pytest.mark.parametrize(
    ("point", "data", "reason"),
    [
        ("3.1.2.1 stray commas and semicolons", invite(Via="SIP/2.0/UDP 192.0.2.15;;,;,,"), Reason.PARAMETER),
        ("3.1.2.2 content-length larger than the message", invite("l: 9999"), Reason.CONTENT_LENGTH),
        ("3.1.2.3 negative content-length", invite("l: -999"), Reason.CONTENT_LENGTH),
        (
            "3.1.2.4 overlarge CSeq",
            message("REGISTER sip:example.com SIP/2.0", CSeq="36893488147419103232 REGISTER"),
            Reason.CSEQ,
        ),
        ("3.1.2.6 unterminated quote in To", invite(To='"Mr. J. User <sip:j@example.com>'), Reason.ADDRESS),
        (
            "3.1.2.7 brackets around the request-URI",
            message("INVITE <sip:user@example.com> SIP/2.0"),
            Reason.START_LINE,
        ),
        (
            "3.1.2.8 blanks inside the request-URI",
            message("INVITE sip:user@example.com; lr SIP/2.0"),
            Reason.START_LINE,
        ),
        ("3.1.2.9 two blanks in the request line", message("INVITE  sip:user@example.com  SIP/2.0"), Reason.START_LINE),
        (
            "3.1.2.10 blank at the end of the request line",
            message("OPTIONS sip:remote-target@example.com SIP/2.0  "),
            Reason.START_LINE,
        ),
        (
            "3.1.2.13 addr-spec that needs brackets",
            message("REGISTER sip:example.com SIP/2.0", "m: sip:user@example.com?Route=%3Csip%3Ae%3E"),
            Reason.PARAMETER,
        ),
        ("3.1.2.16 unknown protocol version", message("OPTIONS sip:t@example.com SIP/7.0"), Reason.VERSION),
        ("3.1.2.17 method of CSeq differs", options(CSeq="8 INVITE"), Reason.CSEQ),
        (
            "3.1.2.18 method of CSeq differs, unknown method",
            message("NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE"),
            Reason.CSEQ,
        ),
        ("3.3.1 missing mandatory fields", invite(From=""), Reason.MISSING_HEADER),
        ("3.3.8 several values of a single field", invite("i: second@192.0.2.1"), Reason.DUPLICATE_HEADER),
        ("3.3.9 several content-lengths", options("l: 1", "l: 5", body="abcde"), Reason.DUPLICATE_HEADER),
    ],
)
def test_3_1_2_and_3_3_refused(point: str, data: bytes, reason: Reason) -> None:
    def read_fields() -> object:
        request = read(data)
        return request.via, request.to, request.contacts

    with pytest.raises(MalformedMessageError) as caught:
        read_fields()
    assert caught.value.reason is reason, point


def test_3_1_2_19_overlarge_status_is_refused() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse(message("SIP/2.0 4294967301 better not break the receiver", CSeq="8 INVITE"))
    assert caught.value.reason is Reason.START_LINE
    assert caught.value.request_headers is None


def test_3_3_3_and_4_unknown_schemes_are_left_to_the_core() -> None:
    request = read(message("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", To="<isbn:2983792873>"))
    assert request.uri == OtherUri("nobodyknowsthisscheme", "totallyopaquecontent")
    assert request.to.uri == OtherUri("isbn", "2983792873")


def test_3_3_7_unusual_contacts_of_a_register() -> None:
    request = read(
        message(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: sip:user@example.com",
            "m: <tel:+19725552222>, <mailto:j@e.com>",
        )
    )
    assert [contact.uri.scheme for contact in request.contacts] == ["sip", "tel", "mailto"]


def test_3_3_13_expires_without_a_number_counts_as_missing() -> None:
    assert read(message("REGISTER sip:example.com SIP/2.0", "Expires: 0 0l@company.com")).expires_seconds is None
