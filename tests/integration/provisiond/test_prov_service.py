"""The daemon as it is wired: real sockets, real change log, real follower."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry
from prov_world import Rows
from twisted.internet import reactor as _reactor
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from intercom_core.config.settings import Settings
from intercom_core.runtime.pool import WorkPool
from intercom_core.runtime.role import RoleContext
from intercom_core.security.keys import KeyName, create_missing_keys, load_box
from intercom_core.store.engine import Store
from intercom_core.telemetry.health import Health
from provisiond.service import ProvisiondService, build, http_limits

reactor: Any = _reactor


class Daemon:
    """One run of provisiond on a store."""

    def __init__(self, store: Store, pool: WorkPool, data_dir: Path, port: int = 0) -> None:
        settings = Settings.model_validate(
            {
                "data_dir": data_dir,
                "sipd": {"domain": "sip.example"},
                "provisiond": {"http": f"127.0.0.1:{port}", "public_url": "http://provision.example"},
            }
        )
        self.registry = CollectorRegistry()
        self.health = Health()
        context = RoleContext(reactor, settings, store, pool, self.registry, self.health)
        self.service: ProvisiondService = build(context)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"intercom_provisiond_{name}", labels) or 0.0

    async def get(self, path: str, *headers: str) -> tuple[int, bytes]:
        return await deferToThread(fetch, self.service.http_port, path, *headers)


def fetch(port: int, path: str, *headers: str) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
        client.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def until(condition: Callable[[], bool]) -> None:
    """Returns when `condition` holds; fails after 10 s."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        await deferLater(reactor, 0.005)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    create_missing_keys(tmp_path)
    return tmp_path


@pytest.fixture
def rows(sqlite_store: Store, data_dir: Path) -> Rows:
    return Rows(sqlite_store, load_box(data_dir, KeyName.PROVISIONING))


@pytest_twisted.ensureDeferred
async def test_from_the_box_to_an_edit_that_reaches_the_device(rows: Rows, pool: WorkPool, data_dir: Path) -> None:
    project = rows.project()
    building = rows.building(project)
    rows.apartment(project, building)
    door = rows.device(project, 0, building_id=building, relays=("Front", "Garage"))
    mac, token = rows.mac(door), Rows.token(rows.mac(door))
    daemon = Daemon(rows.store, pool, data_dir)
    assert daemon.health.report()["parts"] == {"files": False}
    await daemon.service.start()
    try:
        assert daemon.health.report()["parts"] == {"files": True}
        status, bootstrap = await daemon.get(f"/{mac.lower()}.cfg")
        assert (status, f"http://provision.example/d/{token}/".encode() in bootstrap) == (200, True)
        assert rows.audit() == [("bootstrap_claimed", "127.0.0.1")]
        for name in (f"{mac}.cfg", "r000000000029.cfg", "contacts.xml"):
            assert (await daemon.get(f"/d/{token}/{name}"))[0] == 200
        await until(lambda: rows.config(door)[2] != "")
        rows.rename_relay(door, "Porch")
        await until(lambda: rows.commands() == [door])
        body = (await daemon.get(f"/d/{token}/{mac}.cfg"))[1]
        assert b"Config.DoorSetting.RELAY.NameA = Porch\n" in body
        await until(lambda: rows.config(door)[2] == rows.config(door)[0])
        assert daemon.metric("devices") == 1
        assert daemon.metric("commands_enqueued_total") == 1
        assert daemon.metric("config_requests_total", kind="device", outcome="ok") == 2
        assert daemon.metric("claims_total", verdict="grant") == 1
    finally:
        await daemon.service.stop()
    assert daemon.health.report()["parts"] == {"files": False}


@pytest_twisted.ensureDeferred
async def test_what_was_served_last_is_recorded_before_the_daemon_ends(
    rows: Rows, pool: WorkPool, data_dir: Path
) -> None:
    door = rows.device(rows.project(), 0)
    daemon = Daemon(rows.store, pool, data_dir)
    await daemon.service.start()
    await daemon.get(f"/d/{Rows.token(rows.mac(door))}/{rows.mac(door)}.cfg")
    await daemon.service.stop()
    desired, _, served = rows.config(door)
    assert served == desired != ""


@pytest_twisted.ensureDeferred
async def test_a_second_taker_is_refused_and_raises_an_alarm(rows: Rows, pool: WorkPool, data_dir: Path) -> None:
    door = rows.device(rows.project(), 0)
    daemon = Daemon(rows.store, pool, data_dir)
    await daemon.service.start()
    try:
        rows.change_device(door, claimed_at=datetime.now(UTC), claimed_from="10.0.0.9")
        nothing = await daemon.get("/nothing")
        assert await daemon.get(f"/{rows.mac(door)}.cfg") == nothing
        await until(lambda: rows.audit() == [("clone_alarm", "127.0.0.1")])
        assert daemon.metric("clone_alarms_total") == 1
        assert daemon.metric("config_refusals_total", reason="claim_taken") == 1
    finally:
        await daemon.service.stop()


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_is_told_and_leaves_nothing_running(rows: Rows, pool: WorkPool, data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = Daemon(rows.store, pool, data_dir, taken.getsockname()[1])
        with pytest.raises(CannotListenError):
            await daemon.service.start()


def test_connections_never_use_up_the_open_files_of_the_process() -> None:
    assert [http_limits(files).connections for files in (64, 1024, 1_048_576)] == [16, 768, 4096]
