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
    is_token,
    parse_params,
    parse_port,
    quote,
    split_outside_quotes,
    unquote,
)
from sipd.message.uri import HOST, SipUri, Uri, parse_uri

MAGIC_COOKIE = "z9hG4bK"
CSEQ_LIMIT = 2**31

_DISPLAY_QUOTED = re.compile(QUOTED, re.DOTALL)
_ADDR_SPEC = re.compile(r'[ \t]*([^;?,<>"\s]+)[ \t]*(.*)', re.DOTALL)
_VIA = re.compile(
    rf"[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+({HOST})"
    r"[ \t]*(?::[ \t]*([0-9]{1,5})[ \t]*)?(;.*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_CSEQ = re.compile(r"[ \t]*([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*")
_DIGEST_PARAM = re.compile(rf'[ \t]*([A-Za-z0-9\-]+)[ \t]*=[ \t]*({QUOTED}|[^\s",]+)[ \t]*(?:,|$)', re.DOTALL)


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
    if "<" not in text:
        match = _ADDR_SPEC.fullmatch(text)
        if match is None:
            raise MalformedMessageError(Reason.ADDRESS)
        return NameAddress(parse_uri(match[1]), parse_params(match[2]))
    text = text.strip(WHITESPACE)
    quoted = _DISPLAY_QUOTED.match(text)
    display = quoted[0] if quoted else text.partition("<")[0]
    before, opening, rest = text[len(display) :].partition("<")
    uri, closing, params = rest.partition(">")
    if before.strip(WHITESPACE) or not opening or not closing or (not quoted and '"' in display):
        raise MalformedMessageError(Reason.ADDRESS)
    return NameAddress(parse_uri(uri), parse_params(params), unquote(display.rstrip(WHITESPACE)))


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
        return self.params.get("branch") or ""

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
    return Via(transport.upper(), host.lower(), parse_port(port), parse_params(params or ""))


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
    scheme, _, rest = text.strip(WHITESPACE).partition(" ")
    if not is_token(scheme):
        raise MalformedMessageError(Reason.CREDENTIALS)
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
