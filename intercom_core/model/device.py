"""Devices, their relays and what their screens list (guide §7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

NETWORK_GROUPS = range(1, 11)
DOOR_RELAYS = range(1, 5)
MONITOR_RELAYS = range(1, 3)


class DeviceType(IntEnum):
    """Type codes of the import template (guide §6.1.2)."""

    MULTI_TENANT_DOOR = 0
    SINGLE_TENANT_DOOR = 1
    INDOOR_MONITOR = 2
    GUARD_PHONE = 3
    ACCESS_CONTROL = 50

    @property
    def is_door(self) -> bool:
        """True for units that stand at a door and open it with relays 1-4."""
        return self in (self.MULTI_TENANT_DOOR, self.SINGLE_TENANT_DOOR, self.ACCESS_CONTROL)


class ContactsSetting(StrEnum):
    """What a device lists to call (guide §7.1.1)."""

    APARTMENTS = "apartments"
    MONITORS_AND_APPS = "monitors_and_apps"
    APARTMENTS_MONITORS_AND_APPS = "apartments_monitors_and_apps"


@dataclass(frozen=True, slots=True)
class Relay:
    """One door opener. `position` is 1-4 (door) or 1-2 (indoor monitor), `dtmf_code` opens it during a call."""

    position: int
    enabled: bool
    name: str
    dtmf_code: str
    unlock_in_homepage: bool
    unlock_in_talking_page: bool
