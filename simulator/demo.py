"""`python -m simulator.demo`: the suite, a sample community and a fleet of 50 devices, live."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import LoopingCall, deferLater

from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.http_client import HttpClient
from simulator.http_text import HttpError
from simulator.network import NetworkReactor
from simulator.rest_client import ApiError, RestClient
from simulator.sample_community import Sample, create_sample, relays
from simulator.suite_process import SuiteError, SuiteProcess
from simulator.waiting import Timing

METRICS = re.compile(
    r"intercom_(sipd_(registered_aors|bindings|notify_total|requests_total)"
    r"|provisiond_(devices|config_requests_total|renders_total|claims_total|commands_enqueued_total)"
    r"|admin_(requests_total|audit_rows_total))[ {].*"
)
LOG_NAME = "suite.log"
START_TIMEOUT_SECONDS = 90.0
STEP_TIMEOUT_SECONDS = 60.0
NOTIFY_TIMEOUT_SECONDS = 15.0
# No NOTIFY for this long after the last one: the round is over.
QUIET_SECONDS = 1.5
SHOWN_METRICS = 14
DEMO_COMMAND = "Config.Features.DOORPHONE.MaxCallTime = 3"


class DemoError(Exception):
    """A step did not do what it should; the text says which and what."""


class Demo:
    """The steps in order. Made of parts that are stopped in `stop`, whatever has been reached."""

    def __init__(self, reactor: NetworkReactor, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        self._step = 0
        self._http = HttpClient(reactor, "intercom-demo", timeout_seconds=30.0)
        command = [str(Path(sys.executable).with_name("intercom-suite")), "run"]
        self._suite = SuiteProcess(reactor, command, options.data_dir / LOG_NAME)
        self._fleet: Fleet | None = None
        self._installer_password = secrets.token_hex(6)
        self._api_url = f"http://127.0.0.1:{options.admin_port}"

    async def run(self) -> None:
        """All steps, then the live line. Raises DemoError, SuiteError, ApiError or HttpError."""
        await self._start_suite()
        installer = await self._log_in()
        sample = await self._build(installer)
        fleet = await self._switch_on(sample)
        await self._rename_relay(installer, sample, fleet)
        await self._add_command(installer, sample, fleet)
        await self._show_metrics()
        await self._stay(fleet)

    async def stop(self) -> None:
        """Devices unregister first, then the suite ends."""
        if self._fleet is not None:
            print("\nStopping: the devices unregister ...", flush=True)
            await self._fleet.stop()
            print("  " + "\n  ".join([self._fleet.line(), *self._fleet.totals.summary()]), flush=True)
        await self._suite.stop()
        print("The suite has stopped.", flush=True)

    async def _start_suite(self) -> None:
        self._title("The suite starts", f"data in {self._options.data_dir}")
        data_dir = self._options.data_dir
        if not self._options.keep:
            _remove(data_dir)
        process = cast(IReactorProcess, self._reactor)
        await self._suite.start(process, _environment(self._options), START_TIMEOUT_SECONDS)
        self._say(f"API       {self._api_url}/api/v1/openapi.json")
        self._say(f"console   {self._api_url}/console/")

    async def _log_in(self) -> RestClient:
        self._title("The distributor creates an installer")
        password = self._suite.greeting.get("distributor password") or self._options.password
        if not password:
            raise DemoError("This data directory has its distributor already: give --password, or leave out --keep.")
        name = self._suite.greeting.get("distributor login", "distributor")
        anonymous = RestClient(self._http, f"{self._api_url}/api/v1")
        distributor = await anonymous.login(name, password)
        login = f"demo-{secrets.token_hex(2)}" if self._options.keep else "demo"
        await distributor.post("/installers", login=login, password=self._installer_password, name="Demo Installer")
        self._say(f"distributor   {name} / {password}")
        self._say(f"installer     {login} / {self._installer_password}")
        return await anonymous.login(login, self._installer_password)

    async def _build(self, installer: RestClient) -> Sample:
        self._title("The installer builds a community through the API")
        began = self._reactor.seconds()
        sample = await create_sample(installer)
        count = len(sample.hardware)
        self._say(
            f"Harbour Gardens: 2 buildings, {len(sample.doors)} door phones, {count - len(sample.doors)} apartments,"
        )
        self._say(f"{count} devices in all, in {self._reactor.seconds() - began:.1f} s")
        return sample

    async def _switch_on(self, sample: Sample) -> Fleet:
        self._title("All devices are switched on", "bootstrap, files, registration")
        bootstrap = f"http://127.0.0.1:{self._options.http_port}"
        fleet = Fleet(self._reactor, Random(), bootstrap, sample.hardware, Faults(), Timing(), spread_seconds=2.0)
        self._fleet = fleet
        began = self._reactor.seconds()
        fleet.start()
        if not await fleet.all_registered(STEP_TIMEOUT_SECONDS):
            raise DemoError(f"{len(fleet.never_registered)} devices did not register: {dict(fleet.totals.errors)}")
        self._say(f"{fleet.registered} registered in {self._reactor.seconds() - began:.1f} s")
        await self._quiet(fleet)
        self._say(fleet.line())
        door = fleet.devices[0]
        self._say(f"{sample.names[door.hardware.mac]} lists {door.flash.contacts} contacts")
        return fleet

    async def _rename_relay(self, installer: RestClient, sample: Sample, fleet: Fleet) -> None:
        place = "North Tower Lobby"
        self._title(f"A relay of {place} gets a new name", "Door -> Glass Door")
        path = f"/devices/{sample.doors[place]['id']}"
        await self._edit_and_watch(sample, fleet, installer.patch(path, relays=relays("Glass Door", "Barrier")))

    async def _add_command(self, installer: RestClient, sample: Sample, fleet: Fleet) -> None:
        place = "Main Gate"
        self._title(f"{place} gets a persistent Autop command", DEMO_COMMAND)
        door = sample.doors[place]
        await self._edit_and_watch(
            sample, fleet, installer.post(f"/devices/{door['id']}/autop-commands", line=DEMO_COMMAND)
        )
        device = next(device for device in fleet.devices if device.hardware.mac == door["mac"])
        key, _, value = DEMO_COMMAND.partition(" = ")
        if device.flash.config.get(key) != value:
            raise DemoError(f"{place} has not got the command: {key} is {device.flash.config.get(key)!r}")
        self._say(f"{place} now has {key} = {device.flash.config[key]}")

    async def _edit_and_watch(self, sample: Sample, fleet: Fleet, edit: Any) -> None:
        """Shows who is told of an edit, when, and that exactly those pull again. `edit` is the API call."""
        before = {device.hardware.mac: (device.notifies, device.pulls) for device in fleet.devices}
        notifies = fleet.totals.notifies
        began = self._reactor.seconds()
        answer = Deferred.fromCoroutine(edit)
        first = Deferred.fromCoroutine(
            fleet.wait_until(lambda: fleet.totals.notifies > notifies, NOTIFY_TIMEOUT_SECONDS)
        )
        await answer
        if not await first:
            raise DemoError("no device was notified")
        self._say(f"first NOTIFY in a pulling device after {(self._reactor.seconds() - began) * 1000:.0f} ms")
        await self._quiet(fleet)
        told = [device for device in fleet.devices if device.notifies > before[device.hardware.mac][0]]
        pulled = [device for device in fleet.devices if device.pulls > before[device.hardware.mac][1]]
        self._say(f"notified {len(told)} of {len(fleet.devices)} devices, pulled again {len(pulled)}")
        names = [sample.names[device.hardware.mac] for device in told]
        self._say("  " + "; ".join(names[:4]) + (f"; and {len(names) - 4} more" if len(names) > 4 else ""))

    async def _quiet(self, fleet: Fleet) -> None:
        """Waits until no device has been notified or has pulled for QUIET_SECONDS; bounded."""
        for _ in range(int(STEP_TIMEOUT_SECONDS / QUIET_SECONDS)):
            seen = (fleet.totals.notifies, fleet.totals.pulls)
            await deferLater(self._reactor, QUIET_SECONDS)
            if seen == (fleet.totals.notifies, fleet.totals.pulls):
                return

    async def _show_metrics(self) -> None:
        self._title("What Prometheus sees of it")
        for offset, daemon in enumerate(("sipd", "provisiond", "admin_api")):
            url = f"http://127.0.0.1:{self._options.metrics_port + offset}/metrics"
            try:
                text = (await self._http.get(url)).body.decode("utf-8", "replace")
            except HttpError as error:
                self._say(f"{daemon}: {url}: {error}")
                continue
            self._say(f"{daemon}  {url}")
            lines = [line for line in text.split("\n") if METRICS.fullmatch(line) and not line.endswith(" 0.0")]
            for line in lines[:SHOWN_METRICS]:
                self._say("  " + line)

    async def _stay(self, fleet: Fleet) -> None:
        seconds = self._options.seconds
        self._title("The fleet stays registered", f"for {seconds:g} s" if seconds else "Ctrl-C ends the demo")
        live = sys.stdout.isatty()
        ticker = LoopingCall(lambda: print(f"\r   {fleet.line()} ", end="" if live else "\n", flush=True))
        ticker.clock = self._reactor
        ticker.start(1.0 if live else 10.0)
        try:
            await deferLater(self._reactor, seconds or 10 * 365 * 86_400.0)
        finally:
            ticker.stop()

    def _title(self, text: str, detail: str = "") -> None:
        self._step += 1
        print(f"\n{self._step}. {text}" + (f"  ({detail})" if detail else ""), flush=True)

    def _say(self, text: str) -> None:
        print(f"   {text}", flush=True)


def _remove(data_dir: Path) -> None:
    """Removes the data of an earlier demo, and nothing that is not one: its log is the sign. Raises DemoError."""
    if data_dir.exists() and any(data_dir.iterdir()):
        if not (data_dir / LOG_NAME).is_file():
            raise DemoError(f"{data_dir} is no data directory of a demo: it is left alone, give another --data-dir.")
        shutil.rmtree(data_dir)


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """The caller's environment, with the demo's own data directory and ports."""
    return {
        **os.environ,
        "INTERCOM_DATA_DIR": str(options.data_dir),
        "INTERCOM_ADMIN_API__HTTP": f"127.0.0.1:{options.admin_port}",
        "INTERCOM_PROVISIOND__HTTP": f"127.0.0.1:{options.http_port}",
        "INTERCOM_PROVISIOND__PUBLIC_URL": f"http://127.0.0.1:{options.http_port}",
        "INTERCOM_SIPD__UDP": f"127.0.0.1:{options.sip_port}",
        "INTERCOM_SIPD__DOMAIN": "127.0.0.1",
        "INTERCOM_METRICS__SIPD": f"127.0.0.1:{options.metrics_port}",
        "INTERCOM_METRICS__PROVISIOND": f"127.0.0.1:{options.metrics_port + 1}",
        "INTERCOM_METRICS__ADMIN_API": f"127.0.0.1:{options.metrics_port + 2}",
    }


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description="The suite with 50 devices, live.")
    parser.add_argument("--data-dir", type=Path, default=Path("var/demo"), help="removed at the start (var/demo)")
    parser.add_argument("--keep", action="store_true", help="start on the data of the last demo")
    parser.add_argument("--password", default="", help="the distributor's, needed with --keep")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so long at the end; 0: at Ctrl-C")
    parser.add_argument("--admin-port", type=int, default=8000)
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--sip-port", type=int, default=5060)
    parser.add_argument("--metrics-port", type=int, default=9101, help="the first of three in a row")
    options = parser.parse_args(argv)
    options.data_dir = options.data_dir.absolute()
    return options


async def _run(demo: Demo) -> int:
    """The exit code; everything is stopped by then. Cancelled: Ctrl-C, which is a good end."""
    try:
        await demo.run()
    except CancelledError:
        return 0
    except (DemoError, SuiteError, ApiError, HttpError, OSError) as error:
        print(f"\nThe demo can't go on: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        await demo.stop()
    return 0


def main(argv: Sequence[str]) -> int:
    """Exit code 0 after a whole demo or Ctrl-C, 1 when a step failed."""
    options = _arguments(argv)
    from twisted.internet import reactor as default_reactor

    reactor = cast(NetworkReactor, default_reactor)
    outcome: list[int] = []

    def begin() -> None:
        run = Deferred.fromCoroutine(_run(Demo(reactor, options)))

        def interrupt() -> Deferred[None]:
            run.cancel()
            return ended

        def stop(_: None) -> None:
            with suppress(ReactorNotRunning):  # it is on its way already when Ctrl-C was the reason
                reactor.stop()

        ended = run.addCallbacks(outcome.append, lambda failure: failure.printTraceback()).addCallback(stop)
        reactor.addSystemEventTrigger("before", "shutdown", interrupt)

    reactor.callWhenRunning(begin)
    reactor.run()
    return outcome[0] if outcome else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
