"""A database with SIP accounts, and sipd over it in this process on real sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import delete, func, select, update
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater

from intercom_core.changes.log import Action, Entity, record
from intercom_core.config.settings import Settings
from intercom_core.model.numbers import NumberKind
from intercom_core.runtime.pool import WorkPool
from intercom_core.runtime.role import RoleContext
from intercom_core.security.keys import KeyName, create_missing_keys, load_box
from intercom_core.security.sip import ha1, ha1_context
from intercom_core.store import commands
from intercom_core.store.commands import CommandKind
from intercom_core.store.engine import Store
from intercom_core.store.schema import (
    Account,
    ChangeLog,
    Command,
    Device,
    Installation,
    MacEntry,
    Project,
    RegistrationStatus,
    SipAccount,
    SipNumber,
)
from intercom_core.telemetry.health import Health
from sipd.service import SipService

REALM = "suite.test"
WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.01


def create_installation(store: Store, data_dir: Path) -> int:
    """Keys, realm and one project; returns the project's id."""
    create_missing_keys(data_dir)
    with store.write() as session:
        session.add(Installation(sip_realm=REALM))
        owner = Account(role="installer", login="i", password_hash="x")
        session.add(owner)
        session.flush()
        text = dict.fromkeys(("name", "street", "city", "post_code", "state", "country"), "x")
        formats = {"time_zone": "UTC", "time_format": "24h", "date_format": "Y-M-D", "pin_mode": "pin"}
        plan = {"feature_plan": "basic", "charge_mode": "installer", "kind": "community"}
        project = Project(owner_id=owner.id, **text, **formats, **plan)
        session.add(project)
        session.flush()
        return project.id


def add_device(store: Store, data_dir: Path, project_id: int, number: str, secret: str) -> int:
    """A door phone with a SIP account; returns the device's id."""
    sealed = load_box(data_dir, KeyName.SIP).seal(ha1(number, REALM, secret).pack(), ha1_context(number))
    with store.write() as session:
        mac = f"0C11{int(number) % 10**8:08d}"
        session.add(MacEntry(mac=mac, project_id=project_id))
        session.add(SipNumber(number=number, pool="personal"))
        session.flush()
        device = Device(
            project_id=project_id, mac=mac, type=0, contacts_setting="apartments", location="Gate", sealed_token=b""
        )
        session.add(device)
        session.flush()
        account = SipAccount(
            number=number, kind=NumberKind.DEVICE, project_id=project_id, device_id=device.id, sealed_ha1=sealed
        )
        session.add(account)
        session.flush()
        record(session, Entity.SIP_ACCOUNT, account.id, project_id, Action.CREATED)
        return device.id


