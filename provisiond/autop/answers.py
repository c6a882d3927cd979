"""What a request gets, decided without sockets or database.

All that is wrong gets one and the same short 404, so that an answer never tells which part of a guess was right; the
reason is only counted. Routes: docs/protocol/autop.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from provisiond.autop.claim import Verdict, judge
from provisiond.autop.render import ConfigFile, FileKind
from provisiond.autop.shelf import Entry, Shelf

TARGET_LIMIT = 512

_OWN = re.compile(rb"/d/([A-Za-z0-9_-]{32})/([A-Za-z0-9_.-]{1,64})")
_BOOTSTRAP = re.compile(rb"(?:/autop)?/([0-9A-Fa-f]{12})\.cfg")
_AUTHORITY = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)


class Refusal(StrEnum):
    """Why a request was refused: the label of a counter, never part of an answer."""

    PATH = "path"
    TOKEN = "token"  # noqa: S105  (a label)
    NAME = "name"
    MAC = "mac"
    CLAIM_CLOSED = "claim_closed"
    CLAIM_TAKEN = "claim_taken"
    METHOD = "method"
    TARGET_TOO_LONG = "target_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY = "body"
    MALFORMED = "malformed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The device now has the files that `digest` stands for."""

    device_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class CloneAlarm:
    """`source` asked for the bootstrap file of a device that another one took already."""

    device_id: int
    project_id: int
    mac: str
    source: str


@dataclass(frozen=True, slots=True)
class Response:
    """`fields` are header lines, CRLF after each, without Date and Connection. `kind` None: nothing was served."""

    status: bytes
    fields: bytes
    body: bytes
    kind: FileKind | None = None
    refusal: Refusal | None = None
    event: Delivery | CloneAlarm | None = None


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """The bootstrap file may be taken, once the claim is recorded."""

    entry: Entry
    source: str


_PRIVATE = b"Cache-Control: private, no-cache\r\n"
_NOT_FOUND_BODY = b"not found\n"
_NOT_FOUND_FIELDS = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % len(_NOT_FOUND_BODY)


def refuse(reason: Refusal, event: CloneAlarm | None = None) -> Response:
    return Response(b"404 Not Found", _NOT_FOUND_FIELDS, _NOT_FOUND_BODY, None, reason, event)


def refuse_method() -> Response:
    """The same for every path, known or not (RFC 9110 §15.5.6)."""
    return Response(b"405 Method Not Allowed", b"Allow: GET, HEAD\r\nContent-Length: 0\r\n", b"", None, Refusal.METHOD)


def unavailable() -> Response:
    """The claim could not be recorded: the device is to come again."""
    fields = b"Retry-After: 10\r\nContent-Length: 0\r\n"
    return Response(b"503 Service Unavailable", fields, b"", None, Refusal.UNAVAILABLE)


def serve(file: ConfigFile, if_none_match: bytes, event: Delivery | None = None) -> Response:
    """200 with the file, or 304 when the client has it (RFC 9110 §13.1.2)."""
    if if_none_match and _matches(if_none_match, file.etag):
        return Response(b"304 Not Modified", b"ETag: %b\r\n%b" % (file.etag, _PRIVATE), b"", file.kind, None, event)
    fields = b"Content-Type: %b\r\nContent-Length: %d\r\nETag: %b\r\n%b" % (
        file.content_type,
        len(file.body),
        file.etag,
        _PRIVATE,
    )
    return Response(b"200 OK", fields, file.body, file.kind, None, event)


def _matches(if_none_match: bytes, etag: bytes) -> bool:
    candidates = (candidate.strip().removeprefix(b"W/") for candidate in if_none_match.split(b","))
    return any(candidate in (etag, b"*") for candidate in candidates)


class Answers:
    """Answers requests from the shelf. `now` gives aware UTC times."""

    def __init__(self, shelf: Shelf, now: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._now = now

    def answer(self, method: bytes, target: bytes, if_none_match: bytes, source: str) -> Response | ClaimRequest:
        """`target` as it came in the request line, `source` the client's address without port."""
        if method not in (b"GET", b"HEAD"):
            return refuse_method()
        if len(target) > TARGET_LIMIT:
            return refuse(Refusal.TARGET_TOO_LONG)
        if not target.startswith(b"/"):
            target = _AUTHORITY.sub(b"", target, count=1)
        own = _OWN.fullmatch(target)
        if own is not None:
            return self._own_file(own[1], own[2].decode("ascii"), if_none_match, delivers=method == b"GET")
        first = _BOOTSTRAP.fullmatch(target)
        # HEAD can't take a claim, and telling it more than nothing would let a scanner list MACs.
        if first is not None and method == b"GET":
            return self._bootstrap(first[1].decode("ascii").upper(), if_none_match, source)
        return refuse(Refusal.PATH)

    def _own_file(self, token: bytes, name: str, if_none_match: bytes, *, delivers: bool) -> Response:
        entry = self._shelf.by_token(token)
        if entry is None:
            return refuse(Refusal.TOKEN)
        file = entry.files.find(name)
        if file is None:
            return refuse(Refusal.NAME)
        delivered = delivers and file.kind is FileKind.DEVICE
        return serve(file, if_none_match, Delivery(entry.device_id, entry.files.digest) if delivered else None)

    def _bootstrap(self, mac: str, if_none_match: bytes, source: str) -> Response | ClaimRequest:
        entry = self._shelf.by_mac(mac)
        if entry is None:
            return refuse(Refusal.MAC)
        verdict = judge(entry.claim, source, self._now())
        if verdict is Verdict.GRANT:
            return ClaimRequest(entry, source)
        return bootstrap_response(entry, verdict, source, if_none_match)


def bootstrap_response(entry: Entry, verdict: Verdict, source: str, if_none_match: bytes = b"") -> Response:
    """The answer to a request for the bootstrap file, once the verdict stands (and GRANT is recorded)."""
    if verdict in (Verdict.GRANT, Verdict.REPEAT):
        return serve(entry.bootstrap, if_none_match)
    if verdict is Verdict.CLOSED:
        return refuse(Refusal.CLAIM_CLOSED)
    return refuse(Refusal.CLAIM_TAKEN, CloneAlarm(entry.device_id, entry.project_id, entry.mac, source))
