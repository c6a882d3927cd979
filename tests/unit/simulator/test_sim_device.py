"""The life of one device against a scripted HTTP server and a scripted registrar on loopback."""

from __future__ import annotations

from random import Random

import pytest_twisted
from sim_peers import Answer, device_file
from twisted.internet import reactor

from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.puller import Hardware
from simulator.waiting import Timing

MAC = "0C1105000001"
OWN = f"/t0ken/{MAC}.cfg"
COMMON = "/t0ken/r000000000029.cfg"


class Bench:
    """A fleet of one, so that a test can wait for conditions."""

    def __init__(self, http, timing: Timing, faults: Faults | None = None, mac: str = MAC) -> None:
        url_line = f"Config.Autoprovision.GENERAL.Url = {http.url}/t0ken/\n"
        http.routes[f"/{mac}.cfg"] = Answer(body=url_line.encode())
        self.fleet = Fleet(reactor, Random(7), http.url, [Hardware(mac)], faults or Faults(), timing, 0.0)
        self.device = self.fleet.devices[0]
        self.totals = self.fleet.totals

    async def __aenter__(self):
        self.fleet.start()
        return self

    async def __aexit__(self, *exc):
        await self.fleet.stop()

    async def until(self, condition):
        assert await self.fleet.wait_until(condition, 5.0)

    async def registered(self):
        assert await self.fleet.all_registered(5.0)


@pytest_twisted.ensureDeferred
async def test_from_the_box_to_registered_and_off_again(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip, f"Config.Contact.Url = {http.url}/t0ken/contacts.xml"), etag='"1"')
    http.routes[COMMON] = Answer(body=b"Config.Account1.GENERAL.Label = common\n")
    http.routes["/t0ken/contacts.xml"] = Answer(body=b'<Directory><Contact Id="1"/><Contact Id="2"/></Directory>')
    async with Bench(http, quick) as bench:
        await bench.registered()
        await bench.until(lambda: bench.device.pulls == 1)
        assert http.paths() == [f"/{MAC}.cfg", COMMON, OWN, "/t0ken/contacts.xml"]
        assert bench.device.flash.config["Config.Account1.GENERAL.Label"] == "common"
        assert bench.device.flash.contacts == 2
        first, second = sip.registers()
        assert first.headers["call-id"] == second.headers["call-id"]
        assert (first.headers["cseq"], second.headers["cseq"]) == ("1 REGISTER", "2 REGISTER")
        assert second.authorization["algorithm"] == "SHA-256"
        assert len(sip.bound) == 1
        assert http.asked[0].headers["user-agent"].startswith("Akuvox R29 29.30.2.805")
    assert sip.bound == {}
    assert bench.totals.unregisters == 1
    assert bench.totals.errors == {}


@pytest_twisted.ensureDeferred
async def test_a_missing_common_file_does_not_block(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip))
    async with Bench(http, quick) as bench:
        await bench.registered()
        assert bench.totals.http[404] == 1
        assert bench.totals.errors == {}


@pytest_twisted.ensureDeferred
async def test_check_sync_pulls_again_and_304_changes_nothing(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip), etag='"1"')
    async with Bench(http, quick) as bench:
        await bench.registered()
        await bench.until(lambda: bench.device.pulls == 1)
        address = next(iter(sip.bound.values()))
        sip.send("NOTIFY", address, "Event: check-sync;reboot=false")
        await bench.until(lambda: bench.device.pulls == 2)
        await sip.until(lambda: sip.replies)
        assert sip.replies[0].startswith("SIP/2.0 200 OK\r\n")
        assert "branch=z9hG4bKpeer1" in sip.replies[0]
        assert http.asked[-1].headers["if-none-match"] == '"1"'
        assert (bench.totals.http[304], bench.totals.applied) == (1, 1)
        assert len(sip.registers()) == 2, "no new registration"

        sip.send("NOTIFY", address, "Event: check-sync;reboot=false")
        await sip.until(lambda: len(sip.replies) == 2)
        assert sip.replies[1] == sip.replies[0], "a retransmission gets the same answer"
        assert bench.totals.notifies == 1


@pytest_twisted.ensureDeferred
async def test_the_same_md5_is_not_applied_again(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip))
    async with Bench(http, quick) as bench:
        await bench.registered()
        await bench.until(lambda: bench.device.pulls == 1)
        sip.send("NOTIFY", next(iter(sip.bound.values())), "o: check-sync")
        await bench.until(lambda: bench.device.pulls == 2)
        assert (bench.totals.applied, bench.totals.unchanged) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_a_changed_account_is_registered_anew(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip), etag='"1"')
    async with Bench(http, quick) as bench:
        await bench.registered()
        await bench.until(lambda: bench.device.pulls == 1)
        address = next(iter(sip.bound.values()))
        sip.secret = "rotated"
        http.routes[OWN] = Answer(body=device_file(sip), etag='"2"')
        sip.nonce = "n2"
        sip.send("NOTIFY", address, "Event: check-sync")
        await bench.until(lambda: bench.totals.reregisters == 1 and bench.totals.registers == 2)
        assert len(sip.bound) >= 1
        assert bench.fleet.registered == 1


