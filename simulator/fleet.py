"""Many devices as one: staggered start, totals, orderly end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.interfaces import IDelayedCall

from simulator.device import Device, DeviceState
from simulator.faults import Faults
from simulator.network import NetworkReactor
from simulator.puller import Hardware
from simulator.totals import Totals
from simulator.waiting import Timing

STOPS_AT_ONCE = 200


class Fleet:
    """`spread_seconds` is the time over which the devices are switched on, evenly."""

    def __init__(
        self,
        reactor: NetworkReactor,
        rng: Random,
        bootstrap_url: str,
        hardware: Sequence[Hardware],
        faults: Faults,
        timing: Timing,
        spread_seconds: float = 1.0,
    ) -> None:
        self._reactor = reactor
        self._spread_seconds = spread_seconds
        self._never_registered = {item.mac for item in hardware}
        self._starts: list[IDelayedCall] = []
        self._waiters: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        self._look_due = False
        self.totals = Totals()
        self.devices = [
            Device(reactor, rng, item, bootstrap_url, self.totals, faults, timing, self._changed) for item in hardware
        ]

    @property
    def registered(self) -> int:
        """How many are registered now."""
        return self.in_state(DeviceState.REGISTERED)

    @property
    def never_registered(self) -> frozenset[str]:
        """MACs of the devices that were not registered once so far."""
        return frozenset(self._never_registered)

    def in_state(self, state: DeviceState) -> int:
        return sum(device.state is state for device in self.devices)

    def line(self) -> str:
        return self.totals.line(self.registered, len(self.devices))

    def start(self) -> None:
        step = self._spread_seconds / max(1, len(self.devices))
        self._starts = [
            self._reactor.callLater(index * step, device.start) for index, device in enumerate(self.devices)
        ]

    async def stop(self) -> None:
        """Unregisters and switches off all devices, at most STOPS_AT_ONCE at a time."""
        for start in self._starts:
            if start.active():
                start.cancel()
        gate = DeferredSemaphore(STOPS_AT_ONCE)
        await gatherResults(
            [gate.run(Deferred.fromCoroutine, device.stop()) for device in self.devices], consumeErrors=True
        )

    async def wait_until(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """True as soon as the condition holds, False when the time is over; looked at after each change of a device."""
        if condition():
            return True
        waiter: Deferred[bool] = Deferred()
        entry = (condition, waiter)
        self._waiters.append(entry)
        waiter.addTimeout(timeout_seconds, self._reactor, onTimeoutCancel=lambda _result, _seconds: False)
        try:
            return await waiter
        finally:
            self._waiters.remove(entry)

    async def all_registered(self, timeout_seconds: float) -> bool:
        """Waits until each device was registered at least once."""
        return await self.wait_until(lambda: not self._never_registered, timeout_seconds)

    def _changed(self, device: Device) -> None:
        if device.state is DeviceState.REGISTERED:
            self._never_registered.discard(device.hardware.mac)
        if self._waiters and not self._look_due:
            self._look_due = True
            self._reactor.callLater(0, self._look)

    def _look(self) -> None:
        """Waiters go on from here and not from inside a step of a device: they may stop it."""
        self._look_due = False
        for condition, waiter in list(self._waiters):
            if not waiter.called and condition():
                waiter.callback(True)
