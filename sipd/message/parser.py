"""Bytes to messages (RFC 3261 §7, §25). Pure and total: a message, or MalformedMessageError, for any input."""

from __future__ import annotations

import re

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import WHITESPACE, is_token, parse_seconds
from sipd.message.headers import KNOWN, SINGLE, Headers, canonical
from sipd.message.message import ENCODING, ENCODING_ERRORS, Request, Response

MESSAGE_LIMIT_BYTES = 65_536
HEADER_LIMIT = 128
LINE_LIMIT_CHARACTERS = 8_192

_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_FOLD = re.compile(r"\r\n[ \t]+")
_REQUEST_LINE = re.compile(
    r"([A-Za-z0-9\-.!%*_+`'~]{1,64}) ([^\s<>\"]+) (SIP/[0-9]+\.[0-9]+)", re.IGNORECASE | re.ASCII
)
_STATUS_LINE = re.compile(r"SIP/([0-9]+\.[0-9]+) ([1-6][0-9]{2}) (.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
_CALL_ID = re.compile(r"[^\s@]+(?:@[^\s@]+)?")


def parse(data: bytes) -> Request | Response:
    """One whole message as a datagram carries it. Line breaks before it are skipped (§7.5)."""
    if len(data) > MESSAGE_LIMIT_BYTES:
        raise MalformedMessageError(Reason.TOO_LARGE)
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        raise MalformedMessageError(Reason.NO_END_OF_HEADERS)
    start, _, rest = head.decode(ENCODING, ENCODING_ERRORS).partition("\r\n")
    headers = _headers(rest)
    try:
        message = _message(start, headers)
        _check(message)
        message.body = _body(headers, body)
    except MalformedMessageError as error:
        is_request = start[:4].upper() != "SIP/"
        raise MalformedMessageError(error.reason, headers if is_request else None) from None
    return message


def _headers(text: str) -> Headers:
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n") if text else []
    if len(lines) > HEADER_LIMIT:
        raise MalformedMessageError(Reason.TOO_MANY_HEADERS)
    fields: dict[str, list[str]] = {}
    for line in lines:
        if len(line) > LINE_LIMIT_CHARACTERS:
            raise MalformedMessageError(Reason.HEADER_TOO_LONG)
        if "\r" in line or "\n" in line:
            raise MalformedMessageError(Reason.LINE_BREAK)
        name, colon, value = line.partition(":")
        key = KNOWN.get(name) or _name(name)
        if not colon:
            raise MalformedMessageError(Reason.HEADER_SYNTAX)
        fields.setdefault(key, []).append(value.strip(WHITESPACE))
    return Headers(fields)


def _name(text: str) -> str:
    name = text.rstrip(WHITESPACE)
    if not is_token(name):
        raise MalformedMessageError(Reason.HEADER_SYNTAX)
    return canonical(name)


def _message(start: str, headers: Headers) -> Request | Response:
    if len(start) > LINE_LIMIT_CHARACTERS or "\r" in start or "\n" in start:
        raise MalformedMessageError(Reason.START_LINE)
    status = _STATUS_LINE.fullmatch(start)
    if status is not None:
        if status[1] != "2.0":
            raise MalformedMessageError(Reason.VERSION)
        return Response(int(status[2]), status[3], headers)
    request = _REQUEST_LINE.fullmatch(start)
    if request is None:
        raise MalformedMessageError(Reason.START_LINE)
    if request[3].upper() != "SIP/2.0":
        raise MalformedMessageError(Reason.VERSION)
    return Request(request[1], request[2], headers)


def _check(message: Request | Response) -> None:
    """The syntax that every element relies on (§8.1.1, §16.3): the rest is read when it is needed.

    What is read here is kept by the message, so whoever needs it does not pay again.
    """
    headers = message.headers
    for name in _MANDATORY:
        if name not in headers:
            raise MalformedMessageError(Reason.MISSING_HEADER)
    if headers.repeated(SINGLE):
        raise MalformedMessageError(Reason.DUPLICATE_HEADER)
    if not _CALL_ID.fullmatch(message.call_id):
        raise MalformedMessageError(Reason.CALL_ID)
    _ = message.via, message.from_, message.to, message.cseq
    if isinstance(message, Request):
        if message.cseq.method != message.method:
            raise MalformedMessageError(Reason.CSEQ)
        _ = message.uri


def _body(headers: Headers, body: bytes) -> bytes:
    """A datagram may carry more than Content-Length says, never less (§18.3)."""
    text = headers.first("Content-Length")
    if text is None:
        return body
    try:
        length = parse_seconds(text)
    except MalformedMessageError:
        raise MalformedMessageError(Reason.CONTENT_LENGTH) from None
    if length > len(body):
        raise MalformedMessageError(Reason.CONTENT_LENGTH)
    return body[:length]
