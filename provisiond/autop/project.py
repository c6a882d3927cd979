"""What one project holds, as far as the files of its devices depend on it. Plain values, read in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from intercom_core.model.device import ContactsSetting, DeviceType, Relay
from provisiond.autop.inputs import Contact, SipLogin, Site


@dataclass(frozen=True, slots=True)
class Apartment:
    """`family_number` None: nobody rings there. `people`: residents with an active personal number."""

    id: int
    building_id: int
    building_name: str
    number: str
    name: str
    family_number: str | None
    people: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """`building_id` and `apartment_id` None: it stands in the public area."""

    id: int
    mac: str
    type: DeviceType
    building_id: int | None
    apartment_id: int | None
    location: str
    contacts_setting: ContactsSetting
    arming: bool
    token: str = field(repr=False)
    login: SipLogin | None
    relays: tuple[Relay, ...] = ()
    commands: tuple[str, ...] = ()


def apartment_order(apartment: Apartment) -> tuple[str, int, str, int]:
    """By building, then by number as people count."""
    return apartment.building_name, len(apartment.number), apartment.number, apartment.id


def device_order(device: Device) -> tuple[str, int]:
    return device.location, device.id


class Project:
    """The project with the look-ups that contact lists and screens need. Lists are in a fixed order."""

    def __init__(self, site: Site, apartments: Iterable[Apartment], devices: Iterable[Device]) -> None:
        self.site = site
        self.apartments = tuple(sorted(apartments, key=apartment_order))
        self.devices = tuple(sorted(devices, key=device_order))
        self._by_id = {apartment.id: apartment for apartment in self.apartments}
        self._by_building: dict[int, list[Apartment]] = defaultdict(list)
        self._monitors: dict[int, list[Device]] = defaultdict(list)
        for apartment in self.apartments:
            self._by_building[apartment.building_id].append(apartment)
        for device in self.devices:
            if device.type is DeviceType.INDOOR_MONITOR and device.apartment_id is not None and device.login:
                self._monitors[device.apartment_id].append(device)

    def apartment(self, apartment_id: int) -> Apartment | None:
        return self._by_id.get(apartment_id)

    def apartments_in(self, building_id: int) -> tuple[Apartment, ...]:
        return tuple(self._by_building.get(building_id, ()))

    def monitors_of(self, apartment_id: int) -> tuple[Device, ...]:
        return tuple(self._monitors.get(apartment_id, ()))