@dataclass
class SipWorld:
    """`start` again after `stop`: the same data directory, a new process life."""

    store: Store
    data_dir: Path
    reactor: Any
    project_id: int = 0
    sipd: SipService | None = None
    health: Health = field(default_factory=Health)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    pool: WorkPool | None = None
    devices: list[Any] = field(default_factory=list)
    phones: list[Any] = field(default_factory=list)

    def create(self) -> None:
        self.project_id = create_installation(self.store, self.data_dir)

    @property
    def port(self) -> int:
        assert self.sipd is not None
        return self.sipd.ports["udp"]

    async def start(self, listen: str = "127.0.0.1:0", **sipd: Any) -> None:
        self.registry = CollectorRegistry()
        self.health = Health()
        self.pool = WorkPool(self.reactor, "database", 4, self.registry)
        settings = Settings.model_validate(
            {"data_dir": self.data_dir, "sipd": {"domain": "127.0.0.1", "udp": listen, **sipd}}
        )
        context = RoleContext(self.reactor, settings, self.store, self.pool, self.registry, self.health)
        service = SipService(context)
        await service.start()
        self.sipd = service

    async def stop(self) -> None:
        sipd, self.sipd = self.sipd, None
        if sipd is not None:
            await sipd.stop()
        if self.pool is not None:
            self.pool.stop()
            self.pool = None

    async def close(self) -> None:
        """The end of the test: nothing is left in the reactor."""
        await self.stop()
        for listening in self.devices:
            await listening.stopListening()
        for phone in self.phones:
            await phone.close()

    def add_device(self, number: str, secret: str = "s3cret") -> int:
        return add_device(self.store, self.data_dir, self.project_id, number, secret)

    def delete_device(self, number: str) -> None:
        with self.store.write() as session:
            account = session.scalars(select(SipAccount).where(SipAccount.number == number)).one()
            record(session, Entity.SIP_ACCOUNT, account.id, self.project_id, Action.DELETED)
            device_id = account.device_id
            session.delete(account)
            session.flush()
            session.execute(delete(Device).where(Device.id == device_id))

    def hand_over(self, number: str, secret: str) -> None:
        """In one transaction the number's device loses it, and another device gets it with a secret of its own."""
        sealed = load_box(self.data_dir, KeyName.SIP).seal(ha1(number, REALM, secret).pack(), ha1_context(number))
        with self.store.write() as session:
            account = session.scalars(select(SipAccount).where(SipAccount.number == number)).one()
            device_id = account.device_id
            record(session, Entity.SIP_ACCOUNT, account.id, self.project_id, Action.DELETED)
            session.delete(account)
            session.flush()
            account = SipAccount(
                number=number,
                kind=NumberKind.DEVICE,
                project_id=self.project_id,
                device_id=device_id,
                sealed_ha1=sealed,
            )
            session.add(account)
            session.flush()
            record(session, Entity.SIP_ACCOUNT, account.id, self.project_id, Action.CREATED)

    def deactivate(self, number: str) -> None:
        with self.store.write() as session:
            account_id = session.scalars(select(SipAccount.id).where(SipAccount.number == number)).one()
            session.execute(update(SipAccount).where(SipAccount.id == account_id).values(active=False))
            record(session, Entity.SIP_ACCOUNT, account_id, self.project_id, Action.UPDATED)

    def queue_check_sync(self, device_id: int, number: str) -> int:
        with self.store.write() as session:
            return commands.enqueue(
                session,
                CommandKind.CHECK_SYNC,
                device_id=device_id,
                project_id=self.project_id,
                number=number,
                payload={},
            )

    def status(self, number: str) -> RegistrationStatus | None:
        with self.store.read() as session:
            row = session.get(RegistrationStatus, number)
            if row is not None:
                session.expunge(row)
            return row

    def command(self, command_id: int) -> tuple[str, str]:
        """State and result."""
        with self.store.read() as session:
            row = session.get(Command, command_id)
            assert row is not None
            return row.state, row.result

    def registration_changes(self) -> int:
        with self.store.read() as session:
            query = select(func.count()).select_from(ChangeLog).where(ChangeLog.entity == Entity.REGISTRATION)
            return session.scalar(query) or 0

    def pretend_online(self, number: str) -> None:
        with self.store.write() as session:
            session.add(RegistrationStatus(number=number, online=True, last_seen=datetime.now(UTC)))

    def knows(self, number: str, *, active: bool | None = None) -> bool:
        """Has sipd taken over what the database says of a number?"""
        assert self.sipd is not None
        account = self.sipd.directory.get(number)
        return account is not None and active in (None, account.active)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    async def until(self, condition: Callable[[], Any]) -> Any:
        """The first true value of `condition`, looked at while the reactor turns."""
        deadline = datetime.now(UTC).timestamp() + WAIT_SECONDS
        while True:
            value = condition()
            if value:
                return value
            assert datetime.now(UTC).timestamp() < deadline, "it never came true"
            await deferLater(self.reactor, LOOK_SECONDS)

    async def until_online(self, number: str, *, online: bool = True) -> RegistrationStatus:
        def look() -> RegistrationStatus | None:
            row = self.status(number)
            return row if row is not None and row.online is online else None

        row: RegistrationStatus = await self.until(look)
        return row


class Program(ProcessProtocol):
    """A program that runs beside the test. `output` is what it said so far."""

    def __init__(self, reactor: Any, argv: list[str], folder: Path) -> None:
        self._reactor = reactor
        self._output = bytearray()
        self._exit: Deferred[int] = Deferred()
        reactor.spawnProcess(self, argv[0], argv, env={"TERM": "dumb", "HOME": str(folder)}, path=str(folder))

    def outReceived(self, data: bytes) -> None:
        self._output += data

    errReceived = outReceived  # noqa: N815

    def processEnded(self, reason: Any) -> None:
        self._exit.callback(reason.value.exitCode if reason.value.exitCode is not None else -1)

    @property
    def output(self) -> str:
        return self._output.decode(errors="replace")

    @property
    def ended(self) -> bool:
        return self._exit.called

    def signal(self, name: str) -> None:
        if self.transport is not None and not self._exit.called:
            self.transport.signalProcess(name)

    async def end(self) -> int:
        """Its exit code; killed when it takes too long."""
        deadline = self._reactor.callLater(WAIT_SECONDS, self.signal, "KILL")
        code = await self._exit
        if deadline.active():
            deadline.cancel()
        return code
