"""Records which device has pulled which files: in batches, off the path of the request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from prometheus_client import Counter
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from intercom_core.runtime.pool import WorkPool
from intercom_core.store.engine import Store
from intercom_core.telemetry import log
from provisiond.autop.answers import Delivery
from provisiond.autop.shelf import Shelf
from provisiond.sync.progress import BATCH, Target, record_served

FLUSH_SECONDS = 0.25
RETRY_SECONDS = 2.0

_log = log.get("provisiond.deliveries")


class Deliveries:
    """Holds at most one delivery a device until it is written; a failed write is tried again."""

    def __init__(
        self,
        clock: IReactorTime,
        store: Store,
        pool: WorkPool,
        shelf: Shelf,
        now: Callable[[], datetime],
        commands: Counter,
    ) -> None:
        self._clock = clock
        self._store = store
        self._pool = pool
        self._shelf = shelf
        self._now = now
        self._commands = commands
        self._waiting: dict[int, str] = {}
        self._timer: IDelayedCall | None = None
        self._flushing: Deferred[None] | None = None
        self._stopped = False

    def note(self, delivery: Delivery) -> None:
        self._waiting[delivery.device_id] = delivery.digest
        self._schedule(FLUSH_SECONDS)

    def _schedule(self, seconds: float) -> None:
        if self._timer is None and self._flushing is None and not self._stopped:
            self._timer = self._clock.callLater(seconds, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        self._flushing = Deferred.fromCoroutine(self._flush())
        self._flushing.addErrback(lambda failure: _log.error("deliveries_broken", reason=str(failure.value)))

    async def _flush(self) -> None:
        batch = dict(list(self._waiting.items())[:BATCH])
        delay = FLUSH_SECONDS
        try:
            self._commands.inc(await self._pool.run(self._write, self._targets(batch)))
            for device_id, digest in batch.items():
                if self._waiting.get(device_id) == digest:
                    del self._waiting[device_id]
        except Exception:
            _log.exception("deliveries_not_recorded", count=len(batch))
            delay = RETRY_SECONDS
        finally:
            self._flushing = None
            if self._waiting:
                self._schedule(delay)

    def _targets(self, batch: dict[int, str]) -> list[Target]:
        entries = ((self._shelf.by_id(device_id), digest) for device_id, digest in batch.items())
        return [Target(e.device_id, e.project_id, e.number, digest) for e, digest in entries if e is not None]

    def _write(self, targets: list[Target]) -> int:
        with self._store.write() as session:
            return record_served(session, targets, self._now())

    async def stop(self) -> None:
        """Writes what is waiting; what can't be written is given up, the devices' next pulls make up for it."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None:
            running: Deferred[Any] = Deferred()
            self._flushing.addBoth(running.callback)
            await running
        before = len(self._waiting) + 1
        while 0 < len(self._waiting) < before:
            before = len(self._waiting)
            await self._flush()
