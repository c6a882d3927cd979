"""HTTP/1.1 answers, read piece by piece (RFC 9112); no sockets here."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_LIMIT_BYTES = 16_384
BODY_LIMIT_BYTES = 2 * 1024 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class HttpError(Exception):
    """No usable answer. `code`: connect, timeout, truncated, malformed, too-large or bad-url."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Header names are in lower case; of repeated headers the last one counts."""

    status: int
    headers: dict[str, str]
    body: bytes


class ResponseReader:
    """Takes the bytes of one connection and gives the answer to one request.

    The body ends by Content-Length, by chunks, or with the connection, as RFC 9112 §6.3 orders them.
    """

    def __init__(self, *, method: str = "GET") -> None:
        self._method = method
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None

    def feed(self, data: bytes) -> HttpResponse | None:
        """The answer once it is complete, else None. Raises HttpError."""
        self._buffer += data
        if self._head is None:
            self._head = self._take_head()
        if self._head is None:
            return None
        status, headers = self._head
        body = self._body(status, headers)
        if len(self._buffer) > BODY_LIMIT_BYTES:
            raise HttpError("too-large", f"the body has more than {BODY_LIMIT_BYTES} bytes")
        return None if body is None else HttpResponse(status, headers, body)

    def end(self) -> HttpResponse:
        """The connection is closed: the answer, if the close was its end. Raises HttpError."""
        if self._head is None:
            raise HttpError("truncated", f"closed after {len(self._buffer)} bytes, before the end of the header")
        status, headers = self._head
        if "content-length" in headers or "transfer-encoding" in headers:
            raise HttpError("truncated", f"closed after {len(self._buffer)} bytes of the body")
        return HttpResponse(status, headers, bytes(self._buffer))

    def _take_head(self) -> tuple[int, dict[str, str]] | None:
        """Cuts the header from the buffer; interim answers (1xx) are passed over."""
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            status, headers = _parse_head(bytes(self._buffer[:end]).decode("latin-1"))
            del self._buffer[: end + 4]
            if status >= 200:
                return status, headers
        if len(self._buffer) > HEAD_LIMIT_BYTES:
            raise HttpError("too-large", f"the header has more than {HEAD_LIMIT_BYTES} bytes")
        return None

    def _body(self, status: int, headers: dict[str, str]) -> bytes | None:
        if self._method == "HEAD" or status in (204, 304):
            return b""
        if "transfer-encoding" in headers:
            return _chunks(self._buffer)
        if "content-length" not in headers:
            return None
        if not _DIGITS.fullmatch(headers["content-length"]):
            raise HttpError("malformed", "the Content-Length is not a number")
        length = int(headers["content-length"])
        if length > BODY_LIMIT_BYTES:
            raise HttpError("too-large", f"the body has {length} bytes")
        return bytes(self._buffer[:length]) if len(self._buffer) >= length else None


def _parse_head(text: str) -> tuple[int, dict[str, str]]:
    first, *lines = text.split("\r\n")
    match = _STATUS.fullmatch(first)
    if match is None:
        raise HttpError("malformed", "the answer does not start with an HTTP/1.x status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError("malformed", "a header line has no name")
        headers[name.lower()] = value.strip()
    return int(match[1]), headers


def _chunks(data: bytearray) -> bytes | None:
    """The joined chunks (RFC 9112 §7.1) once the last one is there; trailers are not waited for."""
    body, position = bytearray(), 0
    while (end := data.find(b"\r\n", position)) >= 0:
        match = _CHUNK_SIZE.fullmatch(data, position, end)
        if match is None:
            raise HttpError("malformed", "a chunk has no size")
        size = int(match[1], 16)
        if size == 0:
            return bytes(body)
        start = end + 2
        if len(data) < start + size + 2:
            return None
        if data[start + size : start + size + 2] != b"\r\n":
            raise HttpError("malformed", "a chunk is longer than its size says")
        body += data[start : start + size]
        position = start + size + 2
    return None
