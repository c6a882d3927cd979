"""Requests and responses. Typed views of header fields are made on first use and kept."""

from __future__ import annotations

from collections.abc import Mapping

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.fields import (
    CSeq,
    NameAddress,
    Via,
    parse_address,
    parse_addresses,
    parse_cseq,
    parse_digest,
    parse_via,
)
from sipd.message.grammar import WHITESPACE, parse_seconds, split_outside_quotes
from sipd.message.headers import Headers
from sipd.message.uri import SipUri, Uri, parse_uri

ENCODING = "utf-8"
# Bytes that are not UTF-8 travel through unchanged.
ENCODING_ERRORS = "surrogateescape"


class Message:
    """What requests and responses share. Accessors raise MalformedMessageError for a field that can't be read."""

    __slots__ = ("_cseq", "_from", "_to", "_via", "body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body
        self._via: Via | None = None
        self._cseq: CSeq | None = None
        self._to: NameAddress | None = None
        self._from: NameAddress | None = None

    @property
    def start_line(self) -> str:
        raise TypeError("only requests and responses have a start line")

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            line = self._required("Via")
            self._via = parse_via(split_outside_quotes(line, ",")[0] if "," in line else line)
        return self._via

    @via.setter
    def via(self, via: Via) -> None:
        lines = self.headers.all("Via")
        rest = split_outside_quotes(lines[0], ",")[1:]
        lines[0] = ",".join([str(via), *rest])
        self._via = via

    @property
    def cseq(self) -> CSeq:
        if self._cseq is None:
            self._cseq = parse_cseq(self._required("CSeq"))
        return self._cseq

    @property
    def to(self) -> NameAddress:
        if self._to is None:
            self._to = parse_address(self._required("To"))
        return self._to

    @property
    def from_(self) -> NameAddress:
        if self._from is None:
            self._from = parse_address(self._required("From"))
        return self._from

    @property
    def call_id(self) -> str:
        return self._required("Call-ID")

    def to_bytes(self) -> bytes:
        """The message for the wire, with the Content-Length of its body."""
        lines = [self.start_line]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode(ENCODING, ENCODING_ERRORS) + self.body

    def _required(self, name: str) -> str:
        value = self.headers.first(name)
        if value is None:
            raise MalformedMessageError(Reason.MISSING_HEADER)
        return value


class Request(Message):
    __slots__ = ("_uri", "method", "uri_text")

    def __init__(self, method: str, uri_text: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri_text = uri_text
        self._uri: Uri | None = None

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri_text} SIP/2.0"

    @property
    def uri(self) -> Uri:
        """Without header components, which have no place here (§19.1.1): a stranger must not dictate our headers."""
        if self._uri is None:
            uri = parse_uri(self.uri_text)
            if isinstance(uri, SipUri) and uri.headers is not None:
                raise MalformedMessageError(Reason.URI)
            self._uri = uri
        return self._uri

    @property
    def is_wildcard(self) -> bool:
        """`Contact: *` (§10.2.2). A `*` beside other contacts is malformed and left to `contacts`."""
        return [line.strip(WHITESPACE) for line in self.headers.all("Contact")] == ["*"]

    @property
    def contacts(self) -> list[NameAddress]:
        return parse_addresses(self.headers.all("Contact"))

    @property
    def expires_seconds(self) -> int | None:
        """The Expires header; None when it is missing or can't be read: then a default counts (§10.3, §20.19)."""
        text = self.headers.first("Expires")
        if text is None:
            return None
        try:
            return parse_seconds(text.strip(WHITESPACE))
        except MalformedMessageError:
            return None

    def credentials(self, header: str = "Authorization") -> list[Mapping[str, str]]:
        """Parameter sets of all digest credentials in `header`."""
        parsed = (parse_digest(line) for line in self.headers.all(header))
        return [params for params in parsed if params is not None]

    def option_tags(self, header: str) -> list[str]:
        """Tags of Require, Supported, Proxy-Require, in lower case."""
        tags = (tag.strip(WHITESPACE).lower() for line in self.headers.all(header) for tag in line.split(","))
        return [tag for tag in tags if tag]


class Response(Message):
    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"
