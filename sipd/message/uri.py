"""SIP and SIPS URIs (RFC 3261 §19.1), and any other scheme kept as text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import Params, format_params, parse_port

HOST = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,253})"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):(.+)", re.DOTALL)
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+")
_PASSWORD = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*")
_HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,5}}))?((?:;[^?]*)?)(?:\?(.*))?", re.DOTALL)
_PARAM = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+")
_HEADERS = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$=&]|%[0-9A-Fa-f]{2})+")
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
        """Equality of §19.1.4; not transitive, so it can't be a dictionary key."""
        if (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        if (self.number, self.password) != (other.number, other.password) or self.headers != other.headers:
            return False
        return _same_params(self.params, other.params)


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
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise MalformedMessageError(Reason.URI)
    scheme, rest = match[1].lower(), match[2]
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest)
    if not _OPAQUE.fullmatch(rest):
        raise MalformedMessageError(Reason.URI)
    return OtherUri(scheme, rest)


def _parse_sip(scheme: str, rest: str) -> SipUri:
    user: str | None = None
    password: str | None = None
    before, at, after = rest.rpartition("@")
    if at:
        user, colon, secret = before.partition(":")
        password = secret if colon else None
        if not _USER.fullmatch(user) or (password is not None and not _PASSWORD.fullmatch(password)):
            raise MalformedMessageError(Reason.URI)
    match = _HOST_PORT.fullmatch(after)
    if match is None:
        raise MalformedMessageError(Reason.URI)
    host, port, params, headers = match.groups()
    if headers is not None and not _HEADERS.fullmatch(headers):
        raise MalformedMessageError(Reason.URI)
    return SipUri(scheme, user, host.lower(), parse_port(port), _parse_params(params), password, headers)


def _parse_params(text: str) -> Params:
    if not text:
        return {}
    params: dict[str, str | None] = {}
    for piece in text[1:].split(";"):
        name, equals, value = piece.partition("=")
        name = name.lower()
        if name in params or not _PARAM.fullmatch(name) or (equals and not _PARAM.fullmatch(value)):
            raise MalformedMessageError(Reason.URI)
        params[name] = value if equals else None
    return params


def _same_params(mine: Params, theirs: Params) -> bool:
    if mine == theirs:
        return True
    if any((name in mine) != (name in theirs) for name in _DISTINGUISHING):
        return False
    shared = mine.keys() & theirs.keys()
    return all((mine[name] or "").lower() == (theirs[name] or "").lower() for name in shared)
