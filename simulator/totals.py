"""What a fleet has seen: counters and latencies, all bounded."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

KEPT_LATENCIES = 20_000


class Latencies:
    """The latest durations, in seconds."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT_LATENCIES)

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def percentile(self, percent: int) -> float:
        """Nearest rank, in seconds; 0.0 when nothing was measured."""
        if not self._seconds:
            return 0.0
        ordered = sorted(self._seconds)
        return ordered[-(-len(ordered) * percent // 100) - 1]


@dataclass(slots=True)
class Totals:
    """Counters of all devices together.

    pulls are complete rounds (common file, own file, contacts); `http` counts single answers by status. `applied` files
    had a new MD5, `unchanged` ones came with 200 but the MD5 of before. `errors` are by a fixed set of short names.
    """

    pulls: int = 0
    applied: int = 0
    unchanged: int = 0
    registers: int = 0
    reregisters: int = 0
    unregisters: int = 0
    notifies: int = 0
    notifies_dropped: int = 0
    options: int = 0
    reboots: int = 0
    http: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    pull_latency: Latencies = field(default_factory=Latencies)
    register_latency: Latencies = field(default_factory=Latencies)

    def line(self, registered: int, devices: int) -> str:
        """One line for people."""
        return (
            f"registered {registered}/{devices}  pulls {self.pulls}"
            f"  200/304/404 {self.http[200]}/{self.http[304]}/{self.http[404]}  notified {self.notifies}"
            f"  re-registered {self.reregisters}  errors {self.errors.total()}"
        )

    def summary(self) -> list[str]:
        """The rest, for the end of a run: latencies and errors by name."""
        lines = [
            f"{name}: p50 {latency.percentile(50) * 1000:.1f} ms, p99 {latency.percentile(99) * 1000:.1f} ms"
            for name, latency in (("pull", self.pull_latency), ("register", self.register_latency))
        ]
        lines.append(
            f"files applied {self.applied}, unchanged {self.unchanged}; registrations {self.registers}, "
            f"removed at the end {self.unregisters}; reboots {self.reboots}"
        )
        lines.extend(f"error {name}: {count}" for name, count in sorted(self.errors.items()))
        return lines
