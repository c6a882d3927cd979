"""What the registrar keeps about one contact of an address of record."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

from sipd.message.uri import SipUri, parse_uri
from sipd.transport.flow import Flow


@dataclass(frozen=True)
class Binding:
    """`contact` is the URI as registered; times are seconds since the epoch; `flow` is where the REGISTER came from.

    `q`, `instance` and `path` are as written, empty when not given; `reg_id` 0 when not given (RFC 5626 §4.1).
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

    @cached_property
    def uri(self) -> SipUri:
        """`contact`, parsed; it was a SIP URI when it was stored."""
        uri = parse_uri(self.contact)
        if not isinstance(uri, SipUri):
            raise TypeError("a binding has a SIP URI")
        return uri

    def is_for(self, contact: str, uri: SipUri, instance: str, reg_id: int) -> bool:
        """Does a contact of a request mean this binding? (RFC 3261 §10.3 step 7, RFC 5626 §6)"""
        if instance and reg_id and self.instance and self.reg_id:
            return (instance, reg_id) == (self.instance, self.reg_id)
        return contact == self.contact or uri.same_as(self.uri)


_FIELDS = tuple(field.name for field in fields(Binding))

Bindings = tuple[Binding, ...]


def pack(bindings: Iterable[Binding]) -> str:
    """For the journal."""
    rows = [[getattr(binding, name) for name in _FIELDS] for binding in bindings]
    return json.dumps(rows, separators=(",", ":"))


def unpack(text: str) -> Bindings:
    return tuple(Binding(Flow(*row[0]), *row[1:]) for row in json.loads(text))