@pytest_twisted.ensureDeferred
async def test_the_secret_url_and_the_port_survive_a_reboot(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip), etag='"1"')
    async with Bench(http, quick) as bench:
        await bench.registered()
        await bench.until(lambda: bench.device.pulls == 1)
        (before,) = sip.bound.values()
        calls = sip.registers()[-1].headers["call-id"]
        sip.send("NOTIFY", before, "Event: check-sync;reboot=true")
        await bench.until(lambda: bench.totals.reboots == 1 and bench.device.pulls == 2)
        await bench.until(lambda: bench.totals.registers == 2)
        assert http.paths().count(f"/{MAC}.cfg") == 1, "the bootstrap file was asked for once"
        assert list(sip.bound.values()) == [before]
        assert sip.registers()[-1].headers["call-id"] != calls
        assert bench.totals.http[304] == 1


@pytest_twisted.ensureDeferred
async def test_the_reboot_fault_reboots_again_and_again(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip), etag='"1"')
    async with Bench(http, quick, Faults(reboot_every_seconds=0.05)) as bench:
        await bench.until(lambda: bench.totals.reboots >= 3 and bench.totals.registers >= 3)
        assert http.paths().count(f"/{MAC}.cfg") == 1


@pytest_twisted.ensureDeferred
async def test_a_bad_server_is_tried_again_until_it_is_well(http, sip, quick):
    """Half a file, an error page, silence: nothing of it is applied, and the device comes back."""
    good = device_file(sip)
    http.routes[OWN] = Answer(body=good[:60], declared=len(good))
    async with Bench(http, quick) as bench:
        await bench.until(lambda: bench.totals.errors["http-truncated"] > 0)
        http.routes[OWN] = Answer(500, b"oops")
        await bench.until(lambda: bench.totals.errors["server-error"] > 0)
        http.routes[OWN] = Answer(raw=b"HTTP/9 what\r\n\r\n")
        await bench.until(lambda: bench.totals.errors["http-malformed"] > 0)
        assert not any(key.startswith("Config.Account1") for key in bench.device.flash.config)
        http.routes[OWN] = Answer(body=good)
        await bench.registered()


@pytest_twisted.ensureDeferred
async def test_refused_three_times_the_device_asks_the_bootstrap_again(http, sip, quick):
    async with Bench(http, quick) as bench:
        await bench.until(lambda: bench.totals.errors["refused"] >= 4)
        moved = f"Config.Autoprovision.GENERAL.Url = {http.url}/moved\n"
        http.routes[f"/{MAC}.cfg"] = Answer(body=moved.encode())
        http.routes[f"/moved/{MAC}.cfg"] = Answer(body=device_file(sip))
        await bench.registered()
        assert 2 <= http.paths().count(f"/{MAC}.cfg") < http.paths().count(OWN)


@pytest_twisted.ensureDeferred
async def test_bootstraps_that_lead_nowhere(http, quick):
    async with Bench(http, quick) as bench:
        http.routes[f"/{MAC}.cfg"] = Answer(body=b"<html>hello</html>")
        await bench.until(lambda: bench.totals.errors["bootstrap-without-url"] > 0)
        long = f"Config.Autoprovision.GENERAL.Url = {http.url}/{'a' * 120}\n"
        http.routes[f"/{MAC}.cfg"] = Answer(body=long.encode())
        await bench.until(lambda: bench.totals.errors["url-too-long"] > 0)
        del http.routes[f"/{MAC}.cfg"]
        await bench.until(lambda: bench.totals.errors["no-bootstrap"] > 0)
        assert OWN not in http.paths()


@pytest_twisted.ensureDeferred
async def test_accounts_that_cannot_be_used_are_named(http, sip, quick):
    http.routes[OWN] = Answer(body=device_file(sip, "Config.Account1.SIP.TransType = 2"))
    async with Bench(http, quick) as bench:
        await bench.until(lambda: bench.totals.errors["transport-unsupported"] > 0)
        http.routes[OWN] = Answer(
            body=device_file(sip, "Config.Account1.SIP.TransType = 0", "Config.Account1.REG.Timeout = 5")
        )
        await bench.until(lambda: bench.totals.errors["account-number-out-of-range"] > 0)
        assert sip.requests == []
