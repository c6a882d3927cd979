"""A sample community made through the API: two buildings, four door phones, an indoor monitor in each apartment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.puller import Hardware
from simulator.rest_client import RestClient

BUILDINGS = ("North Tower", "South Tower")
APARTMENTS_PER_BUILDING = 23
DOOR_FIRMWARE = "29.30.2.805"
MONITOR_FIRMWARE = "113.30.1.212"
_FIRST_NAMES = ("Ada", "Ben", "Clara", "Dan", "Emma", "Finn", "Grace", "Hugo", "Ida", "Jonas", "Kim", "Lena")
_LAST_NAMES = (
    "Adler",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Hansen",
    "Ito",
    "Jung",
    "Kowalski",
)


@dataclass(slots=True)
class Sample:
    """What was made: the boxes to switch on, and the door phones by place."""

    community_id: int
    hardware: list[Hardware] = field(default_factory=list)
    doors: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, firmware: str, product: str, name: str) -> str:
        """The MAC of one more device."""
        mac = f"0C1105{len(self.hardware) + 1:06X}"
        self.hardware.append(Hardware(mac, firmware, product))
        self.names[mac] = name
        return mac


def relays(*names: str) -> list[dict[str, Any]]:
    """Relay inputs, shown everywhere, with the codes 1#, 2#, ..."""
    return [
        {
            "name": name,
            "dtmf_code": f"{position}#",
            "enabled": True,
            "unlock_in_homepage": True,
            "unlock_in_talking_page": True,
        }
        for position, name in enumerate(names, start=1)
    ]


async def create_sample(api: RestClient) -> Sample:
    """As an installer: 4 door phones and 46 apartments. Raises ApiError."""
    community = await api.post(
        "/communities",
        name="Harbour Gardens",
        street="1 Quay Street",
        city="Singapore",
        post_code="049213",
        state="Central",
        country="Singapore",
        time_zone="Asia/Singapore",
        time_format="24h",
        date_format="Y-M-D",
        pin_mode="pin",
        number_of_apartments=len(BUILDINGS) * APARTMENTS_PER_BUILDING,
        landline=False,
        home_automation=False,
        feature_plan="premium",
        charge_mode="installer",
    )
    sample = Sample(int(community["id"]))
    await _add_door(api, sample, "Main Gate", None)
    await _add_door(api, sample, "Car Park", None)
    for index, name in enumerate(BUILDINGS):
        building = await api.post(f"/communities/{sample.community_id}/buildings", name=name)
        await _add_door(api, sample, f"{name} Lobby", int(building["id"]))
        for count in range(APARTMENTS_PER_BUILDING):
            await _add_apartment(api, sample, int(building["id"]), index * APARTMENTS_PER_BUILDING + count)
    return sample


async def _add_door(api: RestClient, sample: Sample, place: str, building_id: int | None) -> None:
    mac = await _add_mac(api, sample, DOOR_FIRMWARE, "R29", place)
    sample.doors[place] = await api.post(
        f"/communities/{sample.community_id}/devices",
        mac=mac,
        type=0,
        building_id=building_id,
        location=place,
        network_group=1,
        contacts_setting="apartments_monitors_and_apps",
        relays=relays("Door", "Barrier"),
    )


async def _add_apartment(api: RestClient, sample: Sample, building_id: int, index: int) -> None:
    number = f"{index % APARTMENTS_PER_BUILDING // 4 + 1}{index % APARTMENTS_PER_BUILDING % 4 + 1:02d}"
    first, last = _FIRST_NAMES[index % len(_FIRST_NAMES)], _LAST_NAMES[index % len(_LAST_NAMES)]
    building = BUILDINGS[index // APARTMENTS_PER_BUILDING]
    mac = await _add_mac(api, sample, MONITOR_FIRMWARE, "C313", f"{building}, apartment {number}")
    await api.post(
        f"/buildings/{building_id}/apartments",
        number=number,
        name=f"{last} family",
        indoor_monitor={
            "mac": mac,
            "location": "Hall",
            "network_group": 1,
            "arming": index % 2 == 0,
            "relays": relays("Light"),
        },
        resident={"first_name": first, "last_name": last, "email": f"{first}.{last}{index}@example.com".lower()},
    )


async def _add_mac(api: RestClient, sample: Sample, firmware: str, product: str, name: str) -> str:
    mac = sample.add(firmware, product, name)
    await api.post(f"/communities/{sample.community_id}/macs", mac=mac)
    return mac
