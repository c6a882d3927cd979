"""How long an installer's edit takes to reach a door: from the PATCH until the door, told by NOTIFY, has pulled.

The suite runs with the sample community of `make demo` (50 simulated devices, all registered). Prints percentiles and
their ratio to the limit of 300 ms for the NOTIFY alone. Client, devices and suite share the machine.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.http_client import HttpClient
from simulator.rest_client import RestClient
from simulator.sample_community import create_sample, relays
from simulator.suite_process import SuiteProcess
from simulator.totals import Latencies
from simulator.waiting import Timing

EDITS = 100
LIMIT_MS = 300.0
PLACES = {
    "the door of a building, on the screens of its 23 monitors": "North Tower Lobby",
    "a door phone that no screen shows": "Main Gate",
}


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _measure(reactor: Any, folder: Path) -> None:
    api, files = _free_port(), _free_port()
    suite = SuiteProcess(reactor, [sys.executable, "-m", "intercom_core.suite", "run"], folder / "suite.log")
    environment = os.environ | {
        "INTERCOM_DATA_DIR": str(folder / "data"),
        "INTERCOM_ADMIN_API__HTTP": f"127.0.0.1:{api}",
        "INTERCOM_PROVISIOND__HTTP": f"127.0.0.1:{files}",
        "INTERCOM_SIPD__UDP": f"127.0.0.1:{_free_port(socket.SOCK_DGRAM)}",
        "INTERCOM_SIPD__DOMAIN": "127.0.0.1",
        **{f"INTERCOM_METRICS__{role}": "" for role in ("SIPD", "PROVISIOND", "ADMIN_API")},
    }
    await suite.start(reactor, environment, 60)
    try:
        anonymous = RestClient(HttpClient(reactor, "bench", 30), f"http://127.0.0.1:{api}/api/v1")
        distributor = await anonymous.login("distributor", suite.greeting["distributor password"])
        await distributor.post("/installers", login="bench", password="bench-password", name="Bench")
        installer = await anonymous.login("bench", "bench-password")
        sample = await create_sample(installer)
        fleet = Fleet(reactor, Random(1), f"http://127.0.0.1:{files}", sample.hardware, Faults(), Timing(), 2.0)
        fleet.start()
        if not await fleet.all_registered(60):
            raise SystemExit(f"not all devices registered: {fleet.line()}")
        for title, place in PLACES.items():
            door = sample.doors[place]
            await _edits(reactor, installer, fleet, door, title)
        await fleet.stop()
    finally:
        await suite.stop()


async def _edits(reactor: Any, installer: RestClient, fleet: Fleet, door: dict[str, Any], title: str) -> None:
    device = next(each for each in fleet.devices if each.hardware.mac == door["mac"])
    seen, told = Latencies(), 0
    for number in range(EDITS):
        pulls, before = device.pulls, sum(each.notifies for each in fleet.devices)
        began = reactor.seconds()
        answer = Deferred.fromCoroutine(
            installer.patch(f"/devices/{door['id']}", relays=relays(f"Door {number}", "Barrier"))
        )
        pulled = await fleet.wait_until(lambda p=pulls: device.pulls > p, 10)  # type: ignore[misc]
        seen.add(reactor.seconds() - began)
        await answer
        if not pulled:
            raise SystemExit(f"edit {number} did not arrive")
        told += sum(each.notifies for each in fleet.devices) - before
    p50, p99 = seen.percentile(50) * 1000, seen.percentile(99) * 1000
    print(f"{title}: {EDITS} edits, about {told / EDITS:.0f} devices told each")
    print(f"  PATCH sent to new file applied: p50 {p50:.0f} ms ({p50 / LIMIT_MS:.2f} of the limit)")
    print(f"                                  p99 {p99:.0f} ms ({p99 / LIMIT_MS:.2f} of the limit)")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            react(lambda reactor: Deferred.fromCoroutine(_measure(reactor, Path(folder))))
        except SystemExit as end:
            if end.code:
                raise


if __name__ == "__main__":
    main()
