"""An installation in a real database: rows as admin_api writes them, with the change rows that belong to them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from intercom_core.changes.log import Action, Entity, record
from intercom_core.security.box import SealedBox
from intercom_core.security.sip import secret_context, token_context
from intercom_core.store import schema
from intercom_core.store.commands import finish
from intercom_core.store.engine import Store

_serial = itertools.count(1)


class Rows:
    """Writes rows and their changes. Every method is one transaction."""

    def __init__(self, store: Store, box: SealedBox) -> None:
        self.store = store
        self.box = box

    def project(self, **changes: Any) -> int:
        n = next(_serial)
        with self.store.write() as session:
            owner = schema.Account(role="installer", login=f"installer{n}", password_hash="x")
            session.add(owner)
            session.flush()
            values = {
                "owner_id": owner.id,
                "kind": "community",
                "name": f"Community{n}",
                **dict.fromkeys(("street", "city", "post_code", "state", "country"), "x"),
                "feature_plan": "premium",
                "time_zone": "Asia/Shanghai",
                "time_format": "24h",
                "date_format": "Y-M-D",
                "pin_mode": "pin",
                "charge_mode": "installer",
            }
            row = schema.Project(**(values | changes))
            session.add(row)
            session.flush()
            record(session, Entity.PROJECT, row.id, row.id, Action.CREATED)
            return row.id

    def building(self, project_id: int, name: str = "Building1") -> int:
        with self.store.write() as session:
            row = schema.Building(project_id=project_id, name=name)
            session.add(row)
            session.flush()
            record(session, Entity.BUILDING, row.id, project_id, Action.CREATED)
            return row.id

    def apartment(self, project_id: int, building_id: int, number: str = "403", resident: str = "Ryan") -> int:
        """With a family number, and a resident with a personal number."""
        with self.store.write() as session:
            row = schema.Apartment(project_id=project_id, building_id=building_id, number=number, name=resident)
            session.add(row)
            session.flush()
            person = schema.Resident(
                project_id=project_id, apartment_id=row.id, first_name=resident, last_name="Chen", landlines=[]
            )
            session.add(person)
            session.flush()
            self._number(session, project_id, "family", apartment_id=row.id)
            self._number(session, project_id, "personal", resident_id=person.id)
            record(session, Entity.APARTMENT, row.id, project_id, Action.CREATED)
            return row.id

    def device(self, project_id: int, device_type: int, **changes: Any) -> int:
        """With a number, and a claim window that is open for an hour. `relays`: names of relays 1, 2, ..."""
        relays = changes.pop("relays", ())
        n = next(_serial)
        mac = changes.pop("mac", f"0C1105{n:06X}")
        with self.store.write() as session:
            session.add(schema.MacEntry(mac=mac, project_id=project_id))
            session.flush()
            values = {
                "project_id": project_id,
                "mac": mac,
                "type": device_type,
                "contacts_setting": "apartments",
                "location": f"Unit{n}",
                "sealed_token": self.box.seal(self.token(mac).encode(), token_context(mac)),
                "claim_open_until": datetime.now(UTC) + timedelta(hours=1),
            }
            row = schema.Device(**(values | changes))
            session.add(row)
            session.flush()
            for position, name in enumerate(relays, 1):
                session.add(schema.DeviceRelay(device_id=row.id, position=position, name=name, dtmf_code=str(position)))
            self._number(session, project_id, "device", device_id=row.id)
            record(session, Entity.DEVICE, row.id, project_id, Action.CREATED)
            return row.id

    def _number(self, session: Any, project_id: int, kind: str, **owner: int) -> None:
        number = f"59261{next(_serial):05}"
        session.add(schema.SipNumber(number=number, pool="personal"))
        session.flush()
        secret = None if kind == "family" else self.box.seal(b"s3cret", secret_context(number))
        session.add(schema.SipAccount(number=number, kind=kind, project_id=project_id, sealed_secret=secret, **owner))

    @staticmethod
    def token(mac: str) -> str:
        return f"token-of-{mac}".ljust(32, "x")

    def rename_relay(self, device_id: int, name: str) -> None:
        with self.store.write() as session:
            session.execute(
                update(schema.DeviceRelay).where(schema.DeviceRelay.device_id == device_id).values(name=name)
            )
            self._touched(session, device_id)

    def change_device(self, device_id: int, entity: Entity = Entity.DEVICE, **changes: Any) -> None:
        with self.store.write() as session:
            session.execute(update(schema.Device).where(schema.Device.id == device_id).values(**changes))
            self._touched(session, device_id, entity)

    def add_command(self, device_id: int, line: str) -> int:
        with self.store.write() as session:
            row = schema.AutopCommand(device_id=device_id, line=line)
            session.add(row)
            session.flush()
            record(session, Entity.AUTOP_COMMAND, row.id, self._touched(session, device_id, None), Action.CREATED)
            return row.id

    def remove_command(self, command_id: int) -> None:
        with self.store.write() as session:
            row = session.get_one(schema.AutopCommand, command_id)
            session.delete(row)
            project_id = self._touched(session, row.device_id, None)
            record(session, Entity.AUTOP_COMMAND, command_id, project_id, Action.DELETED)

    def remove_device(self, device_id: int) -> None:
        with self.store.write() as session:
            project_id = self._touched(session, device_id, None)
            for row in session.scalars(select(schema.SipAccount).where(schema.SipAccount.device_id == device_id)):
                session.delete(row)
            session.flush()
            session.delete(session.get_one(schema.Device, device_id))
            record(session, Entity.DEVICE, device_id, project_id, Action.DELETED)

    def commands_fail(self, result: str = "offline") -> None:
        """sipd could not deliver what is queued."""
        with self.store.write() as session:
            for command in session.scalars(select(schema.Command).where(schema.Command.state == "pending")):
                finish(session, command.id, ok=False, result=result, now=schema.now_utc())

    def registers(self, device_id: int, *, online: bool = True) -> None:
        """sipd says that the device came or went."""
        with self.store.write() as session:
            account = session.scalars(select(schema.SipAccount).where(schema.SipAccount.device_id == device_id)).one()
            session.merge(schema.RegistrationStatus(number=account.number, online=online, last_seen=schema.now_utc()))
            record(session, Entity.REGISTRATION, account.id, account.project_id, Action.UPDATED)

    def _touched(self, session: Any, device_id: int, entity: Entity | None = Entity.DEVICE) -> int:
        project_id: int = session.scalar(select(schema.Device.project_id).where(schema.Device.id == device_id))
        if entity is not None:
            record(session, entity, device_id, project_id, Action.UPDATED)
        return project_id

    def mac(self, device_id: int) -> str:
        with self.store.read() as session:
            return session.get_one(schema.Device, device_id).mac

    def commands(self) -> list[int]:
        """Device ids of the queued commands, oldest first."""
        with self.store.read() as session:
            return list(session.scalars(select(schema.Command.device_id).order_by(schema.Command.id)))

    def config(self, device_id: int) -> tuple[str, str, str]:
        """Desired, notified and served digest."""
        with self.store.read() as session:
            row = session.get_one(schema.DeviceConfig, device_id)
            return row.desired_digest, row.notified_digest, row.served_digest

    def audit(self) -> list[tuple[str, str]]:
        with self.store.read() as session:
            rows = session.execute(select(schema.Audit.action, schema.Audit.address).order_by(schema.Audit.id))
            return [(row.action, row.address) for row in rows]
