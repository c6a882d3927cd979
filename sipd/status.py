"""Registration status for people and other daemons: rows in the main database, a change row only at a flip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session
from twisted.internet.defer import Deferred

from intercom_core.changes.log import Action, Entity, record
from intercom_core.runtime.pool import WorkPool
from intercom_core.store.engine import Store
from intercom_core.store.schema import RegistrationStatus
from intercom_core.telemetry import log
from sipd.location.location import Location
from sipd.numbers.directory import Account, Directory
from sipd.transaction.timing import Clock, Timer, cancel
from sipd.transport.flow import Flow
from sipd.transport.udp import unmapped

FLUSH_SECONDS = 0.25
RETRY_SECONDS = 1.0
BATCH = 500

_log = log.get("sipd.status")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a number now. The four last are None while it is offline."""

    number: str
    account: Account | None
    address: str | None = None
    user_agent: str | None = None
    seen_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def online(self) -> bool:
        return self.address is not None


class StatusWriter:
    """Collects numbers whose bindings changed and writes them in batches, FLUSH_SECONDS after the first."""

    def __init__(self, clock: Clock, pool: WorkPool, store: Store, location: Location, directory: Directory) -> None:
        self._clock = clock
        self._pool = pool
        self._store = store
        self._location = location
        self._directory = directory
        self._dirty: dict[str, None] = {}
        self._timer: Timer | None = None
        self._running: Deferred[None] | None = None
        self._stopped = False

    def touch(self, number: str) -> None:
        """The bindings of `number` are not what they were."""
        self._dirty[number] = None
        self._schedule(FLUSH_SECONDS)

    async def reconcile(self) -> None:
        """At start: numbers that the database takes for online, and those that have bindings, are written anew."""
        for number in await self._pool.run(self._online_numbers):
            self._dirty[number] = None
        self._dirty.update(dict.fromkeys(self._location.aors()))
        if self._dirty:
            self._schedule(0)

    def _online_numbers(self) -> list[str]:
        with self._store.read() as session:
            return list(session.scalars(select(RegistrationStatus.number).where(RegistrationStatus.online)))

    def _schedule(self, delay_seconds: float) -> None:
        if self._timer is None and self._running is None and not self._stopped:
            self._timer = self._clock.callLater(delay_seconds, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._running = Deferred.fromCoroutine(self._write_batch())
        self._running.addBoth(self._flushed)

    def _flushed(self, _result: object) -> None:
        self._running = None
        if self._dirty:
            self._schedule(FLUSH_SECONDS)

    async def _write_batch(self) -> None:
        numbers = list(islice(self._dirty, BATCH))
        for number in numbers:
            del self._dirty[number]
        try:
            await self._pool.run(self._write, [self._seen(number) for number in numbers])
        except Exception:
            _log.exception("status_not_written", numbers=len(numbers))
            self._dirty.update(dict.fromkeys(numbers))
            await _sleep(self._clock, RETRY_SECONDS)

    def _seen(self, number: str) -> Seen:
        account = self._directory.get(number)
        bindings = self._location.bindings(number)
        if not bindings:
            return Seen(number, account)
        latest = max(bindings, key=lambda binding: binding.registered_at)
        flow = latest.flow
        return Seen(
            number,
            account,
            Flow(flow.listener, unmapped(flow.host), flow.port).address,
            latest.user_agent,
            datetime.fromtimestamp(latest.registered_at, UTC),
            datetime.fromtimestamp(max(binding.expires_at for binding in bindings), UTC),
        )

    def _write(self, batch: list[Seen]) -> None:
        with self._store.write() as session:
            numbers = [seen.number for seen in batch]
            rows = session.scalars(select(RegistrationStatus).where(RegistrationStatus.number.in_(numbers)))
            known = {row.number: row for row in rows}
            for seen in batch:
                _write_one(session, known.get(seen.number), seen)

    async def stop(self) -> None:
        """Writes what is left. After a failure the rest waits for the next start."""
        self._stopped = True
        cancel(self._timer)
        self._timer = None
        if self._running is not None:
            await self._running
        if self._dirty:
            await self._pool.run(self._write, [self._seen(number) for number in self._dirty])
            self._dirty.clear()


def _write_one(session: Session, row: RegistrationStatus | None, seen: Seen) -> None:
    was_online = row is not None and row.online
    if seen.account is None:
        # Whoever gets the number next must not look as if the former device were its own.
        if row is not None:
            session.delete(row)
        return
    if row is None:
        if not seen.online:
            return
        row = RegistrationStatus(number=seen.number)
        session.add(row)
    row.online = seen.online
    row.expires_at = seen.expires_at
    if seen.address is not None and seen.seen_at is not None:
        row.address, row.user_agent, row.last_seen = seen.address, seen.user_agent or "", seen.seen_at
    if seen.online != was_online:
        record(session, Entity.REGISTRATION, seen.account.id, seen.account.project_id, Action.UPDATED)
        _log.info("online" if seen.online else "offline", number=seen.number, address=row.address)


def _sleep(clock: Clock, seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    callback: Callable[[], None] = lambda: done.callback(None)  # noqa: E731
    clock.callLater(seconds, callback)
    return done
