"""RFC 4475 and RFC 5118, section by section: what the parser reads, and why it refuses the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz_sip import check
from sipd.message.errors import MalformedMessageError
from sipd.message.fields import NameAddress, parse_via
from sipd.message.grammar import split_outside_quotes
from sipd.message.message import Request, Response
from sipd.message.parser import parse
from sipd.message.uri import OtherUri, SipUri, parse_uri
from tests.conformance.sip.torture_messages import CASES, CHARACTERS_METHOD, KEPT, LONG, Case, register

TABLE = Path(__file__).parents[3] / "docs/protocol/torture.md"
DATA = {case.section: case.data for case in CASES}
SECTIONS = {
    *(f"3.1.1.{number}" for number in range(1, 14)),
    *(f"3.1.2.{number}" for number in range(1, 20)),
    "3.2.1",
    *(f"3.3.{number}" for number in range(1, 16)),
    "3.4.1",
}


def request(section: str) -> Request:
    message = parse(DATA[section])
    assert isinstance(message, Request)
    return message


def response(section: str) -> Response:
    message = parse(DATA[section])
    assert isinstance(message, Response)
    return message


def sip(address: NameAddress) -> SipUri:
    assert isinstance(address.uri, SipUri)
    return address.uri


def read_everything(data: bytes) -> None:
    message = parse(data)
    for line in message.headers.all("Via"):
        for text in split_outside_quotes(line, ","):
            parse_via(text)
    if isinstance(message, Request):
        _ = message.contacts, message.credentials()


def test_every_section_has_its_message() -> None:
    assert {case.section for case in CASES if not case.section.startswith("5118")} == SECTIONS
    assert len(SECTIONS) == 49


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_read_or_refused(case: Case) -> None:
    if case.reason is None:
        read_everything(case.data)
    else:
        with pytest.raises(MalformedMessageError) as caught:
            read_everything(case.data)
        assert caught.value.reason is case.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_what_is_read_survives_writing(case: Case) -> None:
    check(case.data)


def test_the_table_says_what_sipd_does() -> None:
    rows = [line.split("|") for line in TABLE.read_text().splitlines() if line.startswith(("| 3.", "| 5118"))]
    listed = {row[1].strip(): row[3].strip() for row in rows}
    assert listed == {case.section: _in_words(case) for case in CASES}


def _in_words(case: Case) -> str:
    if case.outcome == KEPT:
        return "read"
    return f"{case.outcome}, {case.reason}" if case.reason else str(case.outcome)


def test_3_1_1_1_tortuous_invite() -> None:
    """Folds everywhere, odd case, blanks around separators, compact names, escaped quotes, an empty field."""
    invite = request("3.1.1.1")
    assert invite.to.tag == "7"
    assert invite.from_.display == 'The \\ "north" gate'
    assert (invite.cseq.number, invite.via.host, invite.via.port, invite.via.branch) == (
        17,
        "192.0.2.21",
        5062,
        "oldstyle",
    )
    second, third = (parse_via(text) for text in split_outside_quotes(invite.headers.all("Via")[1], ","))
    assert (second.transport, second.host, second.branch) == ("TCP", "relay.example.org", "z9hG4bKone")
    assert (third.transport, third.host, third.branch) == ("UDP", "198.51.100.4", "z9hG4bKtwo")
    assert (invite.headers.first("Subject"), invite.headers.first("Unheardoffield")) == ("", "first second")
    (contact,) = invite.contacts
    assert contact.display == 'Door ""'
    assert contact.params == {"fresh": "value", "flag": None, "q": "0.3"}
    assert invite.body == b"hello"


def test_3_1_1_2_all_characters_that_are_allowed() -> None:
    message = request("3.1.1.2")
    assert message.method == CHARACTERS_METHOD
    assert isinstance(message.uri, SipUri)
    assert message.uri.number == "flat_12.B~(or!the)&cellar's+door=$/open?,/;;*"
    assert (message.uri.password, message.uri.host) == ("-key=1,pin*2$_(3)", "door.example.org")
    assert message.to.display == "bell:\x07 nul:\x00 del:\x7f"
    assert message.from_.display == "do~or1`  +g'ate_* %!.-"
    assert message.from_.params == {"fld~'`+*_.!-%": '"Подъезд"', "tag": "~_'1"}


def test_3_1_1_3_escapes() -> None:
    invite = request("3.1.1.3")
    assert isinstance(invite.uri, SipUri)
    assert (invite.uri.number, invite.uri.host) == ("sip:flat@north.example.org", "example.org")
    assert sip(invite.to).number == "flat12"
    same = parse_uri("sip:gate@192.0.2.21;lr;name=value%2541")
    assert isinstance(same, SipUri)
    assert sip(invite.contacts[0]).same_as(same)


def test_3_1_1_4_escaped_nul_is_a_character() -> None:
    message = request("3.1.1.4")
    assert sip(message.to).number == "door-\0-key"
    one, two = message.contacts
    assert (sip(one).number, sip(two).number) == ("\0", "\0\0")
    assert not sip(one).same_as(sip(two))


def test_3_1_1_5_percent_is_no_escape_outside_uris() -> None:
    message = request("3.1.1.5")
    assert message.method == "RE%47ISTE%52"
    assert message.contacts[0].display == "%Q%45"
    assert sip(message.contacts[0]).number == "E"


def test_3_1_1_6_no_blank_before_the_bracket() -> None:
    assert request("3.1.1.6").from_.display == "gate"


def test_3_1_1_7_long_values() -> None:
    invite = request("3.1.1.7")
    assert sip(invite.to).number == invite.to.display == invite.to.tag == invite.call_id == LONG
    assert len(invite.headers.all("Via")) == 31
    assert sip(invite.contacts[-1]).params == {LONG: LONG}


def test_3_1_1_8_octets_behind_the_message() -> None:
    assert request("3.1.1.8").body == b""


def test_3_1_1_9_semicolons_of_the_user_part() -> None:
    uri = request("3.1.1.9").uri
    assert isinstance(uri, SipUri)
    assert (uri.number, uri.params) == ("flat12;floor=3@east", {})


def test_3_1_1_10_transports() -> None:
    message = request("3.1.1.10")
    lines = message.headers.all("Via")
    transports = [parse_via(text).transport for line in lines for text in split_outside_quotes(line, ",")]
    assert transports == ["PIGEON", "SCTP", "TLS", "WSS", "TCP"]


def test_3_1_1_11_body_of_any_octets() -> None:
    message = request("3.1.1.11")
    assert message.body.endswith(b"\x00\xff\xfe\r\n\r\n")
    assert len(message.body) == 63


def test_3_1_1_12_and_13_phrases() -> None:
    assert response("3.1.1.12").reason == "= 2**3 * 5**2 а дверь 東 открыта"
    assert (response("3.1.1.13").status, response("3.1.1.13").reason) == (100, "")


def test_3_2_1_a_cookie_alone_identifies_nothing() -> None:
    message = request("3.2.1")
    assert (message.via.branch, message.via.params["branch"]) == ("", "z9hG4bK")


def test_3_3_2_to_4_other_schemes() -> None:
    assert request("3.3.2").uri == OtherUri("knockknock", "whoisthere")
    assert request("3.3.3").uri == OtherUri("soap.beep", "//192.0.2.103:3002")
    message = request("3.3.4")
    assert message.to.uri == OtherUri("isbn", "2983792873")
    assert message.from_.uri == OtherUri("http", "//example.org/a")
    assert message.contacts[0].uri == OtherUri("name", "North_Gate")


def test_3_3_7_unknown_scheme_of_credentials() -> None:
    assert request("3.3.7").credentials() == []


def test_3_3_12_to_14_whose_parameter_it_is() -> None:
    (bare,), (bracketed,), (escaped,) = (request(f"3.3.{number}").contacts for number in (12, 13, 14))
    assert (bare.params, sip(bare).params) == ({"unheardof": None}, {})
    assert (bracketed.params, sip(bracketed).params) == ({}, {"unheardof": None})
    assert sip(escaped).headers == "Route=%3Csip:relay.example.org%3E"


def test_3_4_1_rfc_2543_syntax() -> None:
    invite = request("3.4.1")
    assert (invite.via.branch, invite.from_.tag) == ("", None)
    assert (invite.to.params, sip(invite.to).params) == ({"user": "phone"}, {})


def test_5118_4_3_and_4_port_inside_and_outside_of_brackets() -> None:
    inside, outside = request("5118-4.3").uri, request("5118-4.4").uri
    assert isinstance(inside, SipUri)
    assert isinstance(outside, SipUri)
    assert (inside.host, inside.port) == ("[2001:db8::10:5070]", None)
    assert (outside.host, outside.port) == ("[2001:db8::10]", 5070)


def test_5118_4_5_received_with_and_without_brackets() -> None:
    assert request("5118-4.5").via.params["received"] == "[2001:db8::9:255]"
    assert request("5118-4.5-bare").via.params["received"] == "2001:db8::9:255"


def test_5118_4_9_mapped_addresses() -> None:
    message = request("5118-4.9")
    assert message.via.host == "[::ffff:192.0.2.2]"
    assert sip(message.contacts[0]).host == "[::ffff:192.0.2.1]"


def test_5118_4_10_the_colon_too_many_is_dropped() -> None:
    one, other = request("5118-4.10").contacts
    assert sip(one).host == sip(other).host == "[2001:db8::192.0.2.1]"


def test_expiry_and_max_forwards_beyond_their_range_are_no_reason_to_refuse() -> None:
    """3.1.2.4 without its CSeq: too large an Expires counts as the largest."""
    message = parse(register(f"Expires: {10**40}", "Max-Forwards: 300"))
    assert isinstance(message, Request)
    assert message.expires_seconds == 2**32 - 1
