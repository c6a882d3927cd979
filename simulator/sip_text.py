"""SIP messages as text (RFC 3261 §7): as much as a device needs to register and to be told things."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REQUEST = re.compile(r"([A-Z]{1,32}) (\S{1,1024}) SIP/2\.0", re.ASCII)
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.ASCII)
_COMPACT = {
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "o": "event",
    "f": "from",
    "s": "subject",
    "t": "to",
    "v": "via",
}
_MANDATORY = ("via", "from", "to", "call-id", "cseq")


class SipTextError(ValueError):
    """Not a SIP message; the text says why."""


@dataclass(frozen=True, slots=True)
class _Message:
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first value of a header, "" when there is none. Long names only, in any case."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def _encode(self, start_line: str, body: bytes) -> bytes:
        lines = [start_line, *(f"{name}: {value}" for name, value in self.headers)]
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8") + body


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """Content-Length is not among `headers`: it follows from the body."""

    method: str
    uri: str
    body: bytes = b""

    def encode(self) -> bytes:
        return self._encode(f"{self.method} {self.uri} SIP/2.0", self.body)

    @property
    def branch(self) -> str:
        return branch_of(self)


@dataclass(frozen=True, slots=True)
class Response(_Message):
    status: int
    reason: str
    body: bytes = b""

    def encode(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}", self.body)

    @property
    def branch(self) -> str:
        return branch_of(self)


def branch_of(message: _Message) -> str:
    """The branch of the topmost Via, or ""."""
    return parameter(message.get("via"), "branch")


def parameter(value: str, name: str) -> str:
    """A `;name=value` parameter of a header value, "" when there is none; what stands inside < > is not looked at."""
    match = re.search(rf";\s*{re.escape(name)}\s*=\s*\"?([^;,\s\"]+)", re.sub(r"<[^>]*>", "", value), re.IGNORECASE)
    return match[1] if match else ""


def answer(request: Request, status: int, reason: str, tag: str, extra: tuple[tuple[str, str], ...] = ()) -> Response:
    """A response as RFC 3261 §8.2.6 forms it; `tag` marks this device in To when the request had none."""
    to = request.get("to")
    if not parameter(to, "tag"):
        to += f";tag={tag}"
    headers = [("Via", value) for value in request.all("via")]
    headers += [("From", request.get("from")), ("To", to)]
    headers += [("Call-ID", request.get("call-id")), ("CSeq", request.get("cseq")), *extra]
    return Response(tuple(headers), status, reason)


def parse(datagram: bytes) -> Request | Response:
    """One message of one datagram. Raises SipTextError."""
    head, blank, body = datagram.partition(b"\r\n\r\n")
    try:
        first, *lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8")).split("\r\n")
    except UnicodeDecodeError as error:
        raise SipTextError("the header is not UTF-8") from error
    if not blank:
        raise SipTextError("no empty line after the header")
    headers = tuple(_header(line) for line in lines)
    names = {name for name, _ in headers}
    if missing := [name for name in _MANDATORY if name not in names]:
        raise SipTextError(f"no {missing[0]} header")
    body = _cut(body, dict(headers).get("content-length"))
    headers = tuple(header for header in headers if header[0] != "content-length")
    if match := _RESPONSE.fullmatch(first):
        return Response(headers, int(match[1]), match[2] or "", body)
    if match := _REQUEST.fullmatch(first):
        return Request(headers, match[1], match[2], body)
    raise SipTextError("neither a request line nor a status line")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name = name.strip().lower()
    if not colon or not name:
        raise SipTextError("a header line without a name")
    return _COMPACT.get(name, name), value.strip()


def _cut(body: bytes, length: str | None) -> bytes:
    """The body by Content-Length (RFC 3261 §18.3: more bytes are dropped, fewer are an error)."""
    if length is None:
        return body
    if not re.fullmatch(r"[0-9]{1,9}", length, re.ASCII) or int(length) > len(body):
        raise SipTextError("a Content-Length that does not fit the datagram")
    return body[: int(length)]
