"""Where devices are, in the words of the tree Community > Public Area > Building > apartment."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from admin_api.schemas.devices import DeviceView
from admin_api.services import Work
from intercom_core.store.schema import Apartment, Building

PUBLIC_AREA = "Public area"


def labels(work: Work, devices: Sequence[DeviceView]) -> dict[int, str]:
    """Device id -> place. `devices` are the caller's own: what they stand in is, too."""
    homes = {device.apartment_id for device in devices if device.apartment_id is not None}
    apartments: dict[int, str] = {}
    if homes:
        rows = work.session.execute(
            select(Apartment.id, Building.name, Apartment.number)
            .join(Building, Building.id == Apartment.building_id)
            .where(Apartment.id.in_(homes))
        )
        apartments = {key: f"{building}, APT {number}" for key, building, number in rows}
    known = {device.building_id for device in devices if device.building_id is not None}
    rows_of_names = work.session.scalars(select(Building).where(Building.id.in_(known)))
    buildings = {building.id: building.name for building in rows_of_names}
    return {
        device.id: apartments.get(device.apartment_id or 0) or buildings.get(device.building_id or 0) or PUBLIC_AREA
        for device in devices
    }
