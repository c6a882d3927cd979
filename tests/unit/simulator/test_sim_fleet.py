from __future__ import annotations

import os
import sys
from random import Random

import pytest
import pytest_twisted
from sim_peers import Answer, device_file
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from simulator.__main__ import read_hardware
from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.puller import Hardware


def serve(http, sip, mac):
    http.routes[f"/{mac}.cfg"] = Answer(body=f"Config.Autoprovision.GENERAL.Url = {http.url}/{mac}-t\n".encode())
    http.routes[f"/{mac}-t/{mac}.cfg"] = Answer(body=device_file(sip), etag='"1"')


@pytest_twisted.ensureDeferred
async def test_a_fleet_registers_and_counts(http, sip, quick):
    hardware = [Hardware(f"0C11050000{number:02X}") for number in range(10)]
    for item in hardware:
        serve(http, sip, item.mac)
    fleet = Fleet(reactor, Random(1), http.url, hardware, Faults(), quick, spread_seconds=0.05)
    fleet.start()
    assert await fleet.all_registered(5.0)
    assert fleet.registered == len(sip.bound) == 10
    assert await fleet.wait_until(lambda: fleet.totals.pulls == 10, 5.0)
    assert "registered 10/10  pulls 10  200/304/404 20/0/10" in fleet.line()
    assert len(fleet.totals.register_latency) == 10
    await fleet.stop()
    assert sip.bound == {}
    assert (fleet.registered, fleet.totals.unregisters) == (0, 10)


@pytest_twisted.ensureDeferred
async def test_the_ones_that_never_registered_are_named(http, sip, quick):
    good, bad = Hardware("0C1105000001"), Hardware("0C1105000002")
    serve(http, sip, good.mac)
    fleet = Fleet(reactor, Random(1), http.url, [good, bad], Faults(), quick, spread_seconds=0.0)
    fleet.start()
    assert await fleet.wait_until(lambda: fleet.registered == 1, 5.0)
    assert not await fleet.all_registered(0.1)
    assert fleet.never_registered == {bad.mac}
    await fleet.stop()


@pytest_twisted.ensureDeferred
async def test_a_fleet_that_is_stopped_before_its_start_does_nothing(http, quick):
    fleet = Fleet(reactor, Random(1), http.url, [Hardware("0C1105000001")], Faults(), quick, spread_seconds=9.0)
    fleet.start()
    await fleet.stop()
    assert http.asked == []


def test_list_of_devices():
    lines = ["# boxes\n", "\n", "0c1105000001\n", "0C1105000002 113.30.1.212  # monitor\n", "0C1105000001\n"]
    first, second = read_hardware(lines)
    assert (first.mac, first.common_file) == ("0C1105000001", "r000000000029.cfg")
    assert (second.own_file, second.common_file) == ("0C1105000002.cfg", "r000000000113.cfg")


@pytest.mark.parametrize("lines", [["0C110500000"], ["0C1105000001 29"], [""], ["0C:11:05:00:00:01"]])
def test_a_bad_list_is_refused(lines):
    with pytest.raises(ValueError, match="MAC"):
        read_hardware(lines)


@pytest.mark.parametrize(("fault", "code"), [("lose_response=0", 0), ("wrong_secret=yes", 1), ("nothing=1", 2)])
@pytest_twisted.ensureDeferred
async def test_the_command_tells_by_its_exit_code(http, sip, tmp_path, fault, code):
    mac = "0C1105000001"
    serve(http, sip, mac)
    macs = tmp_path / "macs.txt"
    macs.write_text(f"{mac}\n")
    arguments = ["-m", "simulator", "--bootstrap", http.url, "--macs", str(macs), "--seconds", "0.5", "--spread", "0"]
    out, err, got = await getProcessOutputAndValue(sys.executable, [*arguments, "--fault", fault], env=os.environ)
    assert got == code, err
    if code == 2:
        assert b"There is no fault 'nothing'" in err
    else:
        assert b"pulls 1  200/304/404 2/0/1" in out
        assert (f"never registered: {mac}".encode() in out) == bool(code)
    assert sip.bound == {}
