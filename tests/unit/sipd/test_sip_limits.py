"""Every limit of a message, exactly at its border and one beyond."""

from __future__ import annotations

import pytest

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import UINT32_MAX
from sipd.message.message import Request, Response
from sipd.message.parser import HEADER_LIMIT, LINE_LIMIT_CHARACTERS, MESSAGE_LIMIT_BYTES, parse

LINES = [
    "OPTIONS sip:example.org SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKa",
    "From: <sip:a@example.org>;tag=1",
    "To: <sip:b@example.org>",
    "Call-ID: x",
    "CSeq: 1 OPTIONS",
]


def message(*more: str, start: str = LINES[0], body: bytes = b"", **replaced: str) -> bytes:
    fields = dict(line.split(": ", 1) for line in LINES[1:]) | replaced
    kept = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([start, *kept, *more, "\r\n"]).encode() + body


def outcome(data: bytes) -> Reason | None:
    """Why it is refused; None when it is read."""
    try:
        parsed = parse(data)
        if isinstance(parsed, Request):
            _ = parsed.contacts
    except MalformedMessageError as error:
        return error.reason
    return None


def request(data: bytes) -> Request:
    parsed = parse(data)
    assert isinstance(parsed, Request)
    return parsed


def filled(total: int) -> bytes:
    head = message()
    return head + b"b" * (total - len(head))


def line(length: int) -> str:
    return "Z: " + "a" * (length - 3)


def folded(length: int) -> str:
    """A line of that length once its folds have become blanks."""
    half = (length - 4) // 2
    return f"Z: {'a' * half}\r\n {'b' * (length - 4 - half)}"


def host(length: int) -> str:
    return "h" * length


@pytest.mark.parametrize(
    ("at", "beyond", "reason"),
    [
        (filled(MESSAGE_LIMIT_BYTES), filled(MESSAGE_LIMIT_BYTES + 1), Reason.TOO_LARGE),
        (message(*["Z: y"] * (HEADER_LIMIT - 5)), message(*["Z: y"] * (HEADER_LIMIT - 4)), Reason.TOO_MANY_HEADERS),
        (message(line(LINE_LIMIT_CHARACTERS)), message(line(LINE_LIMIT_CHARACTERS + 1)), Reason.HEADER_TOO_LONG),
        (message(folded(LINE_LIMIT_CHARACTERS)), message(folded(LINE_LIMIT_CHARACTERS + 1)), Reason.HEADER_TOO_LONG),
        (
            message(start=f"OPTIONS sip:{'u' * (LINE_LIMIT_CHARACTERS - 22)}@h SIP/2.0"),
            message(start=f"OPTIONS sip:{'u' * (LINE_LIMIT_CHARACTERS - 21)}@h SIP/2.0"),
            Reason.START_LINE,
        ),
        (
            message(start=f"{'M' * 64} sip:h SIP/2.0", CSeq=f"1 {'M' * 64}"),
            message(start=f"{'M' * 65} sip:h SIP/2.0", CSeq=f"1 {'M' * 65}"),
            Reason.START_LINE,
        ),
        (message(CSeq=f"{2**31 - 1} OPTIONS"), message(CSeq=f"{2**31} OPTIONS"), Reason.CSEQ),
        (message(start="OPTIONS sip:h:65535 SIP/2.0"), message(start="OPTIONS sip:h:65536 SIP/2.0"), Reason.NUMBER),
        (message(start="OPTIONS sip:h:1 SIP/2.0"), message(start="OPTIONS sip:h:0 SIP/2.0"), Reason.NUMBER),
        (message(Via="SIP/2.0/UDP h:65535"), message(Via="SIP/2.0/UDP h:65536"), Reason.NUMBER),
        (message(Via="SIP/2.0/UDP h:1"), message(Via="SIP/2.0/UDP h:0"), Reason.NUMBER),
        (message(To=f"<sip:{host(254)}>"), message(To=f"<sip:{host(255)}>"), Reason.URI),
        (message(Via=f"SIP/2.0/UDP {host(254)}"), message(Via=f"SIP/2.0/UDP {host(255)}"), Reason.VIA),
        (message("l: 3", body=b"abc"), message("l: 4", body=b"abc"), Reason.CONTENT_LENGTH),
        (message("l: 000000000003", body=b"abc"), message("l: 000000000004", body=b"abc"), Reason.CONTENT_LENGTH),
        (message("m: <sip:[1:2:3:4:5:6:7:8]>"), message("m: <sip:[1:2:3:4:5:6:7:8:9]>"), Reason.URI),
        (message("m: <sip:[::255.255.255.255]>"), message("m: <sip:[::255.255.255.256]>"), Reason.URI),
        (message("m: <sip:[::ffff]>"), message("m: <sip:[::fffff]>"), Reason.URI),
    ],
)
def test_at_the_border_and_beyond(at: bytes, beyond: bytes, reason: Reason) -> None:
    assert outcome(at) is None
    assert outcome(beyond) is reason


