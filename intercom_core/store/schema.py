"""The one schema. Constraints here are the last word: checks in the code above only explain them to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from intercom_core.store.types import BigId, UtcDateTime


def now_utc() -> datetime:
    return datetime.now(UTC)


# SQLite would give a deleted row's id to the next one, and with it what the audit trail and the command queue know of
# the former. With AUTOINCREMENT, as with PostgreSQL's sequences, an id names one object for ever.
IDS_ONCE = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _id() -> Mapped[int]:
    return mapped_column(BigId, primary_key=True, autoincrement=True)


def _ref(target: str, *, index: bool = True) -> Mapped[int]:
    return mapped_column(BigId, ForeignKey(target), index=index)


def _maybe_ref(target: str) -> Mapped[int | None]:
    return mapped_column(BigId, ForeignKey(target), index=True, default=None)


def _created() -> Mapped[datetime]:
    return mapped_column(UtcDateTime, default=now_utc)


class Installation(Base):
    """One row: facts fixed when the installation was made. The SIP realm is part of every stored HA1."""

    __tablename__ = "installation"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    sip_realm: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = _created()


class Account(Base):
    """A person who works with the suite; `parent_id` is the distributor of an installer."""

    __tablename__ = "account"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    role: Mapped[str] = mapped_column(String(32))
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    password_hash: Mapped[str] = mapped_column(String(255))
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    suspended: Mapped[bool] = mapped_column(default=False)
    parent_id: Mapped[int | None] = _maybe_ref("account.id")
    created_at: Mapped[datetime] = _created()


class LoginSession(Base):
    """A bearer token or console cookie; only its SHA-256 is stored."""

    __tablename__ = "login_session"
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[int] = _ref("account.id")
    created_at: Mapped[datetime] = _created()
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Project(Base):
    """A community or an office, owned by one installer (guide §5)."""

    __tablename__ = "project"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    owner_id: Mapped[int] = _ref("account.id")
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    street: Mapped[str] = mapped_column(String(255))
    city: Mapped[str] = mapped_column(String(255))
    post_code: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(255))
    country: Mapped[str] = mapped_column(String(64))
    number_of_apartments: Mapped[int] = mapped_column(default=0)
    landline: Mapped[bool] = mapped_column(default=False)
    home_automation: Mapped[bool] = mapped_column(default=False)
    feature_plan: Mapped[str] = mapped_column(String(16))
    time_zone: Mapped[str] = mapped_column(String(64))
    time_format: Mapped[str] = mapped_column(String(8))
    date_format: Mapped[str] = mapped_column(String(8))
    pin_mode: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(8), default="en")
    charge_mode: Mapped[str] = mapped_column(String(32))
    send_expiration_mail: Mapped[bool] = mapped_column(default=False)
    send_renew_mail: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = _created()


class Building(Base):
    __tablename__ = "building"
    __table_args__ = (UniqueConstraint("project_id", "name"), IDS_ONCE)
    id: Mapped[int] = _id()
    project_id: Mapped[int] = _ref("project.id", index=False)
    name: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = _created()


class Apartment(Base):
    """A home in a building; its family SIP number is the SipAccount with this apartment_id and kind family."""

    __tablename__ = "apartment"
    __table_args__ = (UniqueConstraint("building_id", "number"), IDS_ONCE)
    id: Mapped[int] = _id()
    project_id: Mapped[int] = _ref("project.id")
    building_id: Mapped[int] = _ref("building.id", index=False)
    number: Mapped[str] = mapped_column(String(6))
    name: Mapped[str] = mapped_column(String(64), default="")
    call_type: Mapped[str] = mapped_column(String(2), default="0")
    created_at: Mapped[datetime] = _created()


class Resident(Base):
    """Somebody who lives in an apartment. The master is the first one; the others are family members (guide §6.1.4)."""

    __tablename__ = "resident"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    project_id: Mapped[int] = _ref("project.id")
    apartment_id: Mapped[int] = _ref("apartment.id")
    master: Mapped[bool] = mapped_column(default=True)
    first_name: Mapped[str] = mapped_column(String(64))
    last_name: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254), default="")
    language: Mapped[str] = mapped_column(String(8), default="en")
    country_code: Mapped[str] = mapped_column(String(8), default="")
    mobile: Mapped[str] = mapped_column(String(32), default="")
    landlines: Mapped[list[str]] = mapped_column(JSON, default=list)
    ip_call: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = _created()


class MacEntry(Base):
    """A MAC of a project's library (guide §8). The primary key makes it a member of one project only."""

    __tablename__ = "mac_entry"
    mac: Mapped[str] = mapped_column(String(12), primary_key=True)
    project_id: Mapped[int] = _ref("project.id")
    created_at: Mapped[datetime] = _created()


class Device(Base):
    """A unit on the wall. In an apartment, a building, or (both null) the public area of its project."""

    __tablename__ = "device"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    project_id: Mapped[int] = _ref("project.id")
    building_id: Mapped[int | None] = _maybe_ref("building.id")
    apartment_id: Mapped[int | None] = _maybe_ref("apartment.id")
    mac: Mapped[str] = mapped_column(String(12), ForeignKey("mac_entry.mac"), unique=True)
    type: Mapped[int] = mapped_column()
    network_group: Mapped[int] = mapped_column(default=1)
    contacts_setting: Mapped[str] = mapped_column(String(32))
    location: Mapped[str] = mapped_column(String(64))
    arming: Mapped[bool] = mapped_column(default=False)
    model: Mapped[str] = mapped_column(String(32), default="")
    firmware: Mapped[str] = mapped_column(String(64), default="")
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    claim_open_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    claimed_from: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = _created()


