"""How long a device waits, and what wakes it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime


@dataclass(frozen=True, slots=True)
class Timing:
    """Timers of one device. T1 and T2 are those of RFC 3261 §17.1.2.1; the others are a device's usual habits."""

    t1_seconds: float = 0.5
    t2_seconds: float = 4.0
    first_retry_seconds: float = 1.0
    longest_retry_seconds: float = 60.0
    http_timeout_seconds: float = 10.0
    unregister_timeout_seconds: float = 4.0
    schedule_seconds: float = 86_400.0

    def retry_seconds(self, failures: int, rng: Random) -> float:
        """Doubles with each failure in a row (1, 2, ...) up to the longest; half of it is jitter."""
        full = min(self.longest_retry_seconds, self.first_retry_seconds * 2.0 ** min(failures - 1, 30))
        return full * rng.uniform(0.5, 1.0)


class Bell:
    """Wakes the one who waits. Rings while nobody waits are remembered as one."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._rung = False
        self._waiter: Deferred[None] | None = None

    def ring(self) -> None:
        self._rung = True
        if self._waiter is not None and not self._waiter.called:
            self._waiter.callback(None)

    async def wait(self, timeout_seconds: float) -> bool:
        """True when the bell rang (or had rung before), False when the time is over."""
        if not self._rung:
            self._waiter = Deferred()
            over = self._clock.callLater(timeout_seconds, self._waiter.callback, None)
            try:
                await self._waiter
            except CancelledError:
                self._rung = False
                raise
            finally:
                self._waiter = None
                if over.active():
                    over.cancel()
        rung, self._rung = self._rung, False
        return rung
