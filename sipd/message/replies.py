"""Responses that follow from a request (RFC 3261 §8.2.6)."""

from __future__ import annotations

from sipd.message.errors import MalformedMessageError
from sipd.message.fields import parse_address
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

_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")


def reply(request: Request, status: int, to_tag: str) -> Response:
    """A response with the copied fields; `to_tag` is added unless the request is inside a dialog."""
    return _response(request.headers, status, None if "tag" in request.to.params else to_tag)


def reply_to_headers(source: Headers, status: int, to_tag: str) -> Response:
    """As `reply`, for a request that was read as far as its header lines. A To that can't be read stays as it is."""
    try:
        tagged = "tag" in parse_address(source.first("To") or "").params
    except MalformedMessageError:
        tagged = True
    return _response(source, status, None if tagged else to_tag)


def _response(source: Headers, status: int, to_tag: str | None) -> Response:
    headers = Headers()
    for name in _COPIED:
        headers.copy_from(source, name)
    if to_tag is not None:
        headers.set("To", f"{source.first('To')};tag={to_tag}")
    return Response(status, PHRASES[status], headers)