class DeviceRelay(Base):
    __tablename__ = "device_relay"
    device_id: Mapped[int] = mapped_column(BigId, ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    name: Mapped[str] = mapped_column(String(64))
    dtmf_code: Mapped[str] = mapped_column(String(4))
    unlock_in_homepage: Mapped[bool] = mapped_column(default=True)
    unlock_in_talking_page: Mapped[bool] = mapped_column(default=True)


class NumberPool(Base):
    """`next_number` is the first never-used number; past `last_number` the pool lives on what leaves quarantine."""

    __tablename__ = "number_pool"
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    first_number: Mapped[int] = mapped_column(BigId)
    last_number: Mapped[int] = mapped_column(BigId)
    next_number: Mapped[int] = mapped_column(BigId)


class SipNumber(Base):
    """A number that was given out. In use while `reusable_at` is null, in quarantine until that date afterwards."""

    __tablename__ = "sip_number"
    __table_args__ = (Index(None, "pool", "reusable_at"),)
    number: Mapped[str] = mapped_column(String(15), primary_key=True)
    pool: Mapped[str] = mapped_column(String(16))
    reusable_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class SipAccount(Base):
    """Who a number belongs to. Family numbers ring an apartment and have no credentials.

    `sealed_secret` opens with the provisioning key only; `sealed_ha1` with the SIP key, so sipd never knows a password.
    """

    __tablename__ = "sip_account"
    __table_args__ = (
        CheckConstraint(
            "(device_id IS NOT NULL AND resident_id IS NULL AND apartment_id IS NULL)"
            " OR (device_id IS NULL AND resident_id IS NOT NULL AND apartment_id IS NULL)"
            " OR (device_id IS NULL AND resident_id IS NULL AND apartment_id IS NOT NULL)",
            name="one_owner",
        ),
        IDS_ONCE,
    )
    id: Mapped[int] = _id()
    number: Mapped[str] = mapped_column(String(15), ForeignKey("sip_number.number"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    project_id: Mapped[int] = _ref("project.id")
    device_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("device.id"), unique=True, default=None)
    resident_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("resident.id"), unique=True, default=None)
    apartment_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("apartment.id"), unique=True, default=None)
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    sealed_ha1: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    active: Mapped[bool] = mapped_column(default=True)


class AutopCommand(Base):
    """A persistent Autop line of a device: appended to every pull until deleted (guide §7.1.6)."""

    __tablename__ = "autop_command"
    __table_args__ = IDS_ONCE
    id: Mapped[int] = _id()
    device_id: Mapped[int] = mapped_column(BigId, ForeignKey("device.id", ondelete="CASCADE"), index=True)
    line: Mapped[str] = mapped_column(String(1024))
    created_at: Mapped[datetime] = _created()


class DeviceConfig(Base):
    """How far the newest files of a device have come, as config digests (hex): desired, notified, served."""

    __tablename__ = "device_config"
    device_id: Mapped[int] = mapped_column(BigId, ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)
    desired_digest: Mapped[str] = mapped_column(String(64), default="")
    notified_digest: Mapped[str] = mapped_column(String(64), default="")
    served_digest: Mapped[str] = mapped_column(String(64), default="")
    served_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class RegistrationStatus(Base):
    """What sipd last knew of a number. `address` is `ip:port` as seen by the server."""

    __tablename__ = "registration_status"
    number: Mapped[str] = mapped_column(String(15), primary_key=True)
    online: Mapped[bool] = mapped_column(default=False)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")


class Command(Base):
    """Something to be done to a device by another daemon: a row with state and result, claimed by its executor."""

    __tablename__ = "command"
    __table_args__ = (Index(None, "state", "kind", "not_before"), IDS_ONCE)
    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(32))
    project_id: Mapped[int] = mapped_column(BigId)
    device_id: Mapped[int] = mapped_column(BigId, ForeignKey("device.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(String(15), default="")
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    result: Mapped[str] = mapped_column(String(255), default="")
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, default=now_utc)
    created_at: Mapped[datetime] = _created()
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class ChangeLog(Base):
    """One row a change, written in the writer's transaction, read in order of (xid, id): `intercom_core.changes`."""

    __tablename__ = "change_log"
    __table_args__ = (Index(None, "xid", "id"), IDS_ONCE)
    id: Mapped[int] = _id()
    xid: Mapped[int] = mapped_column(BigId)
    at: Mapped[datetime] = _created()
    entity: Mapped[str] = mapped_column(String(32))
    entity_id: Mapped[int] = mapped_column(BigId)
    project_id: Mapped[int | None] = mapped_column(BigId, default=None)
    action: Mapped[str] = mapped_column(String(16))


class Audit(Base):
    """Who did what, when, from where, with what before and after (secrets masked). Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "project_id", "id"), IDS_ONCE)
    id: Mapped[int] = _id()
    at: Mapped[datetime] = _created()
    account_id: Mapped[int | None] = mapped_column(BigId, default=None)
    actor: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64), default="")
    action: Mapped[str] = mapped_column(String(32))
    entity: Mapped[str] = mapped_column(String(32))
    entity_id: Mapped[int | None] = mapped_column(BigId, default=None)
    project_id: Mapped[int | None] = mapped_column(BigId, default=None)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
