"""A time wheel of one-second slots. There is no removal: the owner of a key ignores slots that it no longer means."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

from sipd.transaction.timing import Clock, Timer, cancel


class Wheel:
    """Calls `due(key, slot)` in the first full second at or after the time that the key was put in for."""

    def __init__(self, clock: Clock, due: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._due = due
        self._slots: dict[int, list[str]] = {}
        self._order: list[int] = []
        self._timer: Timer | None = None

    def put(self, key: str, at: float) -> int:
        """Returns the slot, in seconds since the epoch."""
        second = math.ceil(at)
        slot = self._slots.get(second)
        if slot is None:
            slot = self._slots[second] = []
            heappush(self._order, second)
            self._arm()
        slot.append(key)
        return second

    def _arm(self) -> None:
        cancel(self._timer)
        delay = max(self._order[0] - self._clock.seconds(), 0.0)
        self._timer = self._clock.callLater(delay, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._order and self._order[0] <= now:
            second = heappop(self._order)
            for key in self._slots.pop(second):
                self._due(key, second)
        if self._order:
            self._arm()

    def stop(self) -> None:
        cancel(self._timer)
        self._timer = None
