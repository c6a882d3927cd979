"""sipd over TLS, with real clients on the other side."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from certificates import NAME, Authority
from sipd_world import Program, SipWorld
from stream_phone import NUMBER, SECRET, StreamPhone, half_open
from twisted.internet.ssl import Certificate

from intercom_core.security.certificates import CertificateError

ROOT = Path(__file__).parents[3]
REFUSED = re.compile(r"alert|unsupported protocol|no protocols available|wrong version", re.IGNORECASE)

OPTIONS = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "tls"
    folder.mkdir()
    return Authority(folder)


def tls_port(world: SipWorld) -> int:
    assert world.sipd is not None
    return world.sipd.ports["tls"]


def handshakes(world: SipWorld, outcome: str) -> float:
    return world.metric("intercom_sipd_tls_handshakes_total", outcome=outcome)


async def connected(world: SipWorld, authority: Authority, files: tuple[str, str] | None = None) -> StreamPhone:
    return await StreamPhone(world).connect(tls_port(world), authority.client(files))


def serial(phone: StreamPhone) -> int:
    transport: Any = phone.transport
    found: int = Certificate.peerFromTransport(transport).serialNumber()
    return found


async def s_client(world: SipWorld, *options: str, until: Callable[[], bool] | None = None) -> str:
    """What `openssl s_client` tells of one connection, which lasts until it is verified, or `until` is true."""
    argv = ["/usr/bin/openssl", "s_client", "-connect", f"127.0.0.1:{tls_port(world)}", *options]
    program = Program(world.reactor, argv, world.data_dir)
    enough = until or (lambda: "Verify return code" in program.output)
    await world.until(lambda: enough() or program.ended)
    program.signal("TERM")
    await program.end()
    return program.output


@pytest_twisted.ensureDeferred
async def test_the_whole_way_over_tls(world: SipWorld, authority: Authority) -> None:
    device_id = world.add_device(NUMBER, SECRET)
    await world.start(**authority.settings())
    phone = await connected(world, authority)
    assert await phone.register() == 200
    await world.until_online(NUMBER)
    command = world.queue_check_sync(device_id, NUMBER)
    await world.until(lambda: world.command(command) == ("done", "ok"))
    (notify,) = phone.notified
    assert f"\r\nVia: SIP/2.0/TLS 127.0.0.1:{tls_port(world)};" in notify
    assert f"\r\nContact: <sip:127.0.0.1:{tls_port(world)};transport=tls>\r\n" in notify
    assert (handshakes(world, "ok"), world.metric("intercom_sipd_connections", transport="tls")) == (1, 1)
    await phone.close()
    await world.until_online(NUMBER, online=False)


@pytest.mark.system
@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
@pytest_twisted.ensureDeferred
async def test_sessions_are_resumed(world: SipWorld, authority: Authority, version: str) -> None:
    await world.start(**authority.settings())
    session = world.data_dir / "session"
    saved = lambda: session.exists() and session.stat().st_size > 0  # noqa: E731
    await s_client(world, version, "-sess_out", str(session), until=saved)
    assert "Reused, TLS" in await s_client(world, version, "-sess_in", str(session))


@pytest.mark.system
@pytest_twisted.ensureDeferred
async def test_tls_1_1_is_refused(world: SipWorld, authority: Authority) -> None:
    await world.start(**authority.settings())
    old = await s_client(world, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert REFUSED.search(old), old
    await world.until(lambda: handshakes(world, "failed") == 1)
    assert handshakes(world, "ok") == 0


@pytest.mark.system
@pytest_twisted.ensureDeferred
async def test_names_and_kinds_of_keys(world: SipWorld, authority: Authority) -> None:
    extra = [
        ":".join(authority.issue("rsa", NAME, kind="rsa")),
        ":".join(authority.issue("other", "other.test", "*.other.test")),
    ]
    await world.start(**authority.settings(tls_extra=extra))
    ecdsa, rsa = ("-sigalgs", "ECDSA+SHA256"), ("-sigalgs", "RSA-PSS+SHA256")
    for asked, options, answer in (
        (NAME, ecdsa, "server"),
        (NAME, rsa, "rsa"),
        ("other.test", (), "other"),
        ("A.Other.test", (), "other"),
        ("unknown.test", ecdsa, "server"),
    ):
        told = await s_client(world, "-servername", asked, *options)
        assert re.search(rf"subject=CN ?= ?{answer}\b", told), (asked, told)
    assert re.search(r"subject=CN ?= ?server\b", await s_client(world, "-noservername", *ecdsa))


@pytest_twisted.ensureDeferred
async def test_certificates_are_replaced_without_a_restart(world: SipWorld, authority: Authority) -> None:
    world.add_device(NUMBER, SECRET)
    settings = authority.settings()
    await world.start(**settings)
    assert world.sipd is not None
    old = await connected(world, authority)
    assert await old.register() == 200
    authority.issue("server")
    world.sipd.reload()
    new = await connected(world, authority)
    assert await new.register() == 200
    assert serial(new) != serial(old)
    assert (await old.exchange(OPTIONS)).startswith("SIP/2.0 200")
    Path(str(settings["tls_key"])).write_text("half a file")
    world.sipd.reload()
    newest = await connected(world, authority)
    assert await newest.register() == 200
    assert serial(newest) == serial(new)
    assert world.metric("intercom_sipd_tls_reloads_total", outcome="ok") == 1
    assert world.metric("intercom_sipd_tls_reloads_total", outcome="failed") == 1


@pytest_twisted.ensureDeferred
async def test_a_hangup_reads_certificates_again_and_ends_nothing(world: SipWorld, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    config = world.data_dir / "suite.toml"
    config.write_text(
        f'data_dir = "{world.data_dir}"\n[sipd]\nudp = ""\ntls = "127.0.0.1:0"\ntls_certificate = "{certificate}"\n'
        f'tls_key = "{key}"\n[metrics]\nsipd = ""\n'
    )
    daemon = Program(world.reactor, [sys.executable, "-m", "sipd.main", "--config", str(config)], ROOT)
    await world.until(lambda: "started" in daemon.output)
    daemon.signal("HUP")
    await world.until(lambda: "certificates_reloaded" in daemon.output)
    daemon.signal("TERM")
    assert await daemon.end() == 0, daemon.output


@pytest_twisted.ensureDeferred
async def test_client_certificates_where_they_are_asked_for(world: SipWorld, authority: Authority) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(**authority.settings(tls_client_ca=str(authority.path)))
    stranger = await connected(world, authority)
    await world.until(lambda: stranger.lost)
    await world.until(lambda: handshakes(world, "failed") == 1)
    known = await connected(world, authority, authority.issue("phone"))
    assert await known.register() == 200


@pytest_twisted.ensureDeferred
async def test_plain_sip_on_the_tls_port_is_no_handshake(world: SipWorld, authority: Authority) -> None:
    await world.start(**authority.settings())
    phone = await StreamPhone(world).connect(tls_port(world))
    phone.transport.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
    await world.until(lambda: phone.lost)
    assert handshakes(world, "failed") == 1
    assert world.metric("intercom_sipd_connections_ended_total", transport="tls", reason="handshake") == 1


@pytest_twisted.ensureDeferred
async def test_a_start_with_a_bad_certificate_says_so(world: SipWorld, authority: Authority) -> None:
    settings = authority.settings()
    settings["tls_key"] = authority.issue("another")[1]
    with pytest.raises(CertificateError, match="is not the key of"):
        await world.start(**settings)


def evictions(world: SipWorld) -> float:
    return world.metric("intercom_sipd_connections_ended_total", transport="tls", reason="evicted")


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest_twisted.ensureDeferred
async def test_half_open_handshakes_cost_little_and_leave_room(world: SipWorld, authority: Authority) -> None:
    world.add_device(NUMBER, SECRET)
    await world.start(**authority.settings(max_connections=1_000, max_connections_per_source=900))
    friend = await connected(world, authority)
    assert await friend.register() == 200
    before = _resident_bytes()
    # A record header and the beginning of a ClientHello: the rest never comes.
    hello = bytes.fromhex("16030101fc010001f80303") + bytes(32)
    with ExitStack() as stack:
        for group in range(20):
            for _ in range(100):
                half_open(stack, tls_port(world)).send(hello)
            evicted = (group + 1) * 100 + 1 - 900
            await world.until(lambda evicted=evicted: evictions(world) >= evicted)
            assert world.metric("intercom_sipd_connections", transport="tls") <= 900
        grown = _resident_bytes() - before
        assert grown < 900 * 100_000, grown  # they take about 55 kB each
        assert await friend.register() == 200
        assert await (await connected(world, authority)).register() == 200
