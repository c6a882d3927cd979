"""The sample site of the end-to-end tests, made through the API as an installer would."""

from __future__ import annotations

from typing import Any

from suite_runner import Api, RunningSuite

INSTALLER_PASSWORD = "correct horse battery"
RELAYS = [
    {"name": "Front door", "dtmf_code": "#", "unlock_in_homepage": True, "unlock_in_talking_page": True},
    {"name": "Garage", "dtmf_code": "12*", "unlock_in_homepage": False, "unlock_in_talking_page": True},
]


class Site:
    """One community with one building, a door phone there, and an apartment 403 with a monitor and a resident."""

    DOOR, MONITOR, SPARE = "0C11050B9814", "0C11050893C6", "0C1105060414"

    def __init__(self, suite: RunningSuite, installer: Api) -> None:
        self.suite = suite
        self.api = installer
        self.community = installer.call(
            "POST",
            "/communities",
            {
                "name": "Riverside",
                "street": "1 River Road",
                "city": "Xiamen",
                "post_code": "361006",
                "state": "Fujian",
                "country": "China",
                "number_of_apartments": 20,
                "landline": False,
                "home_automation": True,
                "feature_plan": "basic",
                "time_zone": "Asia/Shanghai",
                "time_format": "24h",
                "date_format": "Y-M-D",
                "pin_mode": "pin",
                "charge_mode": "installer",
                "send_expiration_mail": True,
                "send_renew_mail": False,
            },
        )["id"]
        self.building = self._add("/buildings", {"name": "Building 1"})["id"]
        for mac in (self.DOOR, self.MONITOR, self.SPARE):
            self._add("/macs", {"mac": mac})
        self.door = self.add_door(self.DOOR, "Gate1", self.building)
        self.apartment = installer.call(
            "POST",
            f"/buildings/{self.building}/apartments",
            {
                "number": "403",
                "name": "Ryan",
                "indoor_monitor": {"mac": self.MONITOR, "location": "Living room", "network_group": 1, "arming": True},
                "resident": {"first_name": "Ryan", "last_name": "Chen", "email": "ryan@example.org"},
            },
        )

    def _add(self, path: str, body: dict[str, Any]) -> Any:
        return self.api.call("POST", f"/communities/{self.community}{path}", body)

    def add_door(self, mac: str, location: str, building: int | None) -> dict[str, Any]:
        body = {
            "mac": mac,
            "type": 0,
            "building_id": building,
            "location": location,
            "network_group": 1,
            "contacts_setting": "apartments_monitors_and_apps",
            "relays": RELAYS,
        }
        device: dict[str, Any] = self._add("/devices", body)
        return device

    def device(self, mac: str) -> dict[str, Any]:
        """The device's page, by MAC."""
        items = self.api.call("GET", f"/communities/{self.community}/devices")["items"]
        (found,) = [item for item in items if item["mac"] == mac]
        page: dict[str, Any] = self.api.call("GET", f"/devices/{found['id']}")
        return page

    def rename_first_relay(self, name: str) -> None:
        relays = [{**RELAYS[0], "name": name}, RELAYS[1]]
        self.api.call("PATCH", f"/devices/{self.door['id']}", {"relays": relays})


def build_site(suite: RunningSuite) -> Site:
    """The distributor creates an installer, the installer creates everything else."""
    distributor = Api(suite, "distributor", suite.password)
    distributor.call(
        "POST", "/installers", {"login": "ryan", "password": INSTALLER_PASSWORD, "name": "Ryan Installations"}
    )
    return Site(suite, Api(suite, "ryan", INSTALLER_PASSWORD))
