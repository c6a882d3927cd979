"""What the registrar keeps about one contact of an address of record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sipd.message.uri import SipUri, parse_uri
from sipd.transport.flow import Flow


@dataclass(slots=True)
class Binding:
    """`contact` is the URI as registered; times are seconds since the epoch; `flow` is where the REGISTER came from.

    Only `refresh` changes one: whoever needs its state of now later must copy what it needs.

    `q`, `instance` and `path` are as written, empty when not given; `reg_id` 0 when not given (RFC 5626 §4.1).
    `mark` is that of the account that made it (numbers.directory).
    """

    flow: Flow
    contact: str
    expires_at: float
    registered_at: float
    call_id: str
    cseq: int
    user_agent: str = ""
    q: str = ""
    instance: str = ""
    reg_id: int = 0
    path: str = ""
    mark: str = ""

    @property
    def uri(self) -> SipUri:
        """`contact`, parsed; it was a SIP URI when it was stored."""
        uri = parse_uri(self.contact)
        if not isinstance(uri, SipUri):
            raise TypeError("a binding has a SIP URI")
        return uri

    def refresh(self, cseq: int, now: float, expires_at: float) -> None:
        """The same REGISTER again, with a higher CSeq."""
        self.cseq = cseq
        self.registered_at = now
        self.expires_at = expires_at

    def same_contact(self, other: Binding) -> bool:
        """Would one replace the other? (RFC 3261 §10.3 step 7, RFC 5626 §6)"""
        if self.instance and self.reg_id and other.instance and other.reg_id:
            return (self.instance, self.reg_id) == (other.instance, other.reg_id)
        return self.contact == other.contact or self.uri.same_as(other.uri)


_values = attrgetter(*(field.name for field in fields(Binding)))

Bindings = tuple[Binding, ...]


Row = list[Any]
"""A binding as JSON holds it: its fields in their order."""


def pack(bindings: Iterable[Binding]) -> list[tuple[Any, ...]]:
    """For the journal: what JSON makes Rows of."""
    return [_values(binding) for binding in bindings]


def unpack(rows: Iterable[Row]) -> Bindings:
    return tuple(Binding(Flow(*row[0]), *row[1:]) for row in rows)
