"""Registration against a scripted registrar; the device is the one of a whole life, fed with the right file."""

from __future__ import annotations

from random import Random

import pytest
import pytest_twisted
from twisted.internet import reactor

from simulator.account import Account
from simulator.faults import Faults
from simulator.sip_client import SipClient
from simulator.totals import Totals


class Listener:
    """Writes down what the client tells."""

    def __init__(self, watch):
        self.watch = watch
        self.told: list[str] = []

    def registered(self):
        self._note("registered")

    def registration_failed(self, code):
        self._note(code)

    def check_sync(self, *, reboot):
        self._note(f"check-sync {reboot}")

    def _note(self, text):
        self.told.append(text)
        self.watch.look()


class Bench:
    def __init__(self, sip, timing, faults=None, **account):
        values = {"user": sip.user, "auth_user": sip.user, "secret": sip.secret, "server": "here", "host": "127.0.0.1"}
        values |= {"port": sip.port, "expires_seconds": 300, "keepalive_seconds": 0, **account}
        self.sip, self.totals, self.listener = sip, Totals(), Listener(sip)
        self.client = SipClient(
            reactor, Random(3), Account(**values), "Box", self.listener, self.totals, faults or Faults(), timing
        )

    async def __aenter__(self):
        self.client.start()
        return self

    async def __aexit__(self, *exc):
        await self.client.stop()

    async def told(self, text):
        await self.sip.until(lambda: text in self.listener.told)


@pytest_twisted.ensureDeferred
async def test_md5_without_qop_still_works(sip, quick):
    sip.algorithms, sip.qop = ["MD5"], ""
    async with Bench(sip, quick) as bench:
        await bench.told("registered")
        assert "qop" not in sip.registers()[-1].authorization


@pytest_twisted.ensureDeferred
async def test_a_refresh_counts_on_and_keeps_call_id_and_contact(sip, quick):
    sip.granted = 1
    async with Bench(sip, quick) as bench:
        await sip.until(lambda: len(sip.registers()) == 3)
        first, second, third = sip.registers()
        assert third.authorization["nonce"] == second.authorization["nonce"]
        assert (second.authorization["nc"], third.authorization["nc"]) == ("00000001", "00000002")
        assert len({seen.headers["call-id"] for seen in (first, second, third)}) == 1
        assert third.headers["cseq"] == "3 REGISTER"
        assert second.headers["contact"] == third.headers["contact"]
        await sip.until(lambda: bench.totals.registers == 2)


@pytest_twisted.ensureDeferred
async def test_a_stale_nonce_is_answered_once_more(sip, quick):
    sip.granted = 1
    async with Bench(sip, quick) as bench:
        await bench.told("registered")
        sip.stale_nonces, sip.nonce = {"n1"}, "n2"
        await sip.until(lambda: bench.totals.registers == 2)
        assert sip.registers()[-1].authorization["nonce"] == "n2"
        assert sip.registers()[-1].authorization["nc"] == "00000001"
        assert bench.totals.errors == {}


@pytest_twisted.ensureDeferred
async def test_always_stale_ends_in_an_error_not_in_a_circle(sip, quick):
    sip.stale_nonces, sip.secret = {"n1"}, "other"
    async with Bench(sip, quick, secret="s3cret") as bench:
        await bench.told("challenge-loop")
        assert len(sip.registers()) >= 5


@pytest_twisted.ensureDeferred
async def test_a_wrong_secret_is_refused_after_one_answer_and_tried_later(sip, quick):
    async with Bench(sip, quick, Faults(wrong_secret=True)) as bench:
        await bench.told("refused")
        assert len(sip.registers()) == 2
        await sip.until(lambda: len(sip.registers()) == 4)
        assert sip.bound == {}


@pytest_twisted.ensureDeferred
async def test_lost_packets_are_sent_again_unchanged(sip, quick):
    sip.deaf = 2
    async with Bench(sip, quick) as bench:
        await bench.told("registered")
        texts = [seen.text for seen in sip.registers()]
        assert texts[0] == texts[1] == texts[2]


@pytest_twisted.ensureDeferred
async def test_lost_answers_only_delay(sip, quick):
    async with Bench(sip, quick, Faults(lose_response=0.5)) as bench:
        await bench.told("registered")
        assert len(sip.bound) == 1


@pytest_twisted.ensureDeferred
async def test_too_brief_an_interval_is_raised(sip, quick):
    sip.min_expires = 600
    async with Bench(sip, quick) as bench:
        await bench.told("registered")
        assert sip.registers()[-1].headers["expires"] == "600"


@pytest.mark.parametrize("status", [403, 500, 302])
@pytest_twisted.ensureDeferred
async def test_other_answers_are_errors_and_the_client_comes_back(sip, quick, status):
    sip.status = status
    async with Bench(sip, quick) as bench:
        await bench.told(str(status))
        sip.status = None
        await bench.told("registered")


@pytest_twisted.ensureDeferred
async def test_challenges_that_cannot_be_answered(sip, quick):
    sip.algorithms = ["SHA-512-256"]
    async with Bench(sip, quick) as bench:
        await bench.told("challenge-unknown")


@pytest_twisted.ensureDeferred
async def test_requests_of_the_server(sip, quick):
    async with Bench(sip, quick, Faults()) as bench:
        await bench.told("registered")
        (address,) = sip.bound.values()
        sip.send("OPTIONS", address, branch="z9hG4bK1")
        sip.send("NOTIFY", address, "Event: message-summary", branch="z9hG4bK2")
        sip.send("INVITE", address, branch="z9hG4bK3")
        sip.send("ACK", address, branch="z9hG4bK3")
        sip.send("NOTIFY", address, "Event: check-sync;reboot=true", branch="z9hG4bK4")
        sip.transport.write(b"\r\n\r\n", address)
        sip.transport.write(b"nonsense", address)
        await sip.until(lambda: len(sip.replies) == 4)
        assert [int(reply.split()[1]) for reply in sip.replies] == [200, 489, 405, 200]
        assert "\r\nAllow: OPTIONS, NOTIFY\r\n" in sip.replies[2]
        await bench.told("check-sync True")
    assert bench.totals.errors == {"sip-malformed": 1}


@pytest_twisted.ensureDeferred
async def test_a_dropped_notify_is_neither_answered_nor_obeyed(sip, quick):
    async with Bench(sip, quick, Faults(drop_notify=1.0)) as bench:
        await bench.told("registered")
        (address,) = sip.bound.values()
        sip.send("NOTIFY", address, "Event: check-sync", branch="z9hG4bK1")
        sip.send("OPTIONS", address, branch="z9hG4bK2")
        await sip.until(lambda: sip.replies)
        assert "z9hG4bK2" in sip.replies[0]
        assert bench.totals.notifies_dropped == 1
        assert bench.listener.told == ["registered"]


@pytest_twisted.ensureDeferred
async def test_stop_without_a_server_ends_in_time(sip, quick):
    async with Bench(sip, quick) as bench:
        await bench.told("registered")
        sip.deaf = 1_000
    assert bench.totals.unregisters == 0
    assert bench.totals.errors == {"sip-not-unregistered": 1}


@pytest_twisted.ensureDeferred
async def test_after_a_power_cut_the_binding_stays_and_the_port_is_told(sip, quick):
    bench = Bench(sip, quick)
    bench.client.start()
    await bench.told("registered")
    port = await bench.client.stop(unregister=False)
    assert [address[1] for address in sip.bound.values()] == [port]
