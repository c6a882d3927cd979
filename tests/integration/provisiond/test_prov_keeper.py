"""The shelf follows a real database. The change log is read by hand, so that each test knows when all is handled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry, Counter
from prov_world import Rows
from sqlalchemy import update
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from intercom_core.changes.log import Action, ChangeReader, Entity, record
from intercom_core.changes.waker import open_waker
from intercom_core.runtime.pool import WorkPool
from intercom_core.store.schema import Project, SipAccount, now_utc
from provisiond.autop.answers import Delivery
from provisiond.autop.shelf import Entry, Shelf
from provisiond.sync import keeper
from provisiond.sync.deliveries import FLUSH_SECONDS, RETRY_SECONDS, Deliveries
from provisiond.sync.keeper import Keeper, Metrics
from tests.unit.provisiond.samples import SERVER, renderer

DOOR, MONITOR, GUARD = 0, 2, 3


class Daemon:
    """A keeper with its shelf, as after a start of the process."""

    def __init__(self, rows: Rows, pool: WorkPool) -> None:
        self.rows = rows
        self.shelf = Shelf()
        self.clock = Clock()
        self.registry = CollectorRegistry()
        metrics = Metrics.on(self.registry)
        self.reader = ChangeReader(rows.store)
        self.keeper = Keeper(
            reactor,
            rows.store,
            pool,
            pool,
            open_waker(reactor, rows.store),
            rows.box,
            renderer(),
            SERVER,
            self.shelf,
            metrics,
        )
        self._pool = pool
        self.deliveries = self._new_deliveries()

    def _new_deliveries(self) -> Deliveries:
        told = Counter("told", "Told after a delivery", registry=None)
        return Deliveries(self.clock, self.rows.store, self._pool, self.shelf, now_utc, told)

    async def start(self) -> Daemon:
        self.cursor = self.reader.head()
        await self.keeper.load()
        return self

    async def catch_up(self) -> None:
        changes, self.cursor = self.reader.read(self.cursor)
        await self.keeper.handle(changes)

    async def pulled(self, *device_ids: int) -> None:
        """The devices have fetched what is served now, and it is recorded."""
        for device_id in device_ids:
            self.deliveries.note(Delivery(device_id, self.entry(device_id).files.digest))
        await self.deliveries.stop()
        self.deliveries = self._new_deliveries()

    def entry(self, device_id: int) -> Entry:
        found = self.shelf.by_id(device_id)
        assert found is not None
        return found

    def text(self, device_id: int) -> str:
        return self.entry(device_id).files.device.body.decode()


class House:
    """A community with two buildings, each with a door, an apartment and a monitor, the first with a guard phone; and a
    neighbour community."""

    def __init__(self, rows: Rows) -> None:
        self.project = rows.project()
        self.neighbour = rows.device(rows.project(), DOOR, relays=("Their door",))
        self.doors: list[int] = []
        self.monitors: list[int] = []
        first = 0
        for name in ("Building1", "Building2"):
            building = rows.building(self.project, name)
            first = building if not self.doors else first
            apartment = rows.apartment(self.project, building)
            self.doors.append(rows.device(self.project, DOOR, building_id=building, relays=("Front", "Garage")))
            self.monitors.append(rows.device(self.project, MONITOR, apartment_id=apartment))
        self.guard = rows.device(self.project, GUARD, building_id=first)
        self.all = [self.neighbour, *self.doors, *self.monitors, self.guard]


@pytest.fixture
def house(rows: Rows) -> House:
    return House(rows)


@pytest.fixture
def daemon(rows: Rows, pool: WorkPool) -> Daemon:
    return Daemon(rows, pool)


@pytest_twisted.ensureDeferred
async def test_a_start_loads_every_device_with_what_the_rows_say(daemon: Daemon, house: House) -> None:
    await daemon.start()
    assert len(daemon.shelf) == 6
    door = daemon.text(house.doors[0])
    assert "Config.DoorSetting.RELAY.NameA = Front\n" in door
    assert "Config.Account1.GENERAL.Pwd = s3cret\n" in door
    contacts = daemon.entry(house.doors[0]).files.contacts.body.decode()
    assert contacts.count('Name="403 Ryan"') == 1
    assert "Config.DoorSetting.RELAY.TalkingColDisplayName2 = Garage\n" in daemon.text(house.monitors[0])
    assert daemon.shelf.by_token(Rows.token(daemon.rows.mac(house.guard)).encode()) is daemon.entry(house.guard)


@pytest_twisted.ensureDeferred
async def test_devices_that_were_never_served_are_not_told(daemon: Daemon, house: House) -> None:
    await daemon.start()
    daemon.rows.rename_relay(house.doors[0], "New name")
    await daemon.catch_up()
    assert "New name" in daemon.text(house.doors[0])
    assert daemon.rows.commands() == []
    assert daemon.rows.config(house.doors[0]) == (daemon.entry(house.doors[0]).files.digest, "", "")


@pytest_twisted.ensureDeferred
async def test_a_renamed_relay_tells_exactly_the_door_and_the_screens_that_show_it(
    daemon: Daemon, house: House
) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    daemon.rows.rename_relay(house.doors[0], "New name")
    await daemon.catch_up()
    assert sorted(daemon.rows.commands()) == sorted([house.doors[0], house.monitors[0], house.guard])
    assert "New name" in daemon.text(house.monitors[0])
    digest = daemon.entry(house.doors[0]).files.digest
    assert daemon.rows.config(house.doors[0])[:2] == (digest, digest)


@pytest_twisted.ensureDeferred
async def test_a_change_without_effect_on_files_tells_nobody(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    daemon.rows.change_device(house.doors[0], model="R29", firmware="29.30.2.805")
    await daemon.catch_up()
    assert daemon.rows.commands() == []


@pytest_twisted.ensureDeferred
async def test_a_persistent_command_comes_and_goes(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    door = house.doors[0]
    before = daemon.text(door)
    command = daemon.rows.add_command(door, "Config.A.B.C = 5")
    await daemon.catch_up()
    assert daemon.text(door) == before + "Config.A.B.C = 5\n"
    await daemon.pulled(door)
    daemon.rows.remove_command(command)
    await daemon.catch_up()
    assert daemon.text(door) == before
    assert daemon.rows.commands() == [door, door]


@pytest_twisted.ensureDeferred
async def test_a_stored_line_that_is_not_allowed_is_left_out(daemon: Daemon, house: House) -> None:
    daemon.rows.add_command(house.doors[0], "Config.Autoprovision.RESET_FACTORY.Enable = 1")
    daemon.rows.add_command(house.doors[0], "Config.A.B.C = 1\r\nConfig.Account1.GENERAL.Pwd = x")
    daemon.rows.add_command(house.doors[0], "Config.A.B.C = 2")
    await daemon.start()
    assert daemon.text(house.doors[0]).endswith("/contacts.xml\nConfig.A.B.C = 2\n")


@pytest_twisted.ensureDeferred
async def test_changes_seen_twice_queue_nothing_twice(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    daemon.rows.rename_relay(house.doors[1], "New name")
    cursor = daemon.cursor
    await daemon.catch_up()
    queued = daemon.rows.commands()
    daemon.cursor = cursor
    await daemon.catch_up()
    assert daemon.rows.commands() == queued
    assert sorted(queued) == sorted([house.doors[1], house.monitors[1]])


@pytest_twisted.ensureDeferred
async def test_a_restart_doubles_nothing_and_loses_nothing(
    daemon: Daemon, house: House, rows: Rows, pool: WorkPool
) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    daemon.rows.rename_relay(house.doors[0], "Told before the crash")
    await daemon.catch_up()
    assert len(rows.commands()) == 3
    rows.rename_relay(house.doors[1], "Not told before the crash")
    restarted = await Daemon(rows, pool).start()
    assert sorted(rows.commands()[3:]) == sorted([house.doors[1], house.monitors[1]])
    await (await Daemon(rows, pool).start()).catch_up()
    assert len(rows.commands()) == 5
    assert "Not told" in restarted.text(house.doors[1])


@pytest_twisted.ensureDeferred
async def test_two_processes_on_one_database_tell_once(
    daemon: Daemon, house: House, rows: Rows, pool: WorkPool
) -> None:
    await daemon.start()
    other = await Daemon(rows, pool).start()
    await daemon.pulled(*house.all)
    rows.rename_relay(house.doors[0], "New name")
    await daemon.catch_up()
    await other.catch_up()
    assert len(rows.commands()) == 3


@pytest_twisted.ensureDeferred
async def test_a_change_undone_and_done_again_is_told_again(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    for name in ("B", "Front", "B"):
        daemon.rows.change_device(house.doors[0], location=name)
        await daemon.catch_up()
    assert daemon.rows.commands().count(house.doors[0]) == 3


@pytest_twisted.ensureDeferred
async def test_a_device_that_pulled_just_before_its_files_changed_is_told(daemon: Daemon, house: House) -> None:
    await daemon.start()
    door = house.doors[0]
    daemon.deliveries.note(Delivery(door, daemon.entry(door).files.digest))
    daemon.rows.change_device(door, location="Elsewhere")
    await daemon.catch_up()
    assert daemon.rows.commands() == []
    await daemon.deliveries.stop()
    assert daemon.rows.commands() == [door]


@pytest_twisted.ensureDeferred
async def test_a_big_change_lets_others_write_in_between(
    daemon: Daemon, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's lock is not fair: without a pause whoever waits for it would get it only after the last batch."""
    steps: list[object] = []

    def pause(_reactor: object, seconds: float) -> Deferred[None]:
        steps.append(seconds)
        return succeed(None)

    monkeypatch.setattr(keeper, "BATCH", 2)
    monkeypatch.setattr(keeper, "deferLater", pause)
    monkeypatch.setattr(keeper, "settle", lambda _session, targets: steps.append(len(targets)) or 0)
    await daemon.start()
    assert steps == [2, keeper.PAUSE_SECONDS, 2, keeper.PAUSE_SECONDS, 1, 1]


