"""The registrar (RFC 3261 §10.3): who may, what changes, and a 200 only after the change is on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from intercom_core.telemetry import log
from sipd.auth.authenticator import Authenticator, Identity, Verdict
from sipd.location.binding import Binding, Bindings
from sipd.location.commit import Commits
from sipd.location.journal import Change
from sipd.location.location import Location
from sipd.message.errors import MalformedMessageError
from sipd.message.fields import require_sip
from sipd.message.grammar import quote
from sipd.message.message import Request
from sipd.message.uri import SipUri
from sipd.numbers.directory import Account
from sipd.registrar.answer import Answer
from sipd.registrar.limits import Limits
from sipd.registrar.update import RefusedError, updated
from sipd.transaction.timing import Clock
from sipd.transport.flow import Flow

SUPPORTED = frozenset({"path"})
RETRY_AFTER_SECONDS = 5

_log = log.get("sipd.registrar")


class Registrar:
    """After a change of a number's bindings is on disk `changed(aor)` is called, or `refreshed(aor)` when nothing but
    times differs."""

    def __init__(
        self,
        clock: Clock,
        authenticator: Authenticator,
        location: Location,
        commits: Commits,
        limits: Limits,
        changed: Callable[[str], None],
        refreshed: Callable[[str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._location = location
        self._commits = commits
        self._limits = limits
        self._changed = changed
        self._refreshed = refreshed or changed

    def precheck(self, request: Request, answer: Answer) -> Identity | None:
        """What needs no state: answers by itself, or returns an OK identity (steps 1 to 3 of §10.3)."""
        if not isinstance(request.uri, SipUri) or not isinstance(request.to.uri, SipUri):
            answer(416)
            return None
        unsupported = [tag for tag in request.option_tags("Require") if tag not in SUPPORTED]
        if unsupported:
            answer(420, [("Unsupported", ", ".join(unsupported))])
            return None
        identity = self._authenticator.check(request)
        if identity.verdict is Verdict.INACTIVE:
            answer(403)
        elif identity.account is None:
            challenges = self._authenticator.challenges(stale=identity.verdict is Verdict.STALE)
            answer(401, [("WWW-Authenticate", value) for value in challenges])
        else:
            return identity
        return None

    def register(self, request: Request, identity: Identity, flow: Flow, answer: Answer) -> None:
        """Steps 4 to 8. `identity` is from `precheck`; the answer leaves once the outcome is on disk.

        A refused request is written down too: its nonce count is used up and must stay so after a crash.
        """
        if identity.account is None:
            raise ValueError("only an authenticated request registers")
        aor = identity.account.number
        bindings = present = self._location.bindings(aor)
        status = 200
        try:
            bindings = self._updated(request, identity.account, flow, present)
        except RefusedError as refused:
            status = refused.status
        except MalformedMessageError:
            status = 400
        else:
            self._location.replace(aor, bindings)
        change = Change(aor, bindings, identity.use)
        told = self._refreshed if _only_refreshed(present, bindings) else self._changed

        def committed(stored: bool) -> None:
            outcome = status if stored else 503
            answer(outcome, self._fields(outcome, bindings, request))
            if outcome == 200:
                told(aor)

        self._commits.add(change, committed)

    def _updated(self, request: Request, account: Account, flow: Flow, present: Bindings) -> Bindings:
        if require_sip(request.to.uri).number != account.number:
            raise RefusedError(403)
        return updated(request, flow, account.mark, present, self._clock.seconds(), self._limits)

    def _fields(self, status: int, bindings: Bindings, request: Request) -> list[tuple[str, str]]:
        match status:
            case 200:
                # RFC 3327 §5.3: the client sees the Path that was stored.
                path = [("Path", line) for line in request.headers.all("Path")]
                return self._contacts(bindings) + path
            case 423:
                return [("Min-Expires", str(self._limits.min_expires_seconds))]
            case 503:
                return [("Retry-After", str(RETRY_AFTER_SECONDS))]
            case _:
                return []

    def _contacts(self, bindings: Iterable[Binding]) -> list[tuple[str, str]]:
        now = self._clock.seconds()
        return [("Contact", _contact(binding, now)) for binding in bindings]

    def forget(self, aor: str) -> None:
        """Remove all bindings of a number whose account ended or has other credentials now."""
        if not self._location.bindings(aor):
            return
        self._location.replace(aor, ())
        self._commits.add(Change(aor, ()), lambda stored: self._forgotten(aor, stored=stored))

    def flow_lost(self, aor: str, flow: Flow) -> None:
        """Remove what was bound over a connection that is gone: nothing else leads to it. Whoever has a new
        connection has replaced its binding, or does so with its next REGISTER."""
        present = self._location.bindings(aor)
        left = tuple(binding for binding in present if binding.flow != flow)
        if len(left) == len(present):
            return
        self._location.replace(aor, left)
        self._commits.add(Change(aor, left), lambda _stored: self._changed(aor))

    def _forgotten(self, aor: str, *, stored: bool) -> None:
        _log.info("bindings_forgotten", number=aor, stored=stored)
        self._changed(aor)


def _only_refreshed(before: Bindings, after: Bindings) -> bool:
    return len(before) == len(after) and all(
        (one.flow, one.contact, one.user_agent) == (other.flow, other.contact, other.user_agent)
        for one, other in zip(before, after, strict=True)
    )


def _contact(binding: Binding, now: float) -> str:
    seconds = max(math.ceil(binding.expires_at - now), 1)
    q = f";q={binding.q}" if binding.q else ""
    instance = f";+sip.instance={quote(binding.instance)}" if binding.instance else ""
    reg_id = f";reg-id={binding.reg_id}" if binding.reg_id else ""
    return f"<{binding.contact}>{q}{instance}{reg_id};expires={seconds}"
