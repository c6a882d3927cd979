"""Valid messages read by our parser and by `sipmessage` mean the same to both.

What that library does not read is not generated: folds, header components in URIs, separators inside quoted strings,
blanks before a comma.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sipd.message.fields import NameAddress, Via, parse_addresses, parse_via
from sipd.message.grammar import split_outside_quotes, unquote
from sipd.message.message import Request
from sipd.message.parser import parse
from sipd.message.uri import SipUri

sipmessage = pytest.importorskip("sipmessage")


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


def optional(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | strategy


def joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


BLANK = st.sampled_from(["", "", " ", "\t ", "  "])
LWS = st.sampled_from([" ", "\t", "   "])
TOKEN = matching(r"[A-Za-z0-9\-.!*_+`'~]{1,8}")
HOST = st.sampled_from(
    ["example.org", "A-b.Example.ORG", "h", "192.0.2.255", "[2001:db8::1]", "[::]", "[1:2:3:4:5:6:7:8]"]
)
PORT = optional(st.integers(1, 65535).map(":{}".format))
USER = matching(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[2-7][0-9A-Fa-f]){1,8}")
PASSWORD = optional(matching(r":(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[2-7][0-9a-f]){1,5}"))


def params(name: str, *values: str, blank: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Up to three, with names that differ."""
    ways = [matching(value) for value in values]
    one = st.tuples(matching(name), st.none() | st.tuples(blank, blank, st.one_of(ways)), blank, blank)
    several = st.lists(one, max_size=3, unique_by=lambda param: param[0].lower())
    return several.map(
        lambda chosen: "".join(
            f"{before};{after}{name}" + (f"{value[0]}={value[1]}{value[2]}" if value else "")
            for name, value, before, after in chosen
        )
    )


URI_PARAMS = params(r"[a-z\-_.!~*'()/:&+$]{1,6}", r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$]{1,6}", blank=st.just(""))
HEADER_PARAMS = params(r"[a-z\-.!*_+`'~]{1,6}", r"[A-Za-z0-9\-.!*_+`'~]{1,6}", r"\[2001:db8::[0-9]\]", blank=BLANK)
USERINFO = optional(joined(USER, PASSWORD, "@"))
URI = joined(st.sampled_from(["sip:", "sips:"]), USERINFO, HOST, PORT, URI_PARAMS)
PLAIN_URI = joined("sip:", optional(joined(matching(r"[A-Za-z0-9\-_.!~*'()&=+$/]{1,8}"), "@")), HOST, PORT)
NAME = optional(joined(TOKEN, LWS, TOKEN, BLANK))
QUOTED_NAME = joined('"', matching(r"(?:[A-Za-z0-9,;:@<>()д東](?: ?[A-Za-z0-9,;:@<>()д東]){0,8})?"), '"', BLANK)
BRACKETED = joined("<", URI, ">", HEADER_PARAMS)
NAMED = joined(NAME, BRACKETED) | joined(QUOTED_NAME, BRACKETED)
BARE = joined(PLAIN_URI, HEADER_PARAMS)
ADDRESS = NAMED | BARE
# To the library a bare address goes on behind a comma, and the first and the last quote of a line are one string.
ADDRESSES = BARE | st.tuples(NAMED, st.lists(joined(",", BLANK, NAME, BRACKETED), max_size=3)).map(
    lambda parts: parts[0] + "".join(parts[1])
)
VIA = joined("SIP", BLANK, "/", BLANK, "2.0", BLANK, "/", BLANK, TOKEN, LWS, HOST, PORT, HEADER_PARAMS)
VIAS = st.lists(VIA, min_size=1, max_size=3).flatmap(
    lambda vias: st.sampled_from([",", ", "]).map(lambda c: c.join(vias))
)
DIGEST = st.dictionaries(
    matching(r"[a-z][a-z\-]{0,7}"),
    TOKEN | matching(r'"[A-Za-z0-9:/@;](?: ?[A-Za-z0-9:/@;]){0,8}"'),
    min_size=1,
    max_size=5,
)