@pytest_twisted.ensureDeferred
async def test_new_and_removed_devices_come_and_go(daemon: Daemon, house: House) -> None:
    await daemon.start()
    added = daemon.rows.device(house.project, DOOR, location="New gate")
    await daemon.catch_up()
    assert "New gate" in daemon.text(added)
    daemon.rows.remove_device(added)
    await daemon.catch_up()
    assert daemon.shelf.by_id(added) is None
    assert len(daemon.shelf) == 6


@pytest_twisted.ensureDeferred
async def test_a_claim_opened_again_is_seen_without_rendering(daemon: Daemon, house: House) -> None:
    await daemon.start()
    rendered = daemon.registry.get_sample_value("intercom_provisiond_renders_total")
    until = datetime(2030, 1, 1, tzinfo=UTC)
    daemon.rows.change_device(house.guard, Entity.CLAIM, claim_open_until=until, claimed_at=None)
    await daemon.catch_up()
    assert daemon.entry(house.guard).claim.open_until == until
    assert daemon.registry.get_sample_value("intercom_provisiond_renders_total") == rendered


@pytest_twisted.ensureDeferred
async def test_one_unreadable_device_does_not_take_the_others_away(daemon: Daemon, house: House) -> None:
    await daemon.start()
    served = daemon.text(house.doors[0])
    daemon.rows.change_device(house.doors[0], sealed_token=b"\x01damaged", location="x")
    daemon.rows.change_device(house.doors[1], location="Moved")
    await daemon.catch_up()
    assert daemon.text(house.doors[0]) == served
    assert "Moved" in daemon.text(house.doors[1])


