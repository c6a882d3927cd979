"""Messages from bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.fields import NameAddress
from sipd.message.grammar import quote
from sipd.message.headers import Headers
from sipd.message.message import Request, Response
from sipd.message.parser import HEADER_LIMIT, LINE_LIMIT_CHARACTERS, MESSAGE_LIMIT_BYTES, parse
from sipd.message.replies import reply, reply_to_headers
from sipd.message.uri import SipUri, parse_uri

REGISTER = (
    b"REGISTER sip:example.org SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.4:5062;rport;branch=z9hG4bKnashds7\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: Gate <sip:5926100061@example.org>;tag=456248\r\n"
    b"To: <sip:5926100061@example.org>\r\n"
    b"Call-ID: 843817637684230@998sdasdh09\r\n"
    b"CSeq: 1826 REGISTER\r\n"
    b'Contact: "Gate, one" <sip:5926100061@192.0.2.4:5062>;q=0.7;expires=300, <sip:192.0.2.5>\r\n'
    b"Expires: 7200\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def reason_of(data: bytes) -> Reason:
    with pytest.raises(MalformedMessageError) as caught:
        parse(data)
    return caught.value.reason


def test_typed_fields_of_a_register() -> None:
    register = request(REGISTER)
    assert (register.method, str(register.uri)) == ("REGISTER", "sip:example.org")
    assert (register.via.transport, register.via.host, register.via.port) == ("UDP", "192.0.2.4", 5062)
    assert register.via.branch == "z9hG4bKnashds7"
    assert register.from_.tag == "456248"
    assert register.from_.display == "Gate"
    assert isinstance(register.to.uri, SipUri)
    assert register.to.uri.number == "5926100061"
    assert (register.cseq.number, register.cseq.method) == (1826, "REGISTER")
    assert register.expires_seconds == 7200
    first, second = register.contacts
    assert first.display == "Gate, one"
    assert first.params == {"q": "0.7", "expires": "300"}
    assert str(second.uri) == "sip:192.0.2.5"


def test_compact_and_folded_forms_mean_the_same() -> None:
    compact = (
        b"REGISTER sip:example.org SIP/2.0\r\n"
        b"v: SIP / 2.0 /udp 192.0.2.4 : 5062\r\n ;rport\r\n\t;branch=z9hG4bKnashds7\r\n"
        b"f  :  Gate\r\n <sip:5926100061@example.org>;tag=456248\r\nt: <sip:5926100061@example.org>\r\n"
        b"i: 843817637684230@998sdasdh09\r\nCSEQ: 1826\r\n REGISTER\r\nl: 0\r\n\r\n"
    )
    one, two = request(compact), request(REGISTER)
    assert one.via == two.via
    assert one.from_ == two.from_
    assert one.cseq == two.cseq
    assert one.call_id == two.call_id


def test_stamping_the_top_via_keeps_the_others() -> None:
    data = REGISTER.replace(b"Max-Forwards: 70", b"Via: SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bKx, SIP/2.0/UDP a")
    message = request(data)
    message.via = message.via.stamped("203.0.113.7", 40000)
    again = request(message.to_bytes())
    assert again.via.params == {"rport": "40000", "branch": "z9hG4bKnashds7", "received": "203.0.113.7"}
    assert again.headers.all("Via")[1] == "SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bKx, SIP/2.0/UDP a"


def test_received_is_added_without_rport_only_when_addresses_differ() -> None:
    via = request(REGISTER.replace(b";rport", b"")).via
    assert via.stamped("192.0.2.4", 9999) == via
    assert via.stamped("192.0.2.99", 9999).params == {"branch": "z9hG4bKnashds7", "received": "192.0.2.99"}


def test_response() -> None:
    data = REGISTER.replace(b"REGISTER sip:example.org SIP/2.0", "SIP/2.0 200 Всё хорошо".encode(), 1)
    message = parse(data)
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (200, "Всё хорошо")
    assert parse(message.to_bytes()).to_bytes() == message.to_bytes()


def test_bytes_that_are_not_utf8_pass_through() -> None:
    message = request(REGISTER.replace(b"Gate, one", b"Gate \xff\xfe"))
    assert b"Gate \xff\xfe" in message.to_bytes()


def test_body_ends_at_content_length() -> None:
    assert request(REGISTER.replace(b"Length: 0\r\n\r\n", b"Length: 3\r\n\r\nabcdef")).body == b"abc"
    assert request(REGISTER.replace(b"Content-Length: 0\r\n", b"") + b"abcdef").body == b"abcdef"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"\r\n\r\n", b"\r\n", Reason.NO_END_OF_HEADERS),
        (b"REGISTER sip:example.org", b"REGISTER  sip:example.org", Reason.START_LINE),
        (b"REGISTER sip:example.org", b"REGISTER <sip:example.org>", Reason.START_LINE),
        (b"SIP/2.0\r\n", b"SIP/7.0\r\n", Reason.VERSION),
        (b"Max-Forwards: 70", b"Max-Forwards 70", Reason.HEADER_SYNTAX),
        (b"Max-Forwards: 70", b"Max Forwards: 70", Reason.HEADER_SYNTAX),
        (b"Max-Forwards: 70", b"X: a\nVia: b", Reason.LINE_BREAK),
        (b"Max-Forwards: 70", b"X: " + b"a" * LINE_LIMIT_CHARACTERS, Reason.HEADER_TOO_LONG),
        (b"Max-Forwards: 70", b"\r\n".join([b"X: a"] * HEADER_LIMIT), Reason.TOO_MANY_HEADERS),
        (b"CSeq: 1826 REGISTER\r\n", b"", Reason.MISSING_HEADER),
        (b"Expires: 7200", b"Expires: 1\r\nExpires: 2", Reason.DUPLICATE_HEADER),
        (b"CSeq: 1826 REGISTER", b"CSeq: 1826 OPTIONS", Reason.CSEQ),
        (b"CSeq: 1826", b"CSeq: 2147483648", Reason.CSEQ),
        (b"Content-Length: 0", b"Content-Length: 9", Reason.CONTENT_LENGTH),
        (b"Content-Length: 0", b"Content-Length: -1", Reason.CONTENT_LENGTH),
        (b"Call-ID: 8", b"Call-ID: 8 8", Reason.CALL_ID),
        (b"\r\n\r\n", b"\r\n\r\n" + b"a" * MESSAGE_LIMIT_BYTES, Reason.TOO_LARGE),
    ],
)
def test_refused_with_its_reason(old: bytes, new: bytes, reason: Reason) -> None:
    assert reason_of(REGISTER.replace(old, new, 1)) is reason


def test_a_faulty_request_can_be_answered_and_a_faulty_response_not() -> None:
    with pytest.raises(MalformedMessageError) as caught:
        parse(REGISTER.replace(b"CSeq: 1826 REGISTER", b"CSeq: 1826 BYE"))
    assert caught.value.request_headers is not None
    assert caught.value.request_headers.first("To") == "<sip:5926100061@example.org>"
    with pytest.raises(MalformedMessageError) as caught:
        parse(REGISTER.replace(b"REGISTER sip:example.org SIP/2.0", b"SIP/2.0 999 OK"))
    assert caught.value.request_headers is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", True),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", False),
        ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", False),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", False),
        ("sip:[2001:DB8::1]:5060", "sip:[2001:db8::1]:5060", True),
    ],
)
def test_uri_comparison(a: str, b: str, same: bool) -> None:
    """The examples of RFC 3261 §19.1.4."""
    first, second = parse_uri(a), parse_uri(b)
    assert isinstance(first, SipUri)
    assert isinstance(second, SipUri)
    assert first.same_as(second) is second.same_as(first) is same


@pytest.mark.parametrize(
    "text",
    [
        "sip:",
        "sip:@host",
        "sip:a@b@c",
        "sip:a%zz@b",
        "sip:host:0",
        "sip:host:70000",
        "sip:[::1",
        "sip:ho st",
        "sip:h;a=1;a=2",
        "sip:h;=x",
        "host",
    ],
)
def test_bad_uris(text: str) -> None:
    with pytest.raises(MalformedMessageError):
        parse_uri(text)


@pytest.mark.parametrize(
    ("to", "tag"),
    [
        ("sip:a@h", "ours"),
        ("sip:a@h;tag=theirs", "theirs"),
        ("<sip:a@h;tag=uri>", "ours"),
        ('"x;tag=quoted>" <sip:a@h>', "ours"),
        ('<sip:a@h>;TAG = theirs;x=">"', "theirs"),
        ("<sip:a@h>;tag", None),
    ],
)
def test_an_answer_has_one_tag_in_its_to(to: str, tag: str | None) -> None:
    """Found by fuzzing: text that only looks like a tag, or a tag behind text that only looks like the end of a URI."""
    message = request(REGISTER.replace(b"<sip:5926100061@example.org>\r\nCall-ID", f"{to}\r\nCall-ID".encode()))
    for answer in (reply(message, 200, "ours"), reply_to_headers(message.headers, 400, "ours")):
        assert parse(answer.to_bytes()).to.tag == tag


def test_a_header_value_cannot_smuggle_a_line() -> None:
    with pytest.raises(ValueError, match="line break"):
        Headers().add("Subject", "a\r\nContact: <sip:evil>")


TOKENS = st.from_regex(r"[A-Za-z0-9\-.!%*_+`'~]{1,12}", fullmatch=True)
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
HOSTS = st.sampled_from(["example.org", "192.0.2.1", "[2001:db8::1]", "a-b.c"])
URIS = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    st.none() | st.from_regex(r"[a-z0-9;?&=+$,/]{1,8}", fullmatch=True),
    HOSTS,
    st.none() | st.integers(1, 65535),
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.none() | st.just("x1"), max_size=3),
)
ADDRESSES = st.builds(
    NameAddress,
    URIS,
    st.dictionaries(
        TOKENS.map(str.lower),
        st.none() | TOKENS | TEXT.map(quote),
        max_size=3,
    ),
    TEXT.map(str.strip),
)


@given(st.lists(ADDRESSES, min_size=1, max_size=4), TOKENS, st.binary(max_size=40))
def test_what_is_written_is_read_again(addresses: list[NameAddress], call_id: str, body: bytes) -> None:
    headers = Headers()
    headers.add("Via", "SIP/2.0/UDP h")
    headers.add("From", str(addresses[0]))
    headers.add("To", str(addresses[-1]))
    headers.add("Call-ID", call_id)
    headers.add("CSeq", "7 REGISTER")
    headers.add("Contact", ", ".join(map(str, addresses)))
    again = request(Request("REGISTER", "sip:example.org", headers, body).to_bytes())
    assert again.contacts == addresses
    assert (again.from_, again.to) == (addresses[0], addresses[-1])
    assert (again.call_id, again.body) == (call_id, body)


def touch_everything(message: Request | Response) -> None:
    _ = (message.via, message.cseq, message.to, message.from_, message.call_id)
    if isinstance(message, Request):
        _ = (message.uri, message.contacts, message.expires_seconds, message.credentials(), message.is_wildcard)
        message.via = message.via.stamped("192.0.2.1", 5060)


def verdict(data: bytes) -> Request | Response | None:
    """The message when every field of it can be read, None when it is malformed. Nothing else may happen."""
    try:
        message = parse(data)
        touch_everything(message)
    except MalformedMessageError:
        return None
    return message


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_malformed(data: bytes) -> None:
    verdict(data)


EDITS = st.tuples(st.integers(0, len(REGISTER)), st.integers(0, 4), st.binary(max_size=4))


@given(st.lists(EDITS, min_size=1, max_size=5))
def test_any_damage_gives_a_message_or_malformed(edits: list[tuple[int, int, bytes]]) -> None:
    data = REGISTER.replace(b"Expires", b'Authorization: Digest username="a", realm="b", nc=00000001\r\nExpires', 1)
    for position, removed, inserted in edits:
        data = data[:position] + inserted + data[position + removed :]
    message = verdict(data)
    if message is not None:
        assert parse(message.to_bytes()).to_bytes() == message.to_bytes()


@pytest.mark.parametrize("filler", [b" ", b"\t", b"\\", b'"', b"<", b";", b",", b"a", b"=", b";a=", b"%41"])
@pytest.mark.parametrize("header", [b"Via", b"From", b"Contact", b"CSeq", b"Authorization", b"Expires"])
def test_long_runs_of_one_character_are_read_in_linear_time(header: bytes, filler: bytes) -> None:
    """A backtracking expression would need minutes here."""
    run = filler * (8000 // len(filler)) + b"\x01"
    lines = [line for line in REGISTER.split(b"\r\n") if not line.startswith(header)]
    for start in (b'"x', b"", b"SIP/2.0/UDP h", b"<sip:h>", b'Digest a="', b"Digest a=b"):
        verdict(b"\r\n".join([lines[0], header + b": " + start + run, *lines[1:]]))
