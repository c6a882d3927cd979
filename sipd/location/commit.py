"""Group commit: many changes, one fsync, and nobody is told before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from twisted.internet.defer import Deferred

from intercom_core.runtime.pool import WorkPool
from intercom_core.telemetry import log
from sipd.location.journal import Change, Journal
from sipd.transaction.timing import Clock

GROUP_LIMIT = 4096
COMPACT_SECONDS = 30.0

Committed = Callable[[bool], None]

_log = log.get("sipd.location")


class Commits(Protocol):
    """`committed(True)` is called once a change is as durable as it gets, `committed(False)` when it could not be
    stored."""

    def add(self, change: Change, committed: Committed) -> None: ...

    async def flush(self) -> None: ...


class NoCommit:
    """For `durability = "memory"`: there is nothing to wait for."""

    def add(self, change: Change, committed: Committed) -> None:  # noqa: ARG002
        committed(True)

    async def flush(self) -> None:
        pass


class GroupCommit:
    """While the writer thread syncs one group the next one collects; an idle writer starts in the same turn of the
    reactor, so a change waits for one sync at most, and its own.

    `pool` has one thread: the journal is used by it alone.
    """

    def __init__(self, clock: Clock, pool: WorkPool, journal: Journal, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._pool = pool
        self._journal = journal
        self._waiting: list[tuple[Change, Committed]] = []
        self._running: Deferred[None] | None = None
        self._compact_at = 0.0
        self._sizes = Histogram(
            "intercom_sipd_commit_changes",
            "Changes in a committed group",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
            registry=registry,
        )
        self._seconds = Histogram(
            "intercom_sipd_commit_seconds",
            "Time to commit a group",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=registry,
        )
        self._failures = Counter("intercom_sipd_commit_failures", "Groups that could not be stored", registry=registry)

    def add(self, change: Change, committed: Committed) -> None:
        """`committed(True)` once the change is on disk, `committed(False)` when it could not be stored."""
        self._waiting.append((change, committed))
        if self._running is None:
            self._running = Deferred()
            self._clock.callLater(0, self._start)

    def _start(self) -> None:
        work = Deferred.fromCoroutine(self._drain())
        work.addErrback(lambda failure: _log.error("commit_broken", reason=str(failure.value)))
        work.addBoth(self._finished)

    def _finished(self, _result: None) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.callback(None)

    async def _drain(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            stored = await self._commit([change for change, _ in group])
            for _, committed in group:
                self._tell(committed, stored)
            await self._compact()

    async def _commit(self, changes: list[Change]) -> bool:
        began = self._clock.seconds()
        try:
            await self._pool.run(self._journal.append, changes)
        except Exception:
            self._failures.inc()
            _log.exception("bindings_not_stored", changes=len(changes))
            return False
        self._sizes.observe(len(changes))
        self._seconds.observe(self._clock.seconds() - began)
        return True

    async def _compact(self) -> None:
        now = self._clock.seconds()
        if now < self._compact_at:
            return
        self._compact_at = now + COMPACT_SECONDS
        try:
            await self._pool.run(self._journal.compact, now)
        except Exception:
            _log.exception("journal_not_compacted")

    @staticmethod
    def _tell(committed: Committed, stored: bool) -> None:
        try:
            committed(stored)
        except Exception:
            _log.exception("commit_follow_up_failed")

    async def flush(self) -> None:
        """Returns when all that was added is stored."""
        while self._running is not None:
            await _end_of(self._running)


async def _end_of(running: Deferred[None]) -> None:
    """Wait without taking the result away from others."""
    done: Deferred[None] = Deferred()
    running.addCallback(lambda _: done.callback(None))
    await done
