"""Times of RFC 3261 §17 (table 4) and the clock that machines are driven by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

T1_SECONDS = 0.5
T2_SECONDS = 4.0
T4_SECONDS = 5.0
TIMER_F_SECONDS = 64 * T1_SECONDS
TIMER_J_SECONDS = 64 * T1_SECONDS
TIMER_K_SECONDS = T4_SECONDS


class Timer(Protocol):
    def cancel(self) -> None: ...

    def active(self) -> bool: ...


class Clock(Protocol):
    """The part of Twisted's IReactorTime that is needed here."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, call: Callable[[], object]) -> Timer: ...  # noqa: N802


def cancel(timer: Timer | None) -> None:
    if timer is not None and timer.active():
        timer.cancel()