def named(*spellings: str) -> st.SearchStrategy[str]:
    return joined(st.sampled_from([*spellings, *(name.upper() for name in spellings)]), ":", BLANK)


METHOD = TOKEN
REQUESTS = st.tuples(
    METHOD,
    URI,
    joined(named("Via", "v"), VIAS),
    joined(named("From", "f"), ADDRESS),
    joined(named("To", "t"), ADDRESS),
    joined(named("Call-ID", "i"), matching(r"[A-Za-z0-9\-.!%*_+`'~()<>:\\/\[\]?{}]{1,12}")),
    joined(named("CSeq"), st.integers(0, 2**31 - 1).map(str), LWS),
    st.lists(joined(named("Contact", "m"), ADDRESSES), max_size=2),
    joined(named("Expires"), st.integers(0, 2**32 - 1).map(str)),
    DIGEST,
)


def build(parts: tuple[Any, ...]) -> bytes:
    method, uri, via, from_, to, call_id, cseq, contacts, expires, digest = parts
    credentials = "Authorization: Digest " + ", ".join(f"{name}={value}" for name, value in digest.items())
    lines = [f"{method} {uri} SIP/2.0", via, from_, to, call_id, cseq + method, *contacts, expires, credentials]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def our_uri(uri: Any) -> tuple[Any, ...]:
    assert isinstance(uri, SipUri)
    return uri.scheme, uri.number or None, uri.host, uri.port, dict(uri.params)


def their_uri(uri: Any) -> tuple[Any, ...]:
    return uri.scheme, uri.user, uri.host.lower(), uri.port, lowered(uri.parameters)


def lowered(parameters: Any) -> dict[str, str | None]:
    return {name.lower(): value for name, value in parameters.items()}


def our_address(address: NameAddress) -> tuple[Any, ...]:
    return address.display, our_uri(address.uri), dict(address.params)


def their_address(address: Any) -> tuple[Any, ...]:
    return address.name, their_uri(address.uri), lowered(address.parameters)


def our_via(via: Via) -> tuple[Any, ...]:
    return via.transport, via.host, via.port, dict(via.params)


def their_via(via: Any) -> tuple[Any, ...]:
    return via.transport.upper(), via.host.lower(), via.port, lowered(via.parameters)


def plain(blanks: str) -> str:
    """A run of blanks means one blank to the library everywhere."""
    return " ".join(blanks.split())


# Without shrinking, which takes minutes for messages of this size.
@settings(max_examples=150, deadline=None, phases=(Phase.generate,))
@given(REQUESTS.map(build))
def test_both_read_the_same(data: bytes) -> None:
    theirs = sipmessage.Message.parse(data)
    ours = parse(data)
    assert isinstance(ours, Request)
    assert (ours.method, our_uri(ours.uri)) == (theirs.method, their_uri(theirs.uri))
    vias = [parse_via(text) for line in ours.headers.all("Via") for text in split_outside_quotes(line, ",")]
    assert [our_via(via) for via in vias] == [their_via(via) for via in theirs.via]
    lines = [plain(line) for line in ours.headers.all("Contact")]
    assert [our_address(address) for address in parse_addresses(lines)] == [
        their_address(address) for address in theirs.contact
    ]
    for mine, other in ((ours.from_, theirs.from_address), (ours.to, theirs.to_address)):
        assert (plain(mine.display), *our_address(mine)[1:]) == their_address(other)
    assert (ours.cseq.number, ours.cseq.method) == (theirs.cseq.sequence, theirs.cseq.method)
    assert (ours.call_id, ours.expires_seconds) == (theirs.call_id, theirs.expires)
    (credentials,) = ours.credentials()
    assert credentials == {name: unquote(value) for name, value in theirs.authorization.parameters.items()}
