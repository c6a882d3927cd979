"""Liveness and readiness of a daemon, readable from any thread."""

from __future__ import annotations

import time
from collections.abc import Callable

STALL_SECONDS = 10.0


class Health:
    """Parts report readiness by name; a beat says that the main loop still turns.

    Alive: the last beat is younger than STALL_SECONDS. Ready: alive, and every part that was ever set is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: dict[str, bool] = {}
        self._last_beat = clock()

    def set(self, part: str, ready: bool) -> None:
        self._parts[part] = ready

    def beat(self) -> None:
        self._last_beat = self._clock()

    @property
    def alive(self) -> bool:
        return self._clock() - self._last_beat < STALL_SECONDS

    @property
    def ready(self) -> bool:
        return self.alive and all(self._parts.values())

    def report(self) -> dict[str, object]:
        """For /readyz: the verdict and each part's state."""
        return {"ready": self.ready, "alive": self.alive, "parts": dict(self._parts)}
