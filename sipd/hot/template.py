"""What two messages of one device have in common: everything but six values (docs/adr/0010). Pure.

A template is learned from a REGISTER and the 200 that it got. A later message that equals the first outside the six
values means the same as the first: nothing needs to be parsed to know that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from struct import Struct

from sipd.message.fields import MAGIC_COOKIE
from sipd.message.headers import canonical

Fields = tuple[bytes, ...]
Span = tuple[int, int]

Unpack = Callable[[bytes], Fields]

CSEQ_DIGITS = 10
BRANCH_CHARACTERS = 256
SIZE_LIMIT = 64
SHAPE_LIMIT = 4096

_WANTED = frozenset(("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Authorization"))
_VIA = re.compile(rb"SIP/2\.0/UDP [^;,\" \t]+((?:;[^;,\" \t]+)*)")
_BRANCH = re.compile(rb";branch=" + MAGIC_COOKIE.encode() + rb"([A-Za-z0-9.!%*_+`'~-]+)(?=;|$)")
_RPORT = re.compile(rb";rport(?=;|$)")
_CSEQ = re.compile(rb"([0-9]{1,10}) REGISTER")
_CONTACT = re.compile(rb"(<[^<>]*>)[^<>]*")
_CREDENTIALS = re.compile(rb"Digest ")
_PARAM = re.compile(rb'[ \t]*([A-Za-z0-9-]+)=("[^"\\]*"|[^\s",]+)[ \t]*(?:,|$)')
_ELASTIC = ("branch", "cseq")
_SLOTS = ("branch", "cseq", "nonce", "nc", "response", "cnonce")


class _NotLearnableError(Exception):
    """This message has something that the template does not describe."""


class Shape:
    """Where the fields are, for all messages of one layout whose fields have the same widths. The CSeq may have any
    number of digits.

    `slots` gives branch (without its cookie), cseq, nonce, nc, response, cnonce of a refresh; `statics` all else, what
    is in the Authorization line last. `challenge_*` are for the same message without that line.
    """

    __slots__ = (
        "_branch_start",
        "_branch_stop",
        "_challenge_format",
        "_challenges",
        "_refresh_format",
        "_refreshes",
        "answer",
        "answer_parts",
        "challenge",
        "challenge_parts",
        "challenge_size",
        "challenge_slots",
        "challenge_statics",
        "open_width",
        "refresh_size",
        "slots",
        "statics",
    )

    def __init__(self, cuts: _Cuts) -> None:
        outside = [name for name in cuts.names if name not in cuts.inside]
        static = [name for name in cuts.names if name not in _SLOTS]
        open_static = [name for name in static if name not in cuts.inside]
        ordered = open_static + [name for name in static if name in cuts.inside]
        self._refresh_format = cuts.format(cuts.names)
        self._challenge_format = cuts.format(outside)
        self.refresh_size = sum(cuts.width(name) for name in cuts.names if name not in _ELASTIC)
        self.challenge_size = sum(cuts.width(name) for name in outside if name not in _ELASTIC)
        self.open_width = sum(cuts.width(name) for name in open_static)
        extra = list(_EXTRA)
        self.slots = _getter([*cuts.names], _SLOTS)
        self.statics = _getter([*cuts.names], ordered)
        self.challenge_slots = _getter(outside, ("branch", "cseq"))
        self.challenge_statics = _getter(outside, open_static)
        via, via_names = cuts.via()
        copied = b"\r\nFrom: %b\r\nTo: %b;tag=%b\r\nCall-ID: %b\r\nCSeq: %b REGISTER\r\n"
        names = [*via_names, "from", "to", "tag", "call_id", "cseq"]
        self.answer = b"SIP/2.0 200 OK\r\nVia: " + via + copied + b"Contact: %b;expires=%b\r\nContent-Length: 0\r\n\r\n"
        self.answer_parts = _getter([*cuts.names, *extra], [*names, "contact", "seconds"])
        self.challenge = b"SIP/2.0 401 Unauthorized\r\nVia: " + via + copied
        self.challenge_parts = _getter([*outside, *extra], names)
        at = cuts.names.index("branch")
        self._branch_start = sum(cuts.widths[:at])
        self._branch_stop = cuts.stop
        self._refreshes: dict[int, Unpack] = {}
        self._challenges: dict[int, Unpack] = {}

    def refresh(self, datagram: bytes) -> Fields | None:
        """The fields, None when a message of that size can't have this shape."""
        return self._unpack(datagram, self._refreshes, self.refresh_size, self._refresh_format)

    def without_credentials(self, datagram: bytes) -> Fields | None:
        return self._unpack(datagram, self._challenges, self.challenge_size, self._challenge_format)

    def _unpack(self, datagram: bytes, known: dict[int, Unpack], rest: int, layout: str) -> Fields | None:
        """The branch ends where its stop is; what is missing in the size then is the CSeq."""
        size, stop = len(datagram), datagram.find(self._branch_stop, self._branch_start)
        unpack = known.get(size << 16 | stop)
        if unpack is None:
            branch = stop - self._branch_start
            digits = size - rest - branch
            if not 1 <= branch <= BRANCH_CHARACTERS or not 1 <= digits <= CSEQ_DIGITS:
                return None
            if len(known) >= SIZE_LIMIT:
                known.clear()
            unpack = known[size << 16 | stop] = Struct(layout % (branch, digits)).unpack
        return unpack(datagram)