def test_lengths_of_the_borders_are_what_they_claim() -> None:
    assert len(filled(MESSAGE_LIMIT_BYTES)) == MESSAGE_LIMIT_BYTES == 65_536
    assert len(line(LINE_LIMIT_CHARACTERS)) == len(folded(LINE_LIMIT_CHARACTERS).replace("\r\n", "")) == 8_192
    assert message(*["Z: y"] * (HEADER_LIMIT - 5)).count(b"\r\n") == HEADER_LIMIT + 2 == 130


@pytest.mark.parametrize("status", [100, 699])
def test_status_codes_within_six_classes(status: int) -> None:
    response = parse(message(start=f"SIP/2.0 {status} x"))
    assert isinstance(response, Response)
    assert response.status == status


@pytest.mark.parametrize("status", ["099", "700", "1000", "20", "-100"])
def test_status_codes_outside(status: str) -> None:
    assert outcome(message(start=f"SIP/2.0 {status} x")) is Reason.START_LINE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("4294967295", UINT32_MAX),
        ("4294967296", UINT32_MAX),
        ("9" * 5000, UINT32_MAX),
        ("0" * 5000 + "300", 300),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("٣", None),
    ],
)
def test_expiry(text: str, seconds: int | None) -> None:
    """Beyond 32 bits it counts as the largest, in digits that Python would not even convert."""
    assert request(message(f"Expires: {text}")).expires_seconds == seconds


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("0" * 4000 + "17", 17), ("2147483647", 2**31 - 1)])
def test_leading_zeros_of_cseq(text: str, number: int) -> None:
    assert request(message(CSeq=f"{text} OPTIONS")).cseq.number == number


def test_the_written_form_may_be_longer_than_the_limits_of_what_is_read() -> None:
    """Compact names grow and Content-Length is added: nothing is cut or lost for that."""
    many = request(message(*["Z: y"] * (HEADER_LIMIT - 5)))
    assert many.to_bytes().count(b"\r\nZ: y") == HEADER_LIMIT - 5


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        ("From", '"a" b <sip:h>', Reason.ADDRESS),
        ("From", "a:b <sip:h>", Reason.ADDRESS),
        ("From", "<sip:h> x", Reason.PARAMETER),
        ("From", "<sip:h", Reason.ADDRESS),
        ("From", "sip:h>", Reason.ADDRESS),
        ("From", "", Reason.ADDRESS),
        ("From", "<sip:h>;a=1;A=2", Reason.PARAMETER),
        ("From", "<sip:h>;\N{KELVIN SIGN}=1", Reason.PARAMETER),  # its lower case is an ASCII letter
        ("From", "<sip:h;\N{KELVIN SIGN}=1>", Reason.URI),
        ("To", "<sip:a@b>, <sip:c@d>", Reason.PARAMETER),
        ("Via", "SIP/2.0/UDP [::1", Reason.VIA),
        ("Via", "SIP/2.0/UDP [::1::]", Reason.URI),
        ("Via", "SIP/1.0/UDP h", Reason.VIA),
        ("Via", "SIP/2.0/UDP h;branch=", Reason.PARAMETER),
    ],
)
def test_malformed_fields_are_refused_before_anything_acts_on_them(header: str, value: str, reason: Reason) -> None:
    assert outcome(message(**{header: value})) is reason


def test_an_address_without_brackets_may_have_brackets_in_a_quoted_parameter() -> None:
    (contact,) = request(message('m: sip:a@h;+sip.instance="<urn:uuid:1>"')).contacts
    assert (str(contact.uri), contact.params) == ("sip:a@h", {"+sip.instance": '"<urn:uuid:1>"'})


def test_scheme_of_credentials_may_be_followed_by_any_blanks() -> None:
    assert request(message('Authorization: DIGEST\t \ta="b"')).credentials() == [{"a": "b"}]
