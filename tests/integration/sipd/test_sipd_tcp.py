"""sipd over TCP: bindings live and die with their connection; floods stay within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import pytest_twisted
from sipd_world import SipWorld
from stream_phone import NUMBER, SECRET, StreamPhone, half_open

TCP = {"tcp": "127.0.0.1:0"}


def tcp_port(world: SipWorld) -> int:
    assert world.sipd is not None
    return world.sipd.ports["tcp"]


async def connected(world: SipWorld) -> StreamPhone:
    return await StreamPhone(world).connect(tcp_port(world))


@pytest_twisted.ensureDeferred
async def test_a_phone_registers_is_notified_over_its_connection_and_is_offline_when_that_ends(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start(**TCP)
    phone = await connected(world)
    assert await phone.register() == 200
    row = await world.until_online(NUMBER)
    assert row.address == f"127.0.0.1:{phone.transport.getHost().port}"
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))
    (notify,) = phone.notified
    assert f"\r\nVia: SIP/2.0/TCP 127.0.0.1:{tcp_port(world)};" in notify
    assert f"\r\nContact: <sip:127.0.0.1:{tcp_port(world)};transport=tcp>\r\n" in notify
    assert world.metric("intercom_sipd_connections", transport="tcp") == 1
    await phone.close()
    await world.until_online(NUMBER, online=False)
    assert world.metric("intercom_sipd_bindings") == 0
    late = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(late) == ("failed", "offline"))
    assert world.health.ready


@pytest_twisted.ensureDeferred
async def test_a_new_connection_takes_over_before_the_old_one_is_lost(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start(**TCP)
    old, new = await connected(world), await connected(world)
    assert (await old.register(), await new.register()) == (200, 200)
    await old.close()
    await world.until(lambda: world.metric("intercom_sipd_connections", transport="tcp") == 1)
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))
    assert (len(old.notified), len(new.notified)) == (0, 1)
    row = await world.until_online(NUMBER)
    assert row.address == f"127.0.0.1:{new.transport.getHost().port}"


@pytest_twisted.ensureDeferred
async def test_a_connection_lost_under_a_notify_ends_it_at_once(world: SipWorld) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start(**TCP)
    phone = await connected(world)
    phone.notify_status = None
    assert await phone.register() == 200
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: phone.notified)
    await phone.close()
    await world.until(lambda: world.command(command) == ("failed", "transport"))


@pytest_twisted.ensureDeferred
async def test_after_a_restart_nobody_is_bound_to_a_connection_of_before(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(**TCP)
    phone = await connected(world)
    assert await phone.register() == 200
    await world.until_online(NUMBER)
    await world.stop()
    await world.until(lambda: phone.lost)
    await world.start(**TCP)
    assert world.metric("intercom_sipd_bindings") == 0
    await world.until_online(NUMBER, online=False)
    assert await (await connected(world)).register() == 200
    await world.until_online(NUMBER)


@pytest_twisted.ensureDeferred
async def test_a_giant_message_is_refused_before_it_comes(world: SipWorld) -> None:
    await world.start(**TCP)
    phone = await connected(world)
    head = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\n"
    rest = "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 2000000000\r\n\r\n"
    assert (await phone.exchange((head + rest).encode())).startswith("SIP/2.0 400")
    await world.until(lambda: phone.lost)
    assert world.metric("intercom_sipd_connections_ended_total", transport="tcp", reason="malformed") == 1


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest_twisted.ensureDeferred
async def test_two_thousand_half_open_connections_leave_room_for_a_phone(world: SipWorld, sockets: ExitStack) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(max_connections=300, max_connections_per_source=200, **TCP)
    friend = await connected(world)
    assert await friend.register() == 200
    for group in range(20):
        for _ in range(100):
            half_open(sockets, tcp_port(world))
        ended = (group + 1) * 100 + 1 - 200
        await world.until(
            lambda ended=ended: (
                world.metric("intercom_sipd_connections_ended_total", transport="tcp", reason="evicted") >= ended
            )
        )
        assert world.metric("intercom_sipd_connections", transport="tcp") <= 200
    assert not friend.lost
    assert await friend.register() == 200
    assert await (await connected(world)).register() == 200
