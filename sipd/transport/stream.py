"""Where one message ends and the next begins on a connection (RFC 3261 §7.5, §18.3, RFC 5626 §4.4.1). Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from enum import Enum

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import parse_seconds
from sipd.message.parser import MESSAGE_LIMIT_BYTES

_END_OF_HEADERS = b"\r\n\r\n"
_TOKEN_BYTES = frozenset(b"-.!%*_+`'~" + string.digits.encode() + string.ascii_letters.encode())
_CONTENT_LENGTH = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:((?:[^\r]|\r\n[ \t])*)", re.IGNORECASE)


class KeepAlive(Enum):
    """A double CRLF between messages: the client wants a single one back. A single CRLF is nothing."""

    PING = "ping"


Frame = bytes | KeepAlive


class BrokenStreamError(Exception):
    """Nothing that follows can be cut into messages. `head` is the message that broke it, up to the end of its
    header; empty when it is not known."""

    def __init__(self, reason: Reason, head: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.head = head


class StreamFramer:
    """The bytes of one connection. Holds at most MESSAGE_LIMIT_BYTES and what one `feed` brought."""

    __slots__ = ("_buffer", "_line_breaks", "_needed", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0  # size of the message at the head of the buffer; 0: its header is not complete
        self._searched = 0  # where the search for the end of the header goes on
        self._line_breaks = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """What is complete now; how the bytes were cut into segments makes no difference. Raises BrokenStreamError."""
        self._buffer += data
        while self._buffer:
            if not self._needed:
                yield from self._keep_alives()
                if not self._find_end():
                    return
            if len(self._buffer) < self._needed:
                return
            message = bytes(self._buffer[: self._needed])
            del self._buffer[: self._needed]
            self._needed = self._searched = 0
            yield message

    def _keep_alives(self) -> Iterator[KeepAlive]:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self._line_breaks = (self._line_breaks + 1) % 2
            if not self._line_breaks:
                yield KeepAlive.PING

    def _find_end(self) -> bool:
        """Is the header complete? Then `_needed` is known."""
        buffer = self._buffer
        if not buffer or buffer == b"\r":
            return False
        if buffer[0] not in _TOKEN_BYTES:
            raise BrokenStreamError(Reason.START_LINE)
        self._line_breaks = 0
        found = buffer.find(_END_OF_HEADERS, self._searched)
        if found < 0:
            self._searched = max(len(buffer) - len(_END_OF_HEADERS) + 1, 0)
            if len(buffer) >= MESSAGE_LIMIT_BYTES:
                raise BrokenStreamError(Reason.TOO_LARGE)
            return False
        end = found + len(_END_OF_HEADERS)
        self._needed = end + _content_length(bytes(buffer[:end]))
        return True


def _content_length(head: bytes) -> int:
    """Bytes of the body. On a stream there must be exactly one Content-Length (§20.14)."""
    values = _CONTENT_LENGTH.findall(head[:-2])
    if len(values) != 1:
        raise BrokenStreamError(Reason.DUPLICATE_HEADER if values else Reason.CONTENT_LENGTH, head)
    try:
        length = parse_seconds(values[0].decode("latin-1").strip())
    except MalformedMessageError:
        raise BrokenStreamError(Reason.CONTENT_LENGTH, head) from None
    if len(head) + length > MESSAGE_LIMIT_BYTES:
        raise BrokenStreamError(Reason.TOO_LARGE, head)
    return length
