"""What a REGISTER does to the bindings of its address of record (RFC 3261 §10.3 steps 6 and 7). Pure."""

from __future__ import annotations

from sipd.location.binding import Binding, Bindings
from sipd.message.errors import MalformedMessageError, Reason
from sipd.message.fields import NameAddress, require_sip
from sipd.message.grammar import parse_seconds, unquote
from sipd.message.message import Request
from sipd.registrar.limits import Limits
from sipd.transport.flow import Flow

USER_AGENT_LIMIT = 255
PATH_LIMIT = 2048


class RefusedError(Exception):
    """The request fails as a whole and changes nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def updated(request: Request, flow: Flow, mark: str, present: Bindings, now: float, limits: Limits) -> Bindings:
    """The bindings after `request`, which the account of `mark` made. Raises RefusedError or MalformedMessageError."""
    if request.is_wildcard:
        return _remove_all(request, present)
    bindings = list(present)
    for contact in request.contacts:
        seconds = _expires(request, contact, limits)
        new = _binding(request, contact, flow, mark, now, seconds)
        for known in [binding for binding in bindings if binding.same_contact(new)]:
            if known in present:
                _require_order(request, known)
            bindings.remove(known)
        if seconds:
            bindings.append(new)
    if len(bindings) > limits.contacts:
        raise RefusedError(403)
    return tuple(bindings)


def _remove_all(request: Request, present: Bindings) -> Bindings:
    if request.expires_seconds != 0:
        raise MalformedMessageError(Reason.CONTACT)
    for binding in present:
        _require_order(request, binding)
    return ()


def _binding(request: Request, contact: NameAddress, flow: Flow, mark: str, now: float, seconds: int) -> Binding:
    return Binding(
        flow=flow,
        contact=str(require_sip(contact.uri)),
        expires_at=now + seconds,
        registered_at=now,
        call_id=request.call_id,
        cseq=request.cseq.number,
        user_agent=printable(request.headers.first("User-Agent") or "", USER_AGENT_LIMIT),
        q=contact.params.get("q") or "",
        instance=unquote(contact.params.get("+sip.instance") or ""),
        reg_id=_reg_id(contact),
        path=_path(request),
        mark=mark,
    )


def _require_order(request: Request, binding: Binding) -> None:
    """An older or repeated request of the same client must not undo a newer one."""
    if binding.call_id == request.call_id and binding.cseq >= request.cseq.number:
        raise RefusedError(500)


def _expires(request: Request, contact: NameAddress, limits: Limits) -> int:
    """Seconds: parameter, else header, else default; unreadable counts as missing (§20.10). Capped at the maximum."""
    seconds = request.expires_seconds
    own = contact.params.get("expires")
    if own is not None:
        try:
            seconds = parse_seconds(own)
        except MalformedMessageError:
            seconds = None
    if seconds is None:
        seconds = limits.default_expires_seconds
    if 0 < seconds < limits.min_expires_seconds:
        raise RefusedError(423)
    return min(seconds, limits.max_expires_seconds)


def _reg_id(contact: NameAddress) -> int:
    text = contact.params.get("reg-id") or "0"
    return min(parse_seconds(text), 2**31 - 1)


def _path(request: Request) -> str:
    path = ",".join(request.headers.all("Path"))
    if len(path) > PATH_LIMIT:
        raise MalformedMessageError(Reason.HEADER_TOO_LONG)
    return path


def printable(text: str, limit: int) -> str:
    """For people and databases: no control characters, nothing that UTF-8 can't carry, cut at `limit`."""
    return "".join(character for character in text if character.isprintable())[:limit]
