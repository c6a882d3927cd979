"""Every route x every role x own, foreign and absent objects. A route without an entry here fails the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from admin_world import COMMUNITY, DISTRIBUTOR, PASSWORD, Client, World

from intercom_core.model.account import Role
from intercom_core.store.schema import Account

ABSENT = 987_654
ROLES = ("distributor", "owner", "stranger", "property_manager", "anonymous")


@dataclass(frozen=True)
class Row:
    """Expected status by role: on the owner's object, for ROLES in order; and what an absent object answers.

    `absent` is for roles that may use the route at all. Without an object in the path it is None.
    """

    statuses: tuple[int, int, int, int, int]
    body: Any = None
    absent: int | None = 404


def read() -> Row:
    return Row((200, 200, 404, 403, 401))


def write(ok: int, body: Any = None) -> Row:
    return Row((403, ok, 404, 403, 401), body)


def distributor(ok: int, body: Any = None, absent: int | None = 404) -> Row:
    return Row((ok, 403, 403, 403, 401), body, absent)


MONITOR = {"mac": "0C1105000002", "location": "Hall"}
PEOPLE = {"first_name": "A", "last_name": "B"}
MATRIX: dict[str, Row] = {
    "POST /login": Row((200, 200, 200, 200, 200), {"login": DISTRIBUTOR, "password": PASSWORD}, None),
    "POST /logout": Row((204, 204, 204, 204, 401), None, None),
    "GET /me": Row((200, 200, 200, 200, 401), None, None),
    "POST /me/password": Row(
        (204, 204, 204, 204, 401), {"current_password": PASSWORD, "new_password": "another long one"}, None
    ),
    "POST /installers": distributor(201, {"login": "new", "password": PASSWORD, "name": "N"}, None),
    "GET /installers": distributor(200, absent=None),
    "GET /installers/{account_id}": distributor(200),
    "PATCH /installers/{account_id}": distributor(200, {"name": "N"}),
    "DELETE /installers/{account_id}": distributor(409),
    "POST /installers/{account_id}/reset-password": distributor(200),
    "POST /communities": Row((403, 201, 201, 403, 401), COMMUNITY, None),
    "GET /communities": Row((200, 200, 200, 403, 401), None, None),
    "GET /communities/{project_id}": read(),
    "PATCH /communities/{project_id}": write(200, {"name": "N"}),
    "DELETE /communities/{project_id}": write(409),
    "POST /communities/{project_id}/buildings": write(201, {"name": "B2"}),
    "GET /communities/{project_id}/buildings": read(),
    "GET /buildings/{building_id}": read(),
    "PATCH /buildings/{building_id}": write(200, {"name": "N"}),
    "DELETE /buildings/{building_id}": write(409),
    "POST /communities/{project_id}/macs": write(201, {"mac": "0C1105000099"}),
    "GET /communities/{project_id}/macs": read(),
    "DELETE /communities/{project_id}/macs/{mac}": write(204),
    "POST /communities/{project_id}/devices": write(201, MONITOR | {"type": 2}),
    "GET /communities/{project_id}/devices": read(),
    "GET /devices/{device_id}": read(),
    "PATCH /devices/{device_id}": write(200, {"location": "N"}),
    "DELETE /devices/{device_id}": write(204),
    "POST /devices/{device_id}/claim": write(200, {"rotate": True}),
    "GET /devices/{device_id}/commands": read(),
    "GET /devices/{device_id}/autop-commands": read(),
    "POST /devices/{device_id}/autop-commands": write(201, {"line": "Config.A.B.C = 1"}),
    "DELETE /devices/{device_id}/autop-commands/{command_id}": write(204),
    "POST /buildings/{building_id}/apartments": write(201, {"number": "9"}),
    "GET /buildings/{building_id}/apartments": read(),
    "GET /apartments/{apartment_id}": read(),
    "PATCH /apartments/{apartment_id}": write(200, {"name": "N"}),
    "DELETE /apartments/{apartment_id}": write(409),
    "POST /apartments/{apartment_id}/residents": write(201, PEOPLE),
    "GET /residents/{resident_id}": read(),
    "PATCH /residents/{resident_id}": write(200, {"last_name": "N"}),
    "DELETE /residents/{resident_id}": write(204),
    "GET /audit": Row((200, 200, 200, 403, 401), None, None),
}


def furnish(world: World) -> tuple[dict[str, Client], dict[str, Any]]:
    """One client a role, and the owner's objects by the names of path parameters."""
    owner = world.installer("owner")
    community = owner.community()
    building = owner.post(f"/communities/{community}/buildings", {"name": "B"})["id"]
    device = owner.bind(community, "0C1105000001")["id"]
    for mac in ("0C1105000002", "0C1105000003"):
        owner.post(f"/communities/{community}/macs", {"mac": mac})
    command = owner.post(f"/devices/{device}/autop-commands", {"line": "Config.A.B.D = 1"})["id"]
    home = owner.post(f"/buildings/{building}/apartments", {"number": "1", "resident": PEOPLE})
    with world.store.write() as session:
        hashed = session.query(Account.password_hash).filter(Account.login == "owner").scalar()
        session.add(Account(role=Role.PROPERTY_MANAGER, login="manager", password_hash=hashed))
    clients = {
        "distributor": world.client(DISTRIBUTOR),
        "owner": owner,
        "stranger": world.installer("stranger"),
        "property_manager": world.client("manager"),
        "anonymous": world.client(),
    }
    keys = {
        "account_id": owner.get("/me")["id"],
        "project_id": community,
        "building_id": building,
        "mac": "0C1105000003",
        "device_id": device,
        "command_id": command,
        "apartment_id": home["id"],
        "resident_id": home["residents"][0]["id"],
    }
    return clients, keys


