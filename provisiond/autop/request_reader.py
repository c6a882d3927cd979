"""Requests out of bytes (RFC 9112), pure: however they are cut into pieces, the same requests come out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import httptools

from provisiond.autop.answers import TARGET_LIMIT, Refusal

HEAD_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """`refusal` set: the request was broken, nothing after it can be understood."""

    method: bytes = b"GET"
    target: bytes = b""
    if_none_match: bytes = b""
    close: bool = True
    old_version: bool = False
    refusal: Refusal | None = None


class _BrokenError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class RequestReader:
    """Gathers complete requests from bytes, by the callbacks of httptools."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._unfinished_bytes = 0
        self.in_request = False
        self._start()
        self.requests: deque[Request] = deque()

    def _start(self) -> None:
        self._target = b""
        self._if_none_match = b""
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Adds requests to `requests`. What can't be understood becomes a last request with a refusal."""
        self._unfinished_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if self._unfinished_bytes > HEAD_LIMIT:
                raise _BrokenError(Refusal.HEADERS_TOO_LARGE)
        except httptools.HttpParserUpgrade:
            # Answered as if it had not asked; the connection closes before what would be another protocol.
            return
        except _BrokenError as error:
            self.requests.append(Request(refusal=error.refusal))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.requests.append(
                Request(refusal=cause.refusal if isinstance(cause, _BrokenError) else Refusal.MALFORMED)
            )

    def on_message_begin(self) -> None:
        self.in_request = True
        self._start()

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > TARGET_LIMIT:
            raise _BrokenError(Refusal.TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value or b"") + 4
        if self._size > HEAD_LIMIT:
            raise _BrokenError(Refusal.HEADERS_TOO_LARGE)
        name = name.lower()
        if name == b"if-none-match":
            self._if_none_match = b",".join(filter(None, (self._if_none_match, value)))
        elif name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
            fetches = self._parser.get_method() in (b"GET", b"HEAD")
            raise _BrokenError(Refusal.BODY if fetches else Refusal.METHOD)

    def on_message_complete(self) -> None:
        parser = self._parser
        self.requests.append(
            Request(
                parser.get_method(),
                self._target,
                self._if_none_match,
                parser.should_upgrade() or not parser.should_keep_alive(),
                parser.get_http_version() == "1.0",
            )
        )
        self._unfinished_bytes = 0
        self.in_request = False