_EXTRA = ("port", "host", "tag", "seconds")
Extra = tuple[bytes, bytes, bytes, bytes]
"""What an answer has that the message has not: source port and host, To tag, seconds left."""


def _getter(names: Sequence[str], wanted: Sequence[str]) -> Callable[[Fields], Fields]:
    return itemgetter(*(names.index(name) for name in wanted))


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Named fields of one message in their order. Those that are only compared have the name `=` and a number."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    inside: frozenset[str]
    has_rport: bool
    stop: bytes

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for messages of the same shape."""
        widths = (0 if name in _ELASTIC else width for name, width in zip(self.names, self.widths, strict=True))
        return (self.names, self.inside, self.has_rport, self.stop, *widths)

    def width(self, name: str) -> int:
        return self.widths[self.names.index(name)]

    def format(self, names: Sequence[str]) -> str:
        return "=" + "".join("%ds" if name in _ELASTIC else f"{self.width(name)}s" for name in names)

    def via(self) -> tuple[bytes, list[str]]:
        """Format and fields of the stamped Via (RFC 3581 §4)."""
        text, names = b"", []
        for name in self.names:
            if name == "branch" or name.startswith("via"):
                text += b"%b"
                names.append(name)
                if name == "via_rport":
                    text += b"=%b"
                    names.append("port")
        if self.has_rport:
            return text + b";received=%b", [*names, "host"]
        return text, names


def cut(datagram: bytes) -> _Cuts | None:
    """None for a message that has anything unusual in one of the fields that matter."""
    try:
        return _cut(datagram)
    except _NotLearnableError:
        return None


def _cut(datagram: bytes) -> _Cuts:
    lines = _lines(datagram)
    if lines.keys() != _WANTED:
        raise _NotLearnableError
    line = lines["Authorization"]
    spans: dict[str, Span] = {name: lines[header] for name, header in _WHOLE.items()}
    spans |= _via_spans(datagram, lines["Via"])
    spans["cseq"] = _group(_CSEQ, datagram, lines["CSeq"])
    spans["contact"] = _group(_CONTACT, datagram, lines["Contact"])
    spans |= _credential_spans(datagram, line)
    start = datagram.rindex(b"\r\n", 0, line[0]) + 2
    end = datagram.index(b"\r\n", line[1]) + 2
    if not spans["branch"][1] <= min(spans["cseq"][0], start):
        raise _NotLearnableError
    return _named(spans, (start, end), datagram)


_WHOLE = {"from": "From", "to": "To", "call_id": "Call-ID"}


def _lines(datagram: bytes) -> Mapping[str, Span]:
    """Values of the wanted headers. Nothing that is folded or repeated."""
    position = datagram.find(b"\r\n") + 2
    end = datagram.find(b"\r\n\r\n") + 2
    found: dict[str, Span] = {}
    while position < end:
        stop = datagram.index(b"\r\n", position)
        colon = datagram.find(b":", position, stop)
        if colon < 0 or datagram[position] in b" \t":
            raise _NotLearnableError
        name = canonical(datagram[position:colon].decode("latin-1").rstrip(" \t"))
        if name in _WANTED:
            if name in found:
                raise _NotLearnableError
            value = datagram[colon + 1 : stop]
            first = colon + 1 + len(value) - len(value.lstrip(b" \t"))
            found[name] = (first, first + len(value.strip(b" \t")))
        position = stop + 2
    return found


def _group(pattern: re.Pattern[bytes], datagram: bytes, span: Span) -> Span:
    match = pattern.fullmatch(datagram, *span)
    if match is None:
        raise _NotLearnableError
    return match.span(1)


def _via_spans(datagram: bytes, span: Span) -> dict[str, Span]:
    """`branch`, and the pieces around it; one of them ends with `;rport` and is called so."""
    _group(_VIA, datagram, span)
    branches = list(_BRANCH.finditer(datagram, *span))
    rports = list(_RPORT.finditer(datagram, *span))
    if len(branches) != 1 or len(rports) > 1:
        raise _NotLearnableError
    branch = branches[0].span(1)
    pieces = {"via_head": (span[0], branch[0]), "branch": branch, "via_tail": (branch[1], span[1])}
    if rports:
        at = rports[0].end()
        name, rest = ("via_head", "via_head2") if at <= branch[0] else ("via_tail", "via_tail2")
        start, end = pieces.pop(name)
        pieces |= {"via_rport": (start, at), rest: (at, end)}
    return pieces


def _credential_spans(datagram: bytes, span: Span) -> dict[str, Span]:
    scheme = _CREDENTIALS.match(datagram, *span)
    if scheme is None:
        raise _NotLearnableError
    found: dict[str, Span] = {}
    position = scheme.end()
    while position < span[1]:
        match = _PARAM.match(datagram, position, span[1])
        if match is None:
            raise _NotLearnableError
        start, end = match.span(2)
        quoted = datagram[start] == ord('"')
        found[match[1].decode().lower()] = (start + quoted, end - quoted)
        position = match.end()
    if not found.keys() >= {"nonce", "nc", "response", "cnonce"}:
        raise _NotLearnableError
    return {name: found[name] for name in ("nonce", "nc", "response", "cnonce")}


def _named(spans: Mapping[str, Span], line: Span, datagram: bytes) -> _Cuts:
    """All of the message as consecutive fields; the `line` of the credentials has fields of its own."""
    by_start = {start: (end, name) for name, (start, end) in spans.items() if start < end}
    edges = sorted({0, len(datagram), *line, *(edge for span in spans.values() for edge in span)})
    names: list[str] = []
    inside: set[str] = set()
    for number, (start, end) in enumerate(pairwise(edges)):
        known = by_start.get(start)
        if known is not None and known[0] != end:
            raise _NotLearnableError
        name = known[1] if known is not None else f"={number}"
        names.append(name)
        if line[0] <= start < line[1]:
            inside.add(name)
    if not set(names).issuperset(_REQUIRED):
        raise _NotLearnableError
    widths = tuple(end - start for start, end in pairwise(edges))
    return _Cuts(tuple(names), widths, frozenset(inside), "via_rport" in names, datagram[spans["branch"][1] :][:1])


_REQUIRED = frozenset((*_SLOTS, "from", "to", "call_id", "contact"))


class Shapes:
    """First come, first kept: a site has few. What comes later takes the long way."""

    def __init__(self, limit: int = SHAPE_LIMIT) -> None:
        self._limit = limit
        self._known: dict[tuple[object, ...], Shape] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def full(self) -> bool:
        return len(self._known) >= self._limit

    def of(self, datagram: bytes) -> Shape | None:
        cuts = cut(datagram)
        if cuts is None:
            return None
        shape = self._known.get(cuts.key)
        if shape is None and not self.full:
            shape = self._known[cuts.key] = Shape(cuts)
        return shape
