"""The life of one device: it boots, pulls its files, registers, and pulls again when it is told to."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from simulator.account import Account, AccountError, account_of
from simulator.faults import Faults
from simulator.http_client import HttpClient
from simulator.network import NetworkReactor
from simulator.puller import Flash, Hardware, Puller, PullError
from simulator.sip_client import SipClient
from simulator.totals import Totals
from simulator.waiting import Bell, Timing

SLOW_READ_PAUSE_SECONDS = 0.05
_log = Logger()


class DeviceState(StrEnum):
    """BOOTING until the files are there; PROVISIONED with them; REGISTERED; FAILED while it waits for a retry."""

    OFF = "off"
    BOOTING = "booting"
    PROVISIONED = "provisioned"
    REGISTERED = "registered"
    FAILED = "failed"


class Device:
    """`flash` outlives reboots, everything else is built anew. `on_change` is called after each state and each pull."""

    def __init__(
        self,
        reactor: NetworkReactor,
        rng: Random,
        hardware: Hardware,
        bootstrap_url: str,
        totals: Totals,
        faults: Faults,
        timing: Timing,
        on_change: Callable[[Device], None] = lambda _: None,
    ) -> None:
        self.hardware = hardware
        self.flash = Flash()
        self.state = DeviceState.OFF
        self.pulls = 0
        self.notifies = 0
        self._reactor = reactor
        self._rng = rng
        self._totals = totals
        self._faults = faults
        self._timing = timing
        self._on_change = on_change
        pause_seconds = SLOW_READ_PAUSE_SECONDS if faults.slow_read else 0.0
        http = HttpClient(reactor, hardware.user_agent, timing.http_timeout_seconds, pause_seconds)
        self._puller = Puller(http, hardware, bootstrap_url, self.flash, totals)
        self._bell = Bell(reactor)
        self._sip: SipClient | None = None
        self._account: Account | None = None
        self._sip_port = 0
        self._booted_at = 0.0
        self._boot_due = True
        self._powered = False
        self._life: Deferred[None] | None = None

    def start(self) -> None:
        """Power on."""
        self._powered = True
        self._life = Deferred.fromCoroutine(self._live())
        self._life.addErrback(self._ended)

    async def stop(self) -> None:
        """Orderly end: unregisters, then everything is off."""
        self._powered = False
        if self._life is not None:
            self._life.cancel()
            await self._life
        await self._hang_up(unregister=True)
        self._enter(DeviceState.OFF)

    def reboot(self) -> None:
        """Cuts the power as soon as the current step is done: the binding at the registrar stays."""
        self._boot_due = True
        self._totals.reboots += 1
        self._bell.ring()

    def registered(self) -> None:
        self._enter(DeviceState.REGISTERED)

    def registration_failed(self, code: str) -> None:
        _log.debug("{mac} is not registered: {code}", mac=self.hardware.mac, code=code)
        self._enter(DeviceState.FAILED)

    def check_sync(self, *, reboot: bool) -> None:
        self.notifies += 1
        if reboot:
            self.reboot()
        else:
            self._bell.ring()

    async def _live(self) -> None:
        failures = 0
        while self._powered:
            try:
                if self._boot_due:
                    failures = 0
                    await self._boot()
                await self._pull()
                failures = 0
                pause = self._timing.schedule_seconds
            except (PullError, AccountError) as error:
                failures += 1
                self._failed(error.code)
                pause = self._timing.retry_seconds(failures, self._rng)
            await self._bell.wait(max(0.0, min(pause, self._seconds_to_reboot())))
            if self._seconds_to_reboot() <= 0:
                self.reboot()

    async def _boot(self) -> None:
        """From the flash alone: a device that knows its account registers before it has pulled."""
        self._boot_due = False
        await self._hang_up(unregister=False)
        self._booted_at = self._reactor.seconds()
        self._enter(DeviceState.BOOTING)
        await self._sync_account()

    async def _pull(self) -> None:
        started = self._reactor.seconds()
        await self._puller.pull()
        self._totals.pull_latency.add(self._reactor.seconds() - started)
        self.pulls += 1
        await self._sync_account()
        if self.state is not DeviceState.REGISTERED:
            self._enter(DeviceState.PROVISIONED)
        else:
            self._on_change(self)

    async def _sync_account(self) -> None:
        """Registers with the account of the settings; another account than before ends the old registration first."""
        try:
            account = account_of(self.flash.config)
        except AccountError:
            await self._hang_up(unregister=True)
            raise
        if account == self._account:
            return
        if self._account is not None:
            await self._hang_up(unregister=True)
            self._totals.reregisters += account is not None
            self._enter(DeviceState.PROVISIONED)
        if account is not None:
            self._account = account
            self._sip = self._client(account)
            self._sip.start(self._sip_port)

    def _client(self, account: Account) -> SipClient:
        agent = self.hardware.user_agent
        return SipClient(self._reactor, self._rng, account, agent, self, self._totals, self._faults, self._timing)

    async def _hang_up(self, *, unregister: bool) -> None:
        sip, self._sip, self._account = self._sip, None, None
        if sip is not None:
            self._sip_port = await sip.stop(unregister=unregister) or self._sip_port

    def _seconds_to_reboot(self) -> float:
        every = self._faults.reboot_every_seconds
        return self._booted_at + every - self._reactor.seconds() if every else math.inf

    def _failed(self, code: str) -> None:
        self._totals.errors[code] += 1
        if self.state is not DeviceState.REGISTERED:
            self._enter(DeviceState.FAILED)

    def _enter(self, state: DeviceState) -> None:
        self.state = state
        self._on_change(self)

    def _ended(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            _log.failure("Device {mac} crashed", failure, mac=self.hardware.mac)
            self._totals.errors["crash"] += 1
            self._enter(DeviceState.FAILED)
