"""Who a device lists to call (guide §7.1.1), and the doors that a screen can open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from lxml import etree

from intercom_core.model.device import ContactsSetting, DeviceType
from provisiond.autop.guard import clean
from provisiond.autop.inputs import Contact, UnlockButton
from provisiond.autop.project import Apartment, Device, Project, device_order

_WITH_APARTMENTS = (ContactsSetting.APARTMENTS, ContactsSetting.APARTMENTS_MONITORS_AND_APPS)
_WITH_MEMBERS = (ContactsSetting.MONITORS_AND_APPS, ContactsSetting.APARTMENTS_MONITORS_AND_APPS)
_BUTTONS = range(1, 4)


class Directory:
    """The contact lists of one project. Doors of one place with one setting share a list, made once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._listed = lru_cache(maxsize=None)(self._list)
        self._in_common: dict[int | None, list[Device]] = defaultdict(list)
        self._at_home: dict[int, list[Device]] = defaultdict(list)
        for device in project.devices:
            if device.type is DeviceType.INDOOR_MONITOR:
                continue
            if device.apartment_id is None:
                self._in_common[device.building_id].append(device)
            else:
                self._at_home[device.apartment_id].append(device)

    def contacts_of(self, device: Device) -> tuple[Contact, ...]:
        if device.type.is_door:
            return self._listed(device.building_id, device.apartment_id, device.contacts_setting)
        reached = sorted(self._reached_by(device), key=device_order)
        return tuple(Contact(d.location, d.login.number) for d in reached if d.login)

    def _reached_by(self, screen: Device) -> list[Device]:
        """The doors and guard phones that an indoor monitor or guard phone has to do with.

        What stands in the public area serves everybody; a building's unit serves the building; an apartment's own door
        serves that apartment. A guard phone in the public area has to do with every unit that is not somebody's own.
        """
        if screen.apartment_id is None and screen.building_id is None:
            common = [device for devices in self._in_common.values() for device in devices]
        else:
            common = [*self._in_common.get(None, ()), *self._in_common.get(screen.building_id, ())]
        home = self._at_home.get(screen.apartment_id, ()) if screen.apartment_id is not None else ()
        return [device for device in (*common, *home) if device.id != screen.id]

    def push_button_of(self, device: Device) -> tuple[str, ...]:
        """The call button of an apartment's own door rings the apartment."""
        home = self._project.apartment(device.apartment_id) if device.apartment_id is not None else None
        if device.type.is_door and home is not None and home.family_number is not None:
            return (home.family_number,)
        return ()

    def buttons_of(self, device: Device) -> tuple[UnlockButton, ...]:
        """The unlock buttons of an indoor monitor or guard phone, from the relays of the doors in its reach.

        A screen has one button a relay position, whichever door calls: where doors differ, the nearest one decides
        (own apartment, building, public area). A door's own screen never gets any: a stranger stands in front of it.
        """
        if device.type.is_door:
            return ()
        doors = sorted((d for d in self._reached_by(device) if d.type.is_door), key=_nearness)
        chosen = (_button(position, doors) for position in _BUTTONS)
        return tuple(button for button in chosen if button is not None)

    def _list(self, building_id: int | None, apartment_id: int | None, setting: ContactsSetting) -> tuple[Contact, ...]:
        whole = building_id is None and apartment_id is None
        return tuple(
            contact
            for apartment in self._apartments_of(building_id, apartment_id)
            for contact in self._lines(apartment, setting, f"{apartment.building_name} " if whole else "")
        )

    def _apartments_of(self, building_id: int | None, apartment_id: int | None) -> tuple[Apartment, ...]:
        if apartment_id is not None:
            home = self._project.apartment(apartment_id)
            return (home,) if home else ()
        return self._project.apartments if building_id is None else self._project.apartments_in(building_id)

    def _lines(self, apartment: Apartment, setting: ContactsSetting, group: str) -> Iterator[Contact]:
        prefix = f"{group}{apartment.number}"
        if setting in _WITH_APARTMENTS and apartment.family_number is not None:
            yield Contact(f"{prefix} {apartment.name}".rstrip(), apartment.family_number)
        if setting in _WITH_MEMBERS:
            for monitor in self._project.monitors_of(apartment.id):
                if monitor.login:
                    yield Contact(f"{prefix} {monitor.location}", monitor.login.number)
            for person in apartment.people:
                yield Contact(f"{prefix} {person.name}", person.number)


def _nearness(door: Device) -> tuple[bool, bool, str, int]:
    return door.apartment_id is None, door.building_id is None, door.location, door.id


def _button(position: int, doors: list[Device]) -> UnlockButton | None:
    for door in doors:
        for relay in door.relays:
            if (
                relay.position == position
                and relay.enabled
                and (relay.unlock_in_homepage or relay.unlock_in_talking_page)
            ):
                return UnlockButton(
                    position, relay.name, relay.dtmf_code, relay.unlock_in_homepage, relay.unlock_in_talking_page
                )
    return None


def contacts_xml(contacts: tuple[Contact, ...]) -> bytes:
    """The remote phone book: flat, because devices know no groups; the group stands in front of the name."""
    root = etree.Element("Directory", Name="Contacts")
    for number, contact in enumerate(contacts, 1):
        etree.SubElement(root, "Contact", Id=str(number), Name=clean(contact.name), Office=clean(contact.number))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
