"""Registration status for people and other daemons: rows in the main database, a change row only at a flip."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy import bindparam, select, update
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
REFRESH_SECONDS = 5.0
RETRY_SECONDS = 1.0
BATCH = 500

_log = log.get("sipd.status")


Refreshed = dict[tuple[int, int], list[str]]
"""Seconds since the epoch when numbers were seen and when their last binding runs out -> the numbers."""

_SEEN_AGAIN = (
    update(RegistrationStatus)
    .where(RegistrationStatus.number.in_(bindparam("numbers", expanding=True)), RegistrationStatus.online)
    .values(last_seen=bindparam("seen_at"), expires_at=bindparam("until"))
    .execution_options(synchronize_session=False)
)


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
    """Collects numbers whose bindings changed and writes them in batches, FLUSH_SECONDS after the first. Numbers that
    only came again wait for REFRESH_SECONDS: then one statement serves all that were seen in the same second."""

    def __init__(self, clock: Clock, pool: WorkPool, store: Store, location: Location, directory: Directory) -> None:
        self._clock = clock
        self._pool = pool
        self._store = store
        self._location = location
        self._directory = directory
        self._dirty: dict[str, None] = {}
        self._refreshed: dict[str, None] = {}
        self._refresh_timer: Timer | None = None
        self._timer: Timer | None = None
        self._running: Deferred[None] | None = None
        self._stopped = False

    def touch(self, number: str) -> None:
        """The bindings of `number` are not what they were."""
        self._dirty[number] = None
        self._schedule(FLUSH_SECONDS)

    def refreshed(self, number: str) -> None:
        """As before, seen again."""
        self._refreshed[number] = None
        if self._refresh_timer is None and not self._stopped:
            self._refresh_timer = self._clock.callLater(REFRESH_SECONDS, self._flush_refreshed)

    def _flush_refreshed(self) -> None:
        self._refresh_timer = None
        self._schedule(0)

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
        if self._dirty or (self._refreshed and self._refresh_timer is None):
            self._schedule(FLUSH_SECONDS)

    async def _write_batch(self) -> None:
        changed = _take(self._dirty)
        refreshed = _take(self._refreshed) if self._refresh_timer is None else []
        try:
            await self._pool.run(self._write, *self._batch(changed, refreshed))
        except Exception:
            _log.exception("status_not_written", numbers=len(changed) + len(refreshed))
            self._dirty.update(dict.fromkeys(changed))
            self._dirty.update(dict.fromkeys(refreshed))
            await _sleep(self._clock, RETRY_SECONDS)

    def _batch(self, changed: Iterable[str], refreshed: Iterable[str]) -> tuple[list[Seen], Refreshed]:
        """`refreshed` by the second they were seen and the second they run out."""
        again: Refreshed = defaultdict(list)
        for number in refreshed:
            bindings = self._location.bindings(number)
            if bindings:
                seen_at = max(binding.registered_at for binding in bindings)
                expires_at = max(binding.expires_at for binding in bindings)
                again[math.floor(seen_at), math.ceil(expires_at)].append(number)
        return [self._seen(number) for number in changed], again

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
            _utc(latest.registered_at),
            _utc(max(binding.expires_at for binding in bindings)),
        )

    def _write(self, batch: list[Seen], again: Refreshed) -> None:
        with self._store.write() as session:
            for (seen_at, expires_at), refreshed in again.items():
                session.execute(
                    _SEEN_AGAIN, {"numbers": refreshed, "seen_at": _utc(seen_at), "until": _utc(expires_at)}
                )
            if not batch:
                return
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
        cancel(self._refresh_timer)
        if self._dirty or self._refreshed:
            await self._pool.run(self._write, *self._batch(self._dirty, self._refreshed))
            self._dirty.clear()
            self._refreshed.clear()


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


def _take(numbers: dict[str, None]) -> list[str]:
    taken = list(islice(numbers, BATCH))
    for number in taken:
        del numbers[number]
    return taken


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _sleep(clock: Clock, seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    callback: Callable[[], None] = lambda: done.callback(None)  # noqa: E731
    clock.callLater(seconds, callback)
    return done