@pytest_twisted.ensureDeferred
async def test_a_device_without_an_active_account_is_told_once_it_has_one(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    for active in (False, True):
        with daemon.rows.store.write() as session:
            session.execute(update(SipAccount).where(SipAccount.device_id == house.neighbour).values(active=active))
            project_id = daemon.entry(house.neighbour).project_id
            record(session, Entity.SIP_ACCOUNT, 1, project_id, Action.UPDATED)
        await daemon.catch_up()
        assert ("GENERAL.Enable = 1" in daemon.text(house.neighbour)) is active
    assert daemon.rows.commands() == []  # its files are again those that it has
    daemon.rows.change_device(house.neighbour, location="Elsewhere")
    await daemon.catch_up()
    assert daemon.rows.commands() == [house.neighbour]


@pytest_twisted.ensureDeferred
async def test_deliveries_are_written_in_one_batch_and_again_after_an_error(daemon: Daemon, house: House) -> None:
    await daemon.start()
    write = daemon.deliveries._write
    batches: list[int] = []

    def failing_once(targets: list[Any]) -> int:
        batches.append(len(targets))
        if len(batches) == 1:
            raise OSError("disk full")
        return write(targets)

    daemon.deliveries._write = failing_once  # type: ignore[method-assign]
    for device_id in house.all:
        daemon.deliveries.note(Delivery(device_id, daemon.entry(device_id).files.digest))
    for seconds in (FLUSH_SECONDS, RETRY_SECONDS):
        daemon.clock.advance(seconds)
        flushing = daemon.deliveries._flushing
        assert flushing is not None
        await flushing
    assert batches == [6, 6]
    assert all(daemon.rows.config(d)[2] == daemon.entry(d).files.digest for d in house.all)
    assert daemon.clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_a_time_zone_reaches_all_devices_of_the_project_only(daemon: Daemon, house: House) -> None:
    await daemon.start()
    await daemon.pulled(*house.all)
    with daemon.rows.store.write() as session:
        session.execute(update(Project).where(Project.id == house.project).values(time_zone="Europe/Paris"))
        record(session, Entity.PROJECT, house.project, house.project, Action.UPDATED)
    await daemon.catch_up()
    assert sorted(daemon.rows.commands()) == sorted(set(house.all) - {house.neighbour})


@pytest_twisted.ensureDeferred
async def test_a_device_that_was_away_is_told_when_it_is_back(daemon: Daemon, house: House) -> None:
    door = house.doors[1]
    await daemon.start()
    await daemon.pulled(door)
    daemon.rows.change_device(door, location="Gate2")
    await daemon.catch_up()
    daemon.rows.registers(door)
    await daemon.catch_up()
    assert daemon.rows.commands() == [door], "a notification is on its way already"
    daemon.rows.commands_fail()
    daemon.rows.registers(door, online=False)
    await daemon.catch_up()
    assert daemon.rows.commands() == [door], "it is away"
    daemon.rows.registers(door)
    daemon.rows.registers(house.doors[0])
    await daemon.catch_up()
    assert daemon.rows.commands() == [door, door]
    daemon.rows.commands_fail("timeout")
    await daemon.pulled(door)
    daemon.rows.registers(door)
    await daemon.catch_up()
    assert daemon.rows.commands() == [door, door], "it has pulled by itself"


@pytest_twisted.ensureDeferred
async def test_a_device_that_came_back_while_this_daemon_was_down_is_told_at_the_start(
    daemon: Daemon, house: House, pool: WorkPool
) -> None:
    door = house.doors[1]
    await daemon.start()
    await daemon.pulled(door)
    daemon.rows.change_device(door, location="Gate2")
    await daemon.catch_up()
    daemon.rows.commands_fail()
    daemon.rows.registers(door)
    await Daemon(daemon.rows, pool).start()
    await Daemon(daemon.rows, pool).start()
    assert daemon.rows.commands() == [door, door]