def test_every_route_has_its_row(world: World) -> None:
    served = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in world.app.openapi()["paths"].items()
        for method in operations
    }
    assert served == set(MATRIX)


@pytest.mark.parametrize("route", MATRIX)
def test_roles_and_objects(world: World, route: str) -> None:
    row = MATRIX[route]
    method, path = route.split(" ")
    clients, keys = furnish(world)
    # Refusals first: what succeeds may delete the object or end a session.
    for role in sorted(ROLES, key=lambda name: row.statuses[ROLES.index(name)] < 300):
        expected = row.statuses[ROLES.index(role)]
        before = world.journal()
        answer = clients[role].http.request(method, f"/api/v1{path.format_map(keys)}", json=row.body)
        assert answer.status_code == expected, f"{role}: {answer.text}"
        if expected >= 400:
            assert world.journal() == before, f"{role}: refused, but something was written"
        if expected == 404:
            absent_keys = {name: "0C1105ABCDEF" if name == "mac" else ABSENT for name in keys}
            absent = clients[role].http.request(method, f"/api/v1{path.format_map(absent_keys)}", json=row.body)
            assert (absent.status_code, absent.content) == (404, answer.content), "foreign and absent differ"
    if row.absent is not None:
        absent_keys = {name: "0C1105ABCDEF" if name == "mac" else ABSENT for name in keys}
        actor = "distributor" if row.statuses[1] == 403 else "owner"
        answer = clients[actor].http.request(method, f"/api/v1{path.format_map(absent_keys)}", json=row.body)
        assert answer.status_code == row.absent


def test_an_object_under_the_wrong_parent_is_absent(world: World) -> None:
    clients, keys = furnish(world)
    owner = clients["owner"]
    other_community = owner.community(name="Hillside")
    other_device = owner.bind(other_community, "0C1105000055")["id"]
    owner.delete(f"/communities/{other_community}/macs/{keys['mac']}", expect=404)
    owner.delete(f"/devices/{other_device}/autop-commands/{keys['command_id']}", expect=404)


def test_audit_shows_only_what_is_the_callers(world: World) -> None:
    clients, keys = furnish(world)
    assert {row["actor"] for row in clients["stranger"].get("/audit")["items"]} == {"stranger"}
    assert {row["actor"] for row in clients["owner"].get("/audit")["items"]} == {"owner"}
    assert clients["stranger"].get(f"/audit?community_id={keys['project_id']}")["items"] == []
    everybody = {row["actor"] for row in clients["distributor"].get("/audit?limit=100")["items"]}
    assert {"owner", "stranger", DISTRIBUTOR} <= everybody
