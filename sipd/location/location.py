"""The location service: address of record -> bindings, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Gauge

from sipd.location.binding import Bindings
from sipd.location.wheel import Wheel
from sipd.transaction.timing import Clock


class Record:
    """The bindings of one number; none once it is out of the table. `learned` is for the short way (sipd.hot)."""

    __slots__ = ("bindings", "learned", "slot")

    def __init__(self, bindings: Bindings) -> None:
        self.bindings = bindings
        self.learned: bytes | None = None
        self.slot: int | None = None


class Location:
    """The address of record is the SIP number: an installation has one domain.

    `expired(aor)` is called after bindings of it ran out, `forgotten` with what was `learned` of a number that has none
    any more. A refresh costs nothing in the wheel: a number is looked at
    when its earliest known expiry comes, and put in again for the next.
    """

    def __init__(self, clock: Clock, expired: Callable[[str], None], registry: CollectorRegistry) -> None:
        self._clock = clock
        self._expired = expired
        self._records: dict[str, Record] = {}
        self._bindings = 0
        self.forgotten: Callable[[bytes], None] | None = None
        self._wheel = Wheel(clock, self._look)
        Gauge("intercom_sipd_registered_aors", "Numbers with a binding", registry=registry).set_function(
            lambda: len(self._records)
        )
        Gauge("intercom_sipd_bindings", "Registered contacts", registry=registry).set_function(lambda: self._bindings)

    def __len__(self) -> int:
        return len(self._records)

    def aors(self) -> Iterator[str]:
        return iter(self._records)

    def bindings(self, aor: str) -> Bindings:
        """The present bindings, those that ran out left aside."""
        record = self._records.get(aor)
        if record is None:
            return ()
        now = self._clock.seconds()
        if all(binding.expires_at > now for binding in record.bindings):
            return record.bindings
        return tuple(binding for binding in record.bindings if binding.expires_at > now)

    def replace(self, aor: str, bindings: Bindings) -> None:
        """The new whole set of an address of record; empty: none."""
        record = self._records.get(aor)
        self._bindings += len(bindings) - (len(record.bindings) if record else 0)
        if not bindings:
            if record is not None:
                self._remove(aor, record)
            return
        if record is None:
            record = self._records[aor] = Record(bindings)
        record.bindings = bindings
        earliest = min(binding.expires_at for binding in bindings)
        if record.slot is None or earliest < record.slot - 1:
            record.slot = self._wheel.put(aor, earliest)

    def _remove(self, aor: str, record: Record) -> None:
        del self._records[aor]
        record.bindings = ()
        if record.learned is not None and self.forgotten is not None:
            self.forgotten(record.learned)

    def record(self, aor: str) -> Record | None:
        """For the short way: what is kept of a number that has bindings."""
        return self._records.get(aor)

    def _look(self, aor: str, slot: int) -> None:
        record = self._records.get(aor)
        if record is None or record.slot != slot:
            return
        record.slot = None
        before = record.bindings
        self.replace(aor, self.bindings(aor))
        if self._records.get(aor) is not record or record.bindings is not before:
            self._expired(aor)

    def stop(self) -> None:
        self._wheel.stop()
