"""Accounts for a load: numbers in a row, one password for all, HA1s sealed as the suite seals them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from intercom_core.config.load import load_settings
from intercom_core.model.numbers import NumberKind, Pool
from intercom_core.runtime.setup import prepare
from intercom_core.security.box import SealedBox
from intercom_core.security.keys import KeyName, load_box
from intercom_core.security.sip import ha1, ha1_context
from intercom_core.store import schema

DOMAIN = "sip.bench.example"
SECRET = "bench-secret"
FIRST_NUMBER = 10_000_000
ROWS_AT_ONCE = 20_000


def seed_accounts(config: Path, count: int) -> None:
    """Makes the installation that `config` describes, with `count` residents who may register."""
    settings = load_settings(config, {})
    store = prepare(settings)
    box = load_box(settings.data_dir, KeyName.SIP)
    try:
        with store.write() as session:
            project, apartment = _place(session)
            for start in range(0, count, ROWS_AT_ONCE):
                _residents(session, box, project, apartment, range(start, min(start + ROWS_AT_ONCE, count)))
    finally:
        store.close()


def _place(session: Session) -> tuple[int, int]:
    owner = schema.Account(role="installer", login="bench", name="Bench", password_hash="-")
    session.add(owner)
    session.flush()
    project = schema.Project(
        owner_id=owner.id,
        kind="community",
        name="Bench",
        street="-",
        city="-",
        post_code="-",
        state="-",
        country="-",
        feature_plan="basic",
        time_zone="UTC",
        time_format="24h",
        date_format="Y-M-D",
        pin_mode="pin",
        charge_mode="-",
    )
    session.add(project)
    session.flush()
    building = schema.Building(project_id=project.id, name="Bench")
    session.add(building)
    session.flush()
    apartment = schema.Apartment(project_id=project.id, building_id=building.id, number="1")
    session.add(apartment)
    session.flush()
    return project.id, apartment.id


def _residents(session: Session, box: SealedBox, project: int, apartment: int, indexes: range) -> None:
    numbers = {index + 1: str(FIRST_NUMBER + index) for index in indexes}
    person = {"project_id": project, "apartment_id": apartment, "master": False, "last_name": "Bench"}
    session.execute(insert(schema.SipNumber), [{"number": n, "pool": Pool.PERSONAL.value} for n in numbers.values()])
    session.execute(insert(schema.Resident), [person | {"id": key, "first_name": n} for key, n in numbers.items()])
    session.execute(
        insert(schema.SipAccount),
        [
            {
                "number": number,
                "kind": NumberKind.PERSONAL.value,
                "project_id": project,
                "resident_id": key,
                "sealed_ha1": box.seal(ha1(number, DOMAIN, SECRET).pack(), ha1_context(number)),
            }
            for key, number in numbers.items()
        ],
    )
