"""Real clients register, are seen, and are told to pull."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import pytest_twisted
from certificates import Authority
from free_ports import free_port
from sipd_world import Program, SipWorld

SCENARIOS = Path(__file__).parent / "scenarios"
NUMBER, SECRET = "5926100061", "s3cret"
# Not reachable: what is sent to the device must go where its REGISTER came from.
CONTACT = f"<sip:{NUMBER}@192.0.2.99:5060>"

pytestmark = pytest.mark.system


def sipp(world: SipWorld, scenario: str, local_port: int, *options: str, port: int = 0) -> Program:
    """SIPp with one call of a scenario; it exits 0 when every message came as expected."""
    users = world.data_dir / "users.csv"
    users.write_text(f"SEQUENTIAL\n{NUMBER};[authentication username={NUMBER} password={SECRET}]\n")
    argv = [
        *("/usr/bin/sipp", f"127.0.0.1:{port or world.port}", "-sf", str(SCENARIOS / scenario), "-inf", str(users)),
        *(
            "-i",
            "127.0.0.1",
            "-p",
            str(local_port),
            "-m",
            "1",
            "-nostdin",
            "-timeout",
            "15",
            "-timeout_error",
            *options,
        ),
    ]
    return Program(world.reactor, argv, world.data_dir)


async def register(world: SipWorld, local_port: int, contact: str = CONTACT, expires: int = 120) -> None:
    program = sipp(world, "register.xml", local_port, "-key", "contact", contact, "-key", "expires", str(expires))
    assert await program.end() == 0, program.output


@pytest_twisted.ensureDeferred
async def test_sipp_registers_is_online_leaves_and_is_offline(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start()
    port = free_port(socket.SOCK_DGRAM)
    await register(world, port)
    row = await world.until_online(NUMBER)
    assert (row.address, row.user_agent) == (f"127.0.0.1:{port}", "SIPp")
    assert row.expires_at is not None
    await register(world, port, contact="*", expires=0)
    row = await world.until_online(NUMBER, online=False)
    assert row.expires_at is None
    assert world.registration_changes() == 2
    assert world.metric("intercom_sipd_requests_total", method="REGISTER", code="2xx") == 2
    assert world.metric("intercom_sipd_requests_total", method="REGISTER", code="4xx") == 2


@pytest_twisted.ensureDeferred
async def test_sipp_is_notified_over_its_flow(world: SipWorld) -> None:
    device = world.add_device(NUMBER, SECRET)
    await world.start()
    port = free_port(socket.SOCK_DGRAM)
    await register(world, port)
    phone = sipp(world, "answer_notify.xml", port)
    await world.until(lambda: not _is_free(port))
    command = world.queue_check_sync(device, NUMBER)
    assert await phone.end() == 0, phone.output
    await world.until(lambda: world.command(command) == ("done", "ok"))
    assert world.metric("intercom_sipd_notify_total", result="ok") == 1


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest_twisted.ensureDeferred
async def test_sipp_registers_over_tcp_for_as_long_as_its_connection_lasts(world: SipWorld) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(tcp="127.0.0.1:0")
    assert world.sipd is not None
    options = ("-t", "t1", "-key", "contact", CONTACT, "-key", "expires", "120")
    program = sipp(world, "register.xml", free_port(), *options, port=world.sipd.ports["tcp"])
    assert await program.end() == 0, program.output
    await world.until(lambda: world.metric("intercom_sipd_connections_ended_total", transport="tcp", reason="closed"))
    assert world.metric("intercom_sipd_requests_total", method="REGISTER", code="2xx") == 1
    assert world.metric("intercom_sipd_bindings") == 0


async def baresip(world: SipWorld, transport: str, port: int, *settings: str) -> None:
    """baresip registers over `transport`, gets a NOTIFY, and is offline when it has ended."""
    device = world.add_device(NUMBER, SECRET)
    await world.until(lambda: world.knows(NUMBER))
    folder = world.data_dir / "baresip"
    folder.mkdir()
    modules = "/usr/lib/baresip/modules"
    lines = [f"sip_listen 127.0.0.1:{free_port(socket.SOCK_DGRAM)}", f"module_path {modules}", *settings]
    (folder / "config").write_text("\n".join([*lines, "module_tmp account.so", "module_app menu.so", ""]))
    (folder / "accounts").write_text(
        f"<sip:{NUMBER}@127.0.0.1:{port};transport={transport}>;auth_user={NUMBER};auth_pass={SECRET};regint=60\n"
    )
    (folder / "contacts").write_text("")
    program = Program(world.reactor, ["/usr/bin/baresip", "-4", "-f", str(folder)], folder)
    try:
        row = await world.until_online(NUMBER)
        assert "baresip" in row.user_agent, program.output
        command = world.queue_check_sync(device, NUMBER)
        # It got there; baresip does not know the event.
        await world.until(lambda: world.command(command) == ("failed", "481"))
    finally:
        program.signal("INT")
        await program.end()
    await world.until_online(NUMBER, online=False)


@pytest_twisted.ensureDeferred
async def test_baresip_over_udp(world: SipWorld) -> None:
    await world.start()
    await baresip(world, "udp", world.port)


@pytest_twisted.ensureDeferred
async def test_baresip_over_tcp(world: SipWorld) -> None:
    await world.start(tcp="127.0.0.1:0")
    assert world.sipd is not None
    await baresip(world, "tcp", world.sipd.ports["tcp"])
    assert world.metric("intercom_sipd_requests_total", method="REGISTER", code="2xx") >= 1
    assert world.metric("intercom_sipd_connections_ended_total", transport="tcp", reason="closed") >= 1


@pytest_twisted.ensureDeferred
async def test_baresip_over_tls(world: SipWorld) -> None:
    authority = Authority(world.data_dir)
    await world.start(**authority.settings())
    assert world.sipd is not None
    # Its certificate is that of a name, and the phone knows an address only.
    settings = (f"sip_cafile {authority.path}", "sip_verify_server no")
    await baresip(world, "tls", world.sipd.ports["tls"], *settings)
    assert world.metric("intercom_sipd_tls_handshakes_total", outcome="ok") >= 1
