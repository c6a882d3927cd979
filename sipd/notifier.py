"""Executes queued commands of kind check_sync: NOTIFY `Event: check-sync` over the flow of each binding."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge
from twisted.internet.defer import Deferred

from intercom_core.runtime.pool import WorkPool
from intercom_core.store import commands
from intercom_core.store.commands import CommandKind, QueuedCommand
from intercom_core.store.engine import Store
from intercom_core.telemetry import log
from sipd.location.binding import Binding
from sipd.location.location import Location
from sipd.message.fields import MAGIC_COOKIE
from sipd.message.headers import Headers
from sipd.message.message import Request
from sipd.transaction.client import ClientTransactions, Failure, Outcome
from sipd.transaction.timing import Clock, Timer, cancel
from sipd.transport.flow import Flow

POLL_SECONDS = 5.0
RETRY_SECONDS = 1.0
IN_FLIGHT_LIMIT = 200
KINDS = (CommandKind.CHECK_SYNC,)

_log = log.get("sipd.notifier")


@dataclass(frozen=True, slots=True)
class Local:
    """How this server calls itself: `domain` in addresses, `sent_by` (host:port) in Via and Contact."""

    domain: str
    sent_by: str


@dataclass(frozen=True, slots=True)
class _Result:
    command_id: int
    ok: bool
    text: str
    at: datetime


class Notifier:
    """`send(flow, data)` raises OSError. At most IN_FLIGHT_LIMIT commands are under way at a time."""

    def __init__(
        self,
        clock: Clock,
        pool: WorkPool,
        store: Store,
        location: Location,
        clients: ClientTransactions,
        send: Callable[[Flow, bytes], None],
        local: Callable[[Flow], Local],
        registry: CollectorRegistry,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._store = store
        self._location = location
        self._clients = clients
        self._send = send
        self._local = local
        self._in_flight = 0
        self._results: list[_Result] = []
        self._running: Deferred[None] | None = None
        self._again = False
        self._timer: Timer | None = None
        self._stopped = True
        self._outcomes = Counter("intercom_sipd_notify", "NOTIFY commands by result", ["result"], registry=registry)
        Gauge("intercom_sipd_notify_in_flight", "NOTIFY commands under way", registry=registry).set_function(
            lambda: self._in_flight
        )

    async def start(self) -> None:
        """Commands that a predecessor left unfinished are done again."""
        await self._pool.run(self._release)
        self._stopped = False
        self.wake()

    def _release(self) -> None:
        with self._store.write() as session:
            commands.release_running(session, KINDS)

    def wake(self) -> None:
        """There may be new commands, or results to record."""
        self._again = True
        if self._running is None and not self._stopped:
            cancel(self._timer)
            self._running = Deferred.fromCoroutine(self._work())
            self._running.addBoth(self._worked)

    def _worked(self, _result: object) -> None:
        self._running = None
        if self._timer is None or not self._timer.active():
            self._poll_in(POLL_SECONDS)

    def _poll_in(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self._clock.callLater(seconds, self.wake)

    async def _work(self) -> None:
        while self._again and not self._stopped:
            self._again = False
            results = list(self._results)
            try:
                claimed = await self._pool.run(self._exchange, results, IN_FLIGHT_LIMIT - self._in_flight)
            except Exception:
                _log.exception("commands_not_claimed")
                self._poll_in(RETRY_SECONDS)
                return
            del self._results[: len(results)]
            for command in claimed:
                self._execute(command)

    def _exchange(self, results: list[_Result], room: int) -> list[QueuedCommand]:
        """One transaction: record results, take new commands."""
        with self._store.write() as session:
            for result in results:
                commands.finish(session, result.command_id, ok=result.ok, result=result.text, now=result.at)
            return commands.claim(session, KINDS, self._now(), room) if room > 0 else []

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)

    def _execute(self, command: QueuedCommand) -> None:
        bindings = self._location.bindings(command.number)
        self._in_flight += 1
        if not bindings:
            self._finish(command, ["offline"])
            return
        outcomes: list[str] = []

        def done(outcome: Outcome) -> None:
            outcomes.append(_word(outcome))
            if len(outcomes) == len(bindings):
                self._finish(command, outcomes)

        for binding in bindings:
            notify = self._notify(command.number, binding)
            flow = binding.flow
            send = partial(self._send, flow)
            self._clients.start(notify, flow.source, send, done, reliable=bool(flow.connection))

    def _finish(self, command: QueuedCommand, outcomes: list[str]) -> None:
        """One device that took it is enough: a number may still have a binding of its former port."""
        self._in_flight -= 1
        ok = "ok" in outcomes
        text = "ok" if ok else outcomes[-1]
        self._outcomes.labels(text if text in ("ok", "offline", *Failure) else "refused").inc()
        _log.info("notified", number=command.number, command=command.id, result=text)
        self._results.append(_Result(command.id, ok, text, self._now()))
        self.wake()

    def _notify(self, number: str, binding: Binding) -> Request:
        local = self._local(binding.flow)
        transport = binding.flow.listener
        headers = Headers()
        headers.add(
            "Via", f"SIP/2.0/{transport.upper()} {local.sent_by};rport;branch={MAGIC_COOKIE}{secrets.token_hex(12)}"
        )
        if binding.path:
            headers.add("Route", binding.path)
        headers.add("Max-Forwards", "70")
        headers.add("From", f"<sip:{number}@{local.domain}>;tag={secrets.token_hex(8)}")
        headers.add("To", f"<sip:{number}@{local.domain}>")
        headers.add("Call-ID", secrets.token_hex(16))
        headers.add("CSeq", "1 NOTIFY")
        headers.add(
            "Contact",
            f"<sip:{local.sent_by}>" if transport == "udp" else f"<sip:{local.sent_by};transport={transport}>",
        )
        headers.add("Event", "check-sync;reboot=false")
        headers.add("Subscription-State", "terminated")
        return Request("NOTIFY", binding.contact, headers)

    async def stop(self) -> None:
        """Records the results that are there; commands under way are done again after the next start."""
        self._stopped = True
        cancel(self._timer)
        if self._running is not None:
            await self._running
        if self._results:
            await self._pool.run(self._exchange, list(self._results), 0)


def _word(outcome: Outcome) -> str:
    """`ok`, a failure's name, or the status that refused it."""
    if isinstance(outcome, Failure):
        return outcome.value
    return "ok" if outcome.status < 300 else f"{outcome.status}"
