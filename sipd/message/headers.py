"""Header fields by canonical name (RFC 3261 §7.3, §20)."""

from __future__ import annotations

from collections.abc import Iterator

_NAMES = """
Accept Accept-Contact Alert-Info Allow Allow-Events Authentication-Info Authorization Call-ID Call-Info Contact
Content-Disposition Content-Encoding Content-Length Content-Type CSeq Date Event Expires From Max-Forwards
MIME-Version Min-Expires Organization Path P-Asserted-Identity Proxy-Authenticate Proxy-Authorization Proxy-Require
Reason Record-Route Refer-To Referred-By Reject-Contact Request-Disposition Require Retry-After Route Server
Service-Route Session-Expires Subject Subscription-State Supported Timestamp To Unsupported User-Agent Via Warning
WWW-Authenticate
"""

_SINGLE_NAMES = """
Authentication-Info Call-ID Content-Disposition Content-Length Content-Type CSeq Date Event Expires From Max-Forwards
MIME-Version Min-Expires Organization Refer-To Retry-After Server Session-Expires Subject Subscription-State Timestamp
To User-Agent
"""

# RFC 3261 §7.3.3, RFC 3515, 3841, 3892, 4028, 6665.
_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
}

KNOWN: dict[str, str] = {spelling: name for name in _NAMES.split() for spelling in (name, name.lower())} | _COMPACT
"""Spelling -> canonical name; other mixtures of case go through `canonical`."""

SINGLE = frozenset(_SINGLE_NAMES.split())
"""Header fields that may appear once only."""


def canonical(name: str) -> str:
    """The spelling under which a field is kept: known names as RFCs write them, others `Like-This`."""
    known = KNOWN.get(name) or KNOWN.get(name.lower())
    return known or "-".join(part.capitalize() for part in name.split("-"))


class Headers:
    """Fields in order of first appearance; lines of one field keep their order. Names are canonical."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, list[str]] | None = None) -> None:
        self._fields = {} if fields is None else fields

    def first(self, name: str) -> str | None:
        """The first line of a field as received, None when it is missing."""
        lines = self._fields.get(name)
        return lines[0] if lines else None

    def all(self, name: str) -> list[str]:
        """Every line of a field; each may hold several comma-separated values."""
        return self._fields.get(name, [])

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def add(self, name: str, value: str) -> None:
        self._fields.setdefault(name, []).append(_one_line(value))

    def set(self, name: str, value: str) -> None:
        self._fields[name] = [_one_line(value)]

    def copy_from(self, other: Headers, name: str) -> None:
        """Take over all lines of one field."""
        lines = other.all(name)
        if lines:
            self._fields[name] = list(lines)

    def repeated(self, names: frozenset[str]) -> bool:
        """True when one of `names` has more than one line."""
        return any(len(lines) > 1 and name in names for name, lines in self._fields.items())

    def items(self) -> Iterator[tuple[str, str]]:
        for name, lines in self._fields.items():
            for line in lines:
                yield name, line


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise ValueError("a header value must not contain a line break")
    return value
