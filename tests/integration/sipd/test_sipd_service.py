"""sipd over its database: accounts, status, commands, restarts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_twisted
from sipd_world import REALM, SipWorld
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from wire_phones import answer_to, nonce_of, register_text

from intercom_core.store import commands
from intercom_core.store.commands import CommandKind

NUMBER, SECRET = "5926100061", "s3cret"


class Device(DatagramProtocol):
    """A device on a socket of its own. Answers every NOTIFY with `notify_status`, or not at all when it is None."""

    def __init__(self, world: SipWorld, number: str = NUMBER, secret: str = SECRET, host: str = "127.0.0.1") -> None:
        self.world = world
        self.host = host
        self.number = number
        self.secret = secret
        self.notified: list[str] = []
        self.notify_status: int | None = 200
        self._cseq = 0
        self._answer: Deferred[str] | None = None
        self._listening: Any = world.reactor.listenUDP(0, self, host)
        world.devices.append(self._listening)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        text = datagram.decode()
        if text.startswith("SIP/2.0"):
            answer, self._answer = self._answer, None
            if answer is not None:
                answer.callback(text)
            return
        self.notified.append(text)
        if self.notify_status is not None:
            self.transport.write(answer_to(text, self.notify_status), addr)

    async def _exchange(self, expires: int, nonce: str) -> str:
        self._cseq += 1
        data = register_text(self.number, self._cseq, REALM, self.secret, nonce, expires)
        self._answer = answer = Deferred()
        answer.addTimeout(5, self.world.reactor)
        self.transport.write(data, (self.host, self.world.port))
        return await answer

    async def register(self, expires: int = 120) -> int:
        """The final status."""
        challenged = await self._exchange(expires, "")
        assert challenged.startswith("SIP/2.0 401")
        return int((await self._exchange(expires, nonce_of(challenged)))[8:11])


@pytest_twisted.ensureDeferred
async def test_an_account_made_while_running_registers_and_a_deleted_one_is_forgotten(world: SipWorld) -> None:
    await world.start()
    assert world.health.ready
    device = Device(world)
    assert await device.register() == 401
    world.add_device(NUMBER, SECRET)
    await world.until(lambda: world.knows(NUMBER))
    assert await device.register() == 200
    await world.until_online(NUMBER)
    world.delete_device(NUMBER)
    await world.until(lambda: world.status(NUMBER) is None)
    assert world.metric("intercom_sipd_bindings") == 0
    assert await device.register() == 401


@pytest_twisted.ensureDeferred
async def test_a_deactivated_account_is_offline_and_refused_with_403(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start()
    device = Device(world)
    assert await device.register() == 200
    await world.until_online(NUMBER)
    world.deactivate(NUMBER)
    await world.until_online(NUMBER, online=False)
    assert await device.register() == 403


@pytest_twisted.ensureDeferred
async def test_whoever_gets_a_number_never_inherits_its_bindings(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start()
    device = Device(world)
    assert await device.register() == 200
    world.hand_over(NUMBER, "another")
    await world.until(lambda: world.metric("intercom_sipd_bindings") == 0)
    assert await device.register() == 401
    device.secret = "another"
    assert await device.register() == 200
    assert world.metric("intercom_sipd_bindings") == 1


@pytest_twisted.ensureDeferred
async def test_a_number_handed_over_while_sipd_was_away_has_no_bindings(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    world.add_device("5926100062", SECRET)
    await world.start()
    assert await Device(world).register() == 200
    assert await Device(world, "5926100062").register() == 200
    await world.stop()
    world.hand_over(NUMBER, "another")
    world.deactivate("5926100062")
    await world.start()
    assert world.metric("intercom_sipd_bindings") == 0


@pytest_twisted.ensureDeferred
async def test_check_sync_reaches_only_its_device(world: SipWorld) -> None:
    devices = {number: world.add_device(number, SECRET) for number in (NUMBER, "5926100062")}
    await world.start()
    told, other = Device(world), Device(world, "5926100062")
    assert (await told.register(), await other.register()) == (200, 200)
    command = world.queue_check_sync(devices[NUMBER], NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))
    (notify,) = told.notified
    assert "Event: check-sync;reboot=false\r\n" in notify
    assert "Subscription-State: terminated\r\n" in notify
    assert notify.startswith(f"NOTIFY sip:{NUMBER}@192.0.2.99:5060 SIP/2.0\r\n")
    assert other.notified == []


@pytest_twisted.ensureDeferred
async def test_commands_that_fail_say_why(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start()
    offline = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(offline) == ("failed", "offline"))
    device = Device(world)
    await device.register()
    device.notify_status = 481
    refused = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(refused) == ("failed", "481"))
    assert world.metric("intercom_sipd_notify_total", result="refused") == 1


@pytest_twisted.ensureDeferred
async def test_many_commands_are_all_done(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start()
    device = Device(world)
    await device.register()
    queued = [world.queue_check_sync(device_id, NUMBER) for _ in range(30)]
    await world.until(lambda: all(world.command(command) == ("done", "ok") for command in queued))
    assert len(set(device.notified)) == 30


@pytest_twisted.ensureDeferred
async def test_a_command_left_running_by_a_dead_process_is_done_after_the_start(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    command = world.queue_check_sync(device_id, NUMBER)
    with world.store.write() as session:
        assert commands.claim(session, [CommandKind.CHECK_SYNC], datetime.now(UTC), 10)
    await world.start()
    await world.until(lambda: world.command(command) == ("failed", "offline"))


@pytest_twisted.ensureDeferred
async def test_a_restart_keeps_bindings_and_their_flows(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start()
    port = world.port
    device = Device(world)
    await device.register()
    before = await world.until_online(NUMBER)
    await world.stop()
    command = world.queue_check_sync(device_id, NUMBER)
    await world.start(f"127.0.0.1:{port}")
    await world.until(lambda: world.command(command) == ("done", "ok"))
    assert len(device.notified) == 1
    after = await world.until_online(NUMBER)
    assert (after.address, after.last_seen) == (before.address, before.last_seen)
    assert world.registration_changes() == 1


@pytest_twisted.ensureDeferred
async def test_a_status_that_is_wrong_at_start_is_put_right(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    world.pretend_online(NUMBER)
    await world.start()
    await world.until_online(NUMBER, online=False)
    assert world.registration_changes() == 1


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_is_said_so(world: SipWorld) -> None:
    await world.start()
    second = SipWorld(world.store, world.data_dir, world.reactor)
    with pytest.raises(CannotListenError):
        await second.start(f"127.0.0.1:{world.port}")
    await second.stop()


@pytest_twisted.ensureDeferred
async def test_ipv6(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start("[::1]:0")
    device = Device(world, host="::1")
    assert await device.register() == 200
    row = await world.until_online(NUMBER)
    assert row.address.startswith("[::1]:")
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))


@pytest_twisted.ensureDeferred
async def test_removal_and_expiry_turn_a_number_offline(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(min_expires_seconds=1, default_expires_seconds=30)
    device = Device(world)
    assert await device.register(expires=1) == 200
    await world.until_online(NUMBER)
    await world.until_online(NUMBER, online=False)
    assert await device.register() == 200
    await world.until_online(NUMBER)
    assert await device.register(expires=0) == 200
    await world.until_online(NUMBER, online=False)
    assert world.registration_changes() == 4


@pytest_twisted.ensureDeferred
async def test_in_memory_mode_nothing_survives_and_the_status_says_so(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(durability="memory")
    assert await Device(world).register() == 200
    await world.until_online(NUMBER)
    await world.stop()
    assert not (world.data_dir / "sipd").exists()
    await world.start(durability="memory")
    await world.until_online(NUMBER, online=False)


@pytest.mark.postgres
@pytest_twisted.ensureDeferred
async def test_the_whole_way_on_postgresql(postgres_world: SipWorld) -> None:
    world = postgres_world
    await world.start()
    device_id = world.add_device(NUMBER, SECRET)
    await world.until(lambda: world.knows(NUMBER))
    device = Device(world)
    assert await device.register() == 200
    await world.until_online(NUMBER)
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))
    assert await device.register(expires=0) == 200
    await world.until_online(NUMBER, online=False)
    assert world.registration_changes() == 2
