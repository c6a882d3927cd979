"""Responses that follow from a request (RFC 3261 §8.2.6)."""

from __future__ import annotations

import re

from sipd.message.headers import Headers
from sipd.message.message import Request, Response

PHRASES = {
    100: "Trying",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
}

_TAG = re.compile(r";[ \t]*tag[ \t]*=", re.IGNORECASE)
_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")


def reply(request: Request, status: int, to_tag: str) -> Response:
    """A response with the copied fields; `to_tag` is added unless the request is inside a dialog."""
    return reply_to_headers(request.headers, status, to_tag)


def reply_to_headers(source: Headers, status: int, to_tag: str) -> Response:
    """As `reply`, also for a request that could not be read further than its header lines."""
    headers = Headers()
    for name in _COPIED:
        headers.copy_from(source, name)
    to = source.first("To")
    if to is not None and not _TAG.search(to.rpartition(">")[2]):
        headers.set("To", f"{to};tag={to_tag}")
    return Response(status, PHRASES[status], headers)
