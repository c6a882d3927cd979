"""SIP and SIPS URIs (RFC 3261 §19.1), and any other scheme kept as text."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from urllib.parse import unquote

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import Params, format_params, parse_port

HOST = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,253})"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):(.+)", re.DOTALL)
# `%` stands for itself here; whether two digits follow is looked at once for the whole URI.
_SIP_URI = re.compile(
    r"(?:([A-Za-z0-9\-_.!~*'()&=+$,;?/%]+)(?::([A-Za-z0-9\-_.!~*'()&=+$,%]*))?@)?"
    rf"({HOST})(?::([0-9]{{1,5}}))?((?:;[^?]*)?)(?:\?([A-Za-z0-9\-_.!~*'()\[\]/?:+$=&%]+))?"
)
_PARAM = re.compile(r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]+")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-_.!~*'()")
_OPAQUE = re.compile(r"[\x21-\x7e\x80-\U0010ffff]+")
# A parameter that makes two URIs differ even when only one of them has it (§19.1.4).
_DISTINGUISHING = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class SipUri:
    """`user`, `password` and `headers` are kept as written (escaped); `host` in lower case, IPv6 in brackets."""

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)
    password: str | None = None
    headers: str | None = None

    @property
    def number(self) -> str:
        """The user part with escapes undone; empty when there is none."""
        if self.user is None:
            return ""
        return unquote(self.user) if "%" in self.user else self.user

    def __str__(self) -> str:
        user = "" if self.user is None else self.user
        password = "" if self.password is None else f":{self.password}"
        at = "" if self.user is None else "@"
        port = "" if self.port is None else f":{self.port}"
        headers = "" if self.headers is None else f"?{self.headers}"
        return f"{self.scheme}:{user}{password}{at}{self.host}{port}{format_params(self.params)}{headers}"

    def same_as(self, other: SipUri) -> bool:
        """Equality of §19.1.4 and RFC 5954 §4; not transitive, so it can't be a dictionary key."""
        if (self.scheme, self.port) != (other.scheme, other.port) or not _same_host(self.host, other.host):
            return False
        return (
            _normal(self.user) == _normal(other.user)
            and _normal(self.password) == _normal(other.password)
            and _normal_headers(self.headers) == _normal_headers(other.headers)
            and _same_params(self.params, other.params)
        )


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that the suite does not interpret (`tel:`, `urn:`, ...)."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Raises MalformedMessageError with reason `uri` (or `number` for the port)."""
    if text.startswith("sip:"):  # nearly all
        return _parse_sip("sip", text[4:])
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise MalformedMessageError(Reason.URI)
    scheme, rest = match[1].lower(), match[2]
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest)
    if not _OPAQUE.fullmatch(rest):
        raise MalformedMessageError(Reason.URI)
    return OtherUri(scheme, rest)


def parse_host(text: str) -> str:
    """A host that matches HOST, in lower case.

    Brackets must hold an IPv6 address. The third colon that the grammar of RFC 3261 put before an embedded IPv4
    address is read and dropped (RFC 5118 §4.10, RFC 5954 §3.1).
    """
    if text[0] != "[":
        return text.lower()
    address = text[1:-1].replace(":::", "::", 1) if "." in text else text[1:-1]
    try:
        IPv6Address(address)
    except ValueError:
        raise MalformedMessageError(Reason.URI) from None
    return f"[{address.lower()}]"


def _parse_sip(scheme: str, rest: str) -> SipUri:
    match = _SIP_URI.fullmatch(rest)
    if match is None or ("%" in rest and _NO_ESCAPE.search(rest)):
        raise MalformedMessageError(Reason.URI)
    user, password, host, port, params, headers = match.groups()
    return SipUri(scheme, user, parse_host(host), parse_port(port), _parse_params(params), password, headers)


def _parse_params(text: str) -> Params:
    if not text:
        return {}
    params: dict[str, str | None] = {}
    for piece in text[1:].split(";"):
        written, equals, value = piece.partition("=")
        name = written.lower()
        if name in params or not _PARAM.fullmatch(written) or (equals and not _PARAM.fullmatch(value)):
            raise MalformedMessageError(Reason.URI)
        params[name] = value if equals else None
    return params


def _same_host(mine: str, theirs: str) -> bool:
    if mine == theirs or mine[0] != "[" or theirs[0] != "[":
        return mine == theirs
    return IPv6Address(mine[1:-1]) == IPv6Address(theirs[1:-1])


def _normal(text: str | None) -> str | None:
    """Escapes undone where the character and its escape mean the same, in upper case where they don't."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_normal_escape, text)


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _normal_headers(text: str | None) -> list[tuple[str, str]]:
    """Name and value of each header component, in an order that is the same for equal sets."""
    pieces = [piece.partition("=") for piece in (_normal(text) or "").split("&")]
    return sorted((name.lower(), value) for name, _, value in pieces)


def _normal_params(params: Params) -> dict[str, str]:
    return {(_normal(name) or "").lower(): (_normal(value) or "").lower() for name, value in params.items()}


def _same_params(one: Params, other: Params) -> bool:
    if one == other:
        return True
    mine, theirs = _normal_params(one), _normal_params(other)
    if any((name in mine) != (name in theirs) for name in _DISTINGUISHING):
        return False
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())
