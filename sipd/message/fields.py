"""Typed header fields: addresses, Via, CSeq and digest parameters (RFC 3261 §20)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.grammar import (
    QUOTED,
    WHITESPACE,
    Params,
    format_params,
    parse_params,
    parse_port,
    quote,
    split_outside_quotes,
    unquote,
)
from sipd.message.uri import HOST, SipUri, Uri, parse_host, parse_uri

MAGIC_COOKIE = "z9hG4bK"
CSEQ_LIMIT = 2**31

# Beyond tokens an unquoted display name may hold letters of any script: devices are named by people.
_NAME_ADDR = re.compile(rf"(?:({QUOTED})[ \t]*|([A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*))<([^<>]*)>(.*)", re.DOTALL)
_ADDR_SPEC = re.compile(r'[ \t]*([^;?,<>"\s]+)[ \t]*(;.*)?', re.DOTALL)
_VIA = re.compile(
    rf"[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+({HOST})"
    r"[ \t]*(?::[ \t]*([0-9]{1,5})[ \t]*)?(;.*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_CSEQ = re.compile(r"[ \t]*0*([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*")
_CREDENTIALS = re.compile(r"[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)(?:[ \t]+(.*))?", re.DOTALL)
_DIGEST_PARAM = re.compile(rf'[ \t]*([A-Za-z0-9\-]+)[ \t]*=[ \t]*({QUOTED}|[^\s",]+)[ \t]*(?:,|\Z)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class NameAddress:
    """A value of From, To, Contact, Route ...: `params` are those of the header, not of the URI."""

    uri: Uri
    params: Params = field(default_factory=dict)
    display: str = ""

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_params(self.params)}"


def parse_address(text: str) -> NameAddress:
    """A name-addr or an addr-spec. Without `<>`, parameters are the header's and `?` is not allowed (§20.10)."""
    match = _NAME_ADDR.fullmatch(text.strip(WHITESPACE))
    if match is not None:
        quoted, display, uri, params = match.groups()
        return NameAddress(
            parse_uri(uri), parse_params(params), unquote(quoted) if quoted else display.rstrip(WHITESPACE)
        )
    match = _ADDR_SPEC.fullmatch(text)
    if match is None:
        raise MalformedMessageError(Reason.ADDRESS)
    return NameAddress(parse_uri(match[1]), parse_params(match[2] or ""))


def parse_addresses(lines: list[str]) -> list[NameAddress]:
    """All values of a header that may be repeated or comma-separated."""
    return [parse_address(piece) for line in lines for piece in split_outside_quotes(line, ",")]


@dataclass(frozen=True, slots=True)
class Via:
    """`host` in lower case (sent-by), `transport` in upper case."""

    transport: str
    host: str
    port: int | None
    params: Params = field(default_factory=dict)

    @property
    def branch(self) -> str:
        """Empty when there is none, or the cookie alone, which identifies nothing: then RFC 2543 rules apply."""
        branch = self.params.get("branch")
        return "" if branch is None or branch == MAGIC_COOKIE else branch

    def stamped(self, host: str, port: int) -> Via:
        """With `received` and `rport` as the receiver adds them (§18.2.1, RFC 3581 §4). `host` has no brackets."""
        wants_port = "rport" in self.params
        if not wants_port and host == self.host.strip("[]"):
            return self
        params = {**self.params, "received": host}
        if wants_port:
            params["rport"] = str(port)
        return Via(self.transport, self.host, self.port, params)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{format_params(self.params)}"


def parse_via(text: str) -> Via:
    match = _VIA.fullmatch(text)
    if match is None:
        raise MalformedMessageError(Reason.VIA)
    transport, host, port, params = match.groups()
    return Via(transport.upper(), parse_host(host), parse_port(port), parse_params(params or ""))


@dataclass(frozen=True, slots=True)
class CSeq:
    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """The number is below 2^31 (§8.1.1.5)."""
    match = _CSEQ.fullmatch(text)
    if match is None or int(match[1]) >= CSEQ_LIMIT:
        raise MalformedMessageError(Reason.CSEQ)
    return CSeq(int(match[1]), match[2])


def parse_digest(text: str) -> Mapping[str, str] | None:
    """Parameters of `Digest ...`, names in lower case, values unquoted; None for another scheme (§20.7, §20.44)."""
    credentials = _CREDENTIALS.fullmatch(text)
    if credentials is None:
        raise MalformedMessageError(Reason.CREDENTIALS)
    scheme, rest = credentials[1], credentials[2] or ""
    if scheme.lower() != "digest":
        return None
    params: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _DIGEST_PARAM.match(rest, position)
        if match is None:
            raise MalformedMessageError(Reason.CREDENTIALS)
        name = match[1].lower()
        if name in params:
            raise MalformedMessageError(Reason.CREDENTIALS)
        params[name] = unquote(match[2])
        position = match.end()
    return params


def require_sip(uri: Uri) -> SipUri:
    """Narrow to a SIP or SIPS URI."""
    if not isinstance(uri, SipUri):
        raise MalformedMessageError(Reason.URI)
    return uri
