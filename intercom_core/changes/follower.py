"""Follows the change log inside a Twisted daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from intercom_core.changes.log import Change, ChangeReader, Cursor
from intercom_core.changes.waker import Waker
from intercom_core.runtime.pool import WorkPool
from intercom_core.telemetry import log

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
BATCH = 1000

Handler = Callable[[list[Change]], Awaitable[None]]

_log = log.get("changes.follower")


class ChangeFollower:
    """Gives each batch of changes to `handler`, in order, one batch at a time.

    A handler that raises gets the same batch again after RETRY_SECONDS, so handlers must be idempotent.
    """

    def __init__(
        self, clock: IReactorTime, pool: WorkPool, reader: ChangeReader, waker: Waker, handler: Handler, name: str
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._reader = reader
        self._waker = waker
        self._handler = handler
        self._log = _log.bind(follower=name)
        self._cursor = Cursor(0, 0)
        self._woken = False
        self._running: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._stopped = True

    def start(self, cursor: Cursor) -> None:
        """Begins behind `cursor`; what came after it is handled at once."""
        self._cursor = cursor
        self._stopped = False
        self._waker.start(self.wake)
        self.wake()

    def wake(self) -> None:
        """There may be something new. Cheap, and safe to call at any time in the reactor thread."""
        self._woken = True
        if self._running is None and not self._stopped:
            self._cancel_timer()
            self._running = Deferred.fromCoroutine(self._drain())
            self._running.addErrback(lambda failure: self._log.error("follower_broken", reason=str(failure.value)))

    async def _drain(self) -> None:
        delay = POLL_SECONDS
        try:
            while not self._stopped:
                self._woken = False
                changes, cursor = await self._pool.run(self._reader.read, self._cursor, BATCH)
                if changes:
                    await self._handler(changes)
                    self._cursor = cursor
                elif not self._woken:
                    break
        except Exception:
            self._log.exception("changes_not_handled")
            delay = RETRY_SECONDS
        finally:
            self._running = None
            if not self._stopped:
                self._timer = self._clock.callLater(delay, self._poll)

    def _poll(self) -> None:
        self._timer = None
        self.wake()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    async def stop(self) -> None:
        """Ends after the batch in hand."""
        self._stopped = True
        self._waker.stop()
        self._cancel_timer()
        if self._running is not None:
            done: Deferred[Any] = Deferred()
            self._running.addBoth(done.callback)
            await done
