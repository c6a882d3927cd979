"""Bad input gets a clear problem with its field, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from admin_world import COMMUNITY, DISTRIBUTOR, PASSWORD, Client, World, open_world
from anyio.from_thread import BlockingPortal

from intercom_core.store.engine import Store, open_engine
from intercom_core.store.migrate import migrate
from intercom_core.store.schema import Apartment, Device, NumberPool, Resident, SipAccount

MAC = "0C11050B9814"


@dataclass(frozen=True)
class Calm:
    """An installation that only ever sees refusals, so its tests can share it: a community with a building, an unbound
    MAC, a door phone and an apartment 403."""

    world: World
    installer: Client
    community: int
    building: int
    door: int
    apartment: int

    def refuses(self, path: str, body: Any, status: int, field: str, words: str) -> None:
        refused(self.world, self.installer.post, path, body, status, field, words)


def settle(world: World) -> Calm:
    installer = world.installer("ryan")
    community = installer.community()
    building = installer.post(f"/communities/{community}/buildings", {"name": "Building 1"})["id"]
    installer.post(f"/communities/{community}/macs", {"mac": MAC})
    door = installer.bind(community, "0C1105000001")["id"]
    apartment = installer.post(f"/buildings/{building}/apartments", {"number": "403"})["id"]
    return Calm(world, installer, community, building, door, apartment)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def calm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, portal: BlockingPortal
) -> Iterator[Calm]:
    folder = tmp_path_factory.mktemp("calm")
    url = f"sqlite:///{folder / 'suite.db'}" if request.param == "sqlite" else new_database(request)
    store = Store(open_engine(url))
    migrate(store)
    yield settle(open_world(store, folder, portal))
    store.close()


def new_database(request: pytest.FixtureRequest) -> str:
    from tests.conftest import create_database

    url: str = request.getfixturevalue("postgres_url")
    create_database(url, "calm", "base")
    return f"{url}/calm"


@pytest.fixture
def place(world: World) -> Calm:
    """The same, for a test that changes it."""
    return settle(world)


def refused(world: World, send: Any, path: str, body: Any, status: int, field: str, words: str) -> None:
    before = world.journal()
    problem = send(path, body, expect=status)
    found = {error["field"]: error["message"] for error in problem["errors"]}
    assert field in found, problem
    assert words in found[field], problem
    assert world.journal() == before


DEVICE = {"mac": MAC, "type": 0, "location": "Gate1"}


@pytest.mark.parametrize(
    ("change", "status", "field", "words"),
    [
        ({"mac": "0C11050B981"}, 422, "mac", "12 hexadecimal digits"),
        ({"mac": "0C11050B98ZZ"}, 422, "mac", "12 hexadecimal digits"),
        ({"mac": "0C1105FFFFFF"}, 422, "mac", "not in the MAC library"),
        ({"mac": "0C1105000001"}, 409, "mac", "bound to another device"),
        ({"mac": None}, 422, "mac", "string"),
        ({"type": 7}, 422, "type", "0, 1, 2, 3, 50"),
        ({"type": "0"}, 422, "type", "integer"),
        ({"type": True}, 422, "type", "integer"),
        ({"location": ""}, 422, "location", "empty"),
        ({"location": "x" * 65}, 422, "location", "64 characters"),
        ({"location": "Gate\n1"}, 422, "location", "Control characters"),
        ({"location": "Gate\u0000"}, 422, "location", "Control characters"),
        ({"location": "\ud800"}, 422, "location", "Control characters"),
        ({"network_group": 0}, 422, "network_group", "1"),
        ({"network_group": 11}, 422, "network_group", "10"),
        ({"contacts_setting": "all"}, 422, "contacts_setting", "apartments"),
        ({"building_id": 999}, 422, "building_id", "no such place"),
        ({"building_id": 2**70}, 422, "building_id", "less than"),
        ({"arming": True}, 422, "arming", "indoor monitors"),
        ({"relays": [{"dtmf_code": "#"}]}, 422, "relays.0.name", "required"),
        ({"relays": [{"name": ""}]}, 422, "relays.0.name", "empty"),
        ({"relays": [{"name": "A"}, {"name": "B", "dtmf_code": "A1"}]}, 422, "relays.1.dtmf_code", "0-9"),
        ({"relays": [{"name": "A", "dtmf_code": "12345"}]}, 422, "relays.0.dtmf_code", "at most 4"),
        ({"relays": [{"name": "A"}] * 5}, 422, "relays", "at most 4 relays"),
        ({"type": 2, "relays": [{"name": "A"}] * 3}, 422, "relays", "at most 2 relays"),
        ({"colour": "red"}, 422, "colour", "no such field"),
    ],
)
def test_devices(calm: Calm, change: dict[str, Any], status: int, field: str, words: str) -> None:
    calm.refuses(f"/communities/{calm.community}/devices", DEVICE | change, status, field, words)
    assert calm.world.count(Device) == 1
    assert calm.world.count(SipAccount) == 2


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"time_zone": "Asia/Atlantis"}, "time_zone", "IANA"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "IANA"),
        ({"name": "x" * 65}, "name", "64"),
        ({"name": "River\u2028side"}, "name", "Control"),
        ({"name": "x" * 5000}, "name", "64"),
        ({"name": None}, "name", "string"),
        ({"street": ""}, "street", "empty"),
        ({"feature_plan": "gold"}, "feature_plan", "basic"),
        ({"time_format": "25h"}, "time_format", "12h"),
        ({"date_format": "D.M.Y"}, "date_format", "D-M-Y"),
        ({"pin_mode": "none"}, "pin_mode", "apt+pin"),
        ({"language": "tlh"}, "language", "en"),
        ({"number_of_apartments": -1}, "number_of_apartments", "0"),
        ({"landline": "yes"}, "landline", "boolean"),
        ({"landline": True, "feature_plan": "basic"}, "landline", "premium"),
        ({"owner_id": 1}, "owner_id", "no such field"),
    ],
)
def test_communities(calm: Calm, change: dict[str, Any], field: str, words: str) -> None:
    calm.refuses("/communities", COMMUNITY | change, 422, field, words)


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        ({"number": "4o3"}, 422, "number", "1 to 6 digits"),
        ({"number": "1234567"}, 422, "number", "1 to 6 digits"),
        ({"number": ""}, 422, "number", "1 to 6 digits"),
        ({"number": "\uff14\uff10\uff14"}, 422, "number", "1 to 6 digits"),
        ({"number": 404}, 422, "number", "string"),
        ({"number": "403"}, 409, "number", "apartment with this number"),
        ({"number": "404", "call_type": "9"}, 422, "call_type", "'5'"),
        ({"number": "404", "resident": {"first_name": "A"}}, 422, "resident.last_name", "required"),
        (
            {"number": "404", "resident": {"first_name": "A", "last_name": "B", "email": "a@b"}},
            422, "resident.email", "e-mail",
        ),
        (
            {"number": "404", "resident": {"first_name": "A", "last_name": "B", "landlines": ["1 1", "x"]}},
            422, "resident.landlines.1", "telephone",
        ),
        (
            {"number": "404", "indoor_monitor": {"mac": "0C1105FFFFFF", "location": "Hall"}},
            422, "indoor_monitor.mac", "not in the MAC library",
        ),
        (
            {"number": "404", "indoor_monitor": {"mac": "0C1105000001", "location": "Hall"}},
            409, "indoor_monitor.mac", "bound",
        ),
        (
            {"number": "404", "indoor_monitor": {"mac": MAC, "location": "Hall", "relays": [{"name": "A"}] * 3}},
            422, "indoor_monitor.relays", "at most 2",
        ),
    ],
)  # fmt: skip
def test_apartments(calm: Calm, body: dict[str, Any], status: int, field: str, words: str) -> None:
    calm.refuses(f"/buildings/{calm.building}/apartments", body, status, field, words)
    assert calm.world.count(Apartment) == 1
    assert calm.world.count(Resident) == 0
    assert calm.world.count(NumberPool, NumberPool.next_number == 5926000002) == 1, "no number was used up"


def test_on_the_basic_plan_an_apartment_needs_its_monitor(world: World, installer: Client) -> None:
    community = installer.community(feature_plan="basic")
    building = installer.post(f"/communities/{community}/buildings", {"name": "B"})["id"]
    path = f"/buildings/{building}/apartments"
    refused(world, installer.post, path, {"number": "1"}, 422, "indoor_monitor", "basic plan")
    installer.post(f"/communities/{community}/macs", {"mac": MAC})
    installer.post(path, {"number": "1", "indoor_monitor": {"mac": MAC, "location": "Hall"}})


def test_the_feature_plan_stays(world: World, installer: Client) -> None:
    community = installer.community()
    path = f"/communities/{community}"
    refused(world, installer.patch, path, {"feature_plan": "basic"}, 409, "feature_plan", "can't be changed")
    edited = installer.patch(path, {"feature_plan": "premium", "time_zone": "Europe/Berlin"})
    assert edited["time_zone"] == "Europe/Berlin"
    refused(world, installer.patch, path, {"name": None}, 422, "name", "string")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("reboot", "looks like"),
        ("Config.A.B = 1", "looks like"),
        ("Config.A.B.C = 1\nConfig.A.B.D = 2", "line breaks"),
        ("Config.Autoprovision.RESET_FACTORY.Enable = 1", "not allowed"),
        ("Config.A.B.C = " + "x" * 1024, "1024"),
        ("Config.A.B.C =" + "x" * 1010, "1024"),
    ],
)
def test_autop_commands(calm: Calm, line: str, words: str) -> None:
    calm.refuses(f"/devices/{calm.door}/autop-commands", {"line": line}, 422, "line", words)


def test_macs_and_buildings_are_there_once(world: World, place: Calm) -> None:
    installer = place.installer
    library = f"/communities/{place.community}/macs"
    refused(world, installer.post, library, {"mac": "0c-11-05-0b-98-14"}, 409, "mac", "this MAC library")
    stranger = world.installer("mia")
    other = stranger.community()
    refused(world, stranger.post, f"/communities/{other}/macs", {"mac": MAC}, 409, "mac", "another project")
    refused(world, stranger.post, f"/communities/{other}/devices", DEVICE, 422, "mac", "not in the MAC library")
    path = f"/communities/{place.community}/buildings"
    refused(world, installer.post, path, {"name": "Building 1"}, 409, "name", "this name")
    refused(world, installer.post, path, {"name": "x" * 129}, 422, "name", "128")
    second = installer.post(path, {"name": "x" * 128})["id"]
    refused(world, installer.patch, f"/buildings/{second}", {"name": "Building 1"}, 409, "name", "this name")


def test_a_place_of_another_community_is_no_place(world: World, place: Calm) -> None:
    installer = place.installer
    elsewhere = installer.community(name="Hillside")
    building = installer.post(f"/communities/{elsewhere}/buildings", {"name": "B"})["id"]
    path = f"/communities/{place.community}/devices"
    refused(world, installer.post, path, DEVICE | {"building_id": building}, 422, "building_id", "no such place")
    both = {"building_id": place.building, "apartment_id": place.apartment}
    refused(world, installer.post, path, DEVICE | both, 422, "building_id", "not in both")


def test_all_field_errors_come_at_once(installer: Client) -> None:
    problem = installer.post("/communities", {"name": "", "time_zone": "X", "extra": 1}, expect=422)
    fields = {error["field"] for error in problem["errors"]}
    assert {"name", "time_zone", "street", "city", "post_code", "state", "country", "feature_plan"} < fields
    assert len(fields) == 9
    assert problem["type"] == "urn:intercom:problem:invalid"
    assert problem["title"] == "Unprocessable Entity"
    installer.post("/communities", COMMUNITY | {"extra\ud800": 1}, expect=422)


def test_installers(world: World) -> None:
    boss = world.client(DISTRIBUTOR)
    good = {"login": "ryan", "password": PASSWORD, "name": "Ryan"}
    boss.post("/installers", good)
    refused(world, boss.post, "/installers", good | {"login": "RYAN"}, 409, "login", "taken")
    refused(world, boss.post, "/installers", good | {"login": "r"}, 422, "login", "3 to 64")
    refused(world, boss.post, "/installers", good | {"login": "mia", "password": "short"}, 422, "password", "10")
    refused(
        world, boss.post, "/installers", good | {"login": "mia", "password": "\ud800" * 12}, 422, "password", "text"
    )


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"", 422),
        (b"null", 422),
        (b"[" * 100_000, 400),
        (b'{"name": NaN}', 422),
        (b"x" * (1024 * 1024 + 1), 413),
    ],
)
def test_bodies_that_are_none(calm: Calm, content: bytes, status: int) -> None:
    before = calm.world.journal()
    answer = calm.installer.http.post(
        "/api/v1/communities", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert calm.world.journal() == before


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=%21%21", "cursor=bm8", "q=%00", f"q={'x' * 300}"]
)
def test_lists_refuse_bad_queries(calm: Calm, query: str) -> None:
    problem = calm.installer.get(f"/communities?{query}", expect=422)
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("key", ["0", "-1", "x", "1e3", str(2**63), str(2**80), "%00", "..%2f"])
def test_odd_ids_are_absent_objects(calm: Calm, key: str) -> None:
    assert calm.installer.get(f"/devices/{key}", expect=404)["detail"] == "There is no such object."


def test_an_exhausted_pool_is_told_clearly(world: World, place: Calm) -> None:
    installer = place.installer
    with world.store.write() as session:
        for pool in session.query(NumberPool):
            pool.next_number = pool.last_number + 1
    before = world.journal()
    problem = installer.post(f"/communities/{place.community}/devices", DEVICE, expect=409)
    assert problem["type"].endswith(":pool-exhausted")
    assert "personal number pool is used up" in problem["detail"]
    assert world.journal() == before
