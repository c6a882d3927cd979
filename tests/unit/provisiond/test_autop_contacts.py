from __future__ import annotations

import pytest

from intercom_core.model.device import ContactsSetting, DeviceType
from provisiond.autop.contacts import Directory
from provisiond.autop.inputs import Contact
from provisiond.autop.project import Device, Project
from tests.unit.provisiond.samples import apartment, device, project, relay

MONITOR, GUARD = DeviceType.INDOOR_MONITOR, DeviceType.GUARD_PHONE
APARTMENTS, MEMBERS = ContactsSetting.APARTMENTS, ContactsSetting.MONITORS_AND_APPS
BOTH = ContactsSetting.APARTMENTS_MONITORS_AND_APPS


def community(*doors: Device) -> Project:
    return project(
        [
            apartment(1001, 1, name="Chen", people=(Contact("Ryan Chen", "5926109001"),)),
            apartment(
                403, 1, name="Ryan", people=(Contact("Ann Ryan", "5926109002"), Contact("Bo Ryan", "5926109003"))
            ),
            apartment(11, 2, family_number=None),
        ],
        [
            *doors,
            device(50, MONITOR, building_id=1, apartment_id=403, location="Hall"),
            device(51, MONITOR, building_id=1, apartment_id=403, location="Kitchen", login=None),
            device(52, MONITOR, building_id=2, apartment_id=11, location="Hall"),
        ],
    )


def names(made: Project, device_id: int) -> list[str]:
    found = next(d for d in made.devices if d.id == device_id)
    return [contact.name for contact in Directory(made).contacts_of(found)]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (APARTMENTS, ["403 Ryan", "1001 Chen"]),
        (MEMBERS, ["403 Hall", "403 Ann Ryan", "403 Bo Ryan", "1001 Ryan Chen"]),
        (BOTH, ["403 Ryan", "403 Hall", "403 Ann Ryan", "403 Bo Ryan", "1001 Chen", "1001 Ryan Chen"]),
    ],
)
def test_a_building_door_lists_its_building_by_setting(setting: ContactsSetting, expected: list[str]) -> None:
    assert names(community(device(1, building_id=1, contacts_setting=setting)), 1) == expected


def test_numbers_are_family_numbers_for_apartments_and_personal_ones_for_members() -> None:
    made = community(device(1, building_id=1, contacts_setting=BOTH))
    door = next(d for d in made.devices if d.id == 1)
    listed = {c.name: c.number for c in Directory(made).contacts_of(door)}
    assert listed["403 Ryan"] == "5926000403"
    assert listed["403 Hall"] == "5926100050"
    assert listed["403 Ann Ryan"] == "5926109002"


def test_a_public_door_lists_all_buildings_with_their_names_in_front() -> None:
    made = community(device(1, contacts_setting=BOTH))
    assert names(made, 1)[0] == "Building1 403 Ryan"
    assert names(made, 1)[-1] == "Building2 11 Hall"


def test_an_apartments_own_door_lists_and_rings_that_apartment() -> None:
    made = community(device(1, DeviceType.SINGLE_TENANT_DOOR, building_id=1, apartment_id=403))
    door = next(d for d in made.devices if d.id == 1)
    assert names(made, 1) == ["403 Ryan"]
    assert Directory(made).push_button_of(door) == ("5926000403",)


def test_screens_list_the_doors_and_guard_phones_they_reach() -> None:
    made = community(
        device(1, building_id=1, location="Front"),
        device(2, building_id=2, location="Other house"),
        device(3, location="Main gate"),
        device(4, building_id=1, apartment_id=403, location="Own door"),
        device(5, building_id=1, apartment_id=1001, location="Neighbour's door"),
        device(6, GUARD, location="Guard"),
        device(7, building_id=1, location="No account", login=None),
    )
    assert names(made, 50) == ["Front", "Guard", "Main gate", "Own door"]
    assert names(made, 52) == ["Guard", "Main gate", "Other house"]
    assert names(made, 6) == ["Front", "Main gate", "Other house"]


def test_unlock_buttons_come_from_the_nearest_door_and_keep_its_flags() -> None:
    made = community(
        device(1, building_id=1, relays=(relay(1, name="Front", dtmf_code="1", unlock_in_homepage=False),)),
        device(3, relays=(relay(1, name="Gate", dtmf_code="9"), relay(2, name="Barrier", dtmf_code="8"))),
        device(4, relays=(relay(3, enabled=False), relay(4, name="Fourth"))),
    )
    monitor = next(d for d in made.devices if d.id == 50)
    buttons = Directory(made).buttons_of(monitor)
    assert [(b.position, b.name, b.dtmf_code, b.in_homepage, b.in_talking_page) for b in buttons] == [
        (1, "Front", "1", False, True),
        (2, "Barrier", "8", True, True),
    ]


def test_a_door_never_gets_unlock_buttons() -> None:
    made = community(device(1, building_id=1, relays=(relay(),)), device(2, relays=(relay(),)))
    assert all(Directory(made).buttons_of(d) == () for d in made.devices if d.type.is_door)


def test_a_relay_without_flags_makes_no_button() -> None:
    quiet = relay(unlock_in_homepage=False, unlock_in_talking_page=False)
    made = community(device(1, building_id=1, relays=(quiet,)))
    assert Directory(made).buttons_of(next(d for d in made.devices if d.id == 50)) == ()
