"""A day of an installer: from the distributor's first login to a door phone, an apartment and its people."""

from __future__ import annotations

import json
from datetime import timedelta

from admin_world import COMMUNITY, DISTRIBUTOR, PASSWORD, Client, World

from intercom_core.security.sip import ha1, ha1_context, secret_context, token_context
from intercom_core.store.schema import (
    Audit,
    ChangeLog,
    Command,
    Device,
    DeviceConfig,
    RegistrationStatus,
    SipAccount,
    SipNumber,
)

DOOR, MONITOR = "0C11050B9814", "0C11050893C6"
RELAYS = [
    {"name": "Gate", "dtmf_code": "#", "unlock_in_homepage": True, "unlock_in_talking_page": True},
    {"name": "Garage", "dtmf_code": "2*", "enabled": False, "unlock_in_homepage": False},
]


def build_riverside(world: World) -> tuple[Client, dict[str, int]]:
    """Everything of the day up to the resident; returns the installer and the ids."""
    world.client(DISTRIBUTOR).post("/installers", {"login": "ryan", "password": PASSWORD, "name": "Ryan Chen"})
    ryan = world.client("ryan")
    community = ryan.post("/communities", COMMUNITY | {"number_of_apartments": 20, "pin_mode": "apt+pin"})["id"]
    building = ryan.post(f"/communities/{community}/buildings", {"name": "Building 1"})["id"]
    for mac in ("0c:11:05:0b:98:14", MONITOR):
        ryan.post(f"/communities/{community}/macs", {"mac": mac})
    door = ryan.post(
        f"/communities/{community}/devices",
        {"mac": DOOR, "type": 0, "building_id": building, "location": "Gate1", "relays": RELAYS},
    )["id"]
    apartment = ryan.post(
        f"/buildings/{building}/apartments",
        {
            "number": "403",
            "name": "Ryan",
            "indoor_monitor": {"mac": MONITOR, "location": "Living room", "arming": True},
            "resident": {"first_name": "Ryan", "last_name": "Chen", "email": "ryan@example.org"},
        },
    )["id"]
    ids = {"community": community, "building": building, "door": door, "apartment": apartment}
    return ryan, ids


def test_a_home_gets_its_numbers_and_every_unit_its_own_secret(world: World) -> None:
    ryan, ids = build_riverside(world)

    home = ryan.get(f"/apartments/{ids['apartment']}")
    door = ryan.get(f"/devices/{ids['door']}")
    resident, monitor = home["residents"][0], home["devices"][0]
    assert home["family_number"] == "5926000001"
    assert [door["number"], monitor["number"], resident["number"]] == ["5926100001", "5926100002", "5926100003"]
    assert resident["master"] is True
    assert monitor | {"id": 0} == {
        "id": 0, "mac": MONITOR, "type": 2, "location": "Living room", "number": "5926100002"
    }  # fmt: skip
    assert [relay["dtmf_code"] for relay in door["relays"]] == ["#", "2*"]
    assert [relay["enabled"] for relay in door["relays"]] == [True, False]
    assert door["status"] == {"online": False, "last_connection": None, "address": "", "user_agent": ""}
    assert door["config"] == {"in_step": False, "served_at": None}
    assert door["claim"]["open_until"] == "2031-03-04T12:00:00Z"

    boxes = world.services
    secrets = set()
    for account in world.rows(SipAccount):
        if account.kind == "family":
            assert account.sealed_secret is None
            assert account.sealed_ha1 is None
            continue
        secret = boxes.provisioning_box.open(account.sealed_secret, secret_context(account.number)).decode()
        expected = ha1(account.number, "sip.example", secret).pack()
        assert boxes.sip_box.open(account.sealed_ha1, ha1_context(account.number)) == expected
        secrets.add(secret)
    for device in world.rows(Device):
        secrets.add(boxes.provisioning_box.open(device.sealed_token, token_context(device.mac)).decode())
    assert len(secrets) == 5
    assert min(map(len, secrets)) >= 24


def test_no_secret_is_in_any_answer_nor_in_the_audit_trail(world: World) -> None:
    ryan, ids = build_riverside(world)
    ryan.post(f"/devices/{ids['door']}/autop-commands", {"line": "Config.Account1.GENERAL.Pwd = hunter2hunter2"})
    everything = [
        f"/communities/{ids['community']}/devices",
        f"/buildings/{ids['building']}/apartments",
        f"/devices/{ids['door']}",
        "/audit?limit=100",
    ]
    for path in everything:
        ryan.get(path)
    told = "\n".join(ryan.transcript)

    boxes = world.services
    for account in world.rows(SipAccount):
        if account.sealed_secret is not None:
            assert (
                boxes.provisioning_box.open(account.sealed_secret, secret_context(account.number)).decode() not in told
            )
    for device in world.rows(Device):
        assert boxes.provisioning_box.open(device.sealed_token, token_context(device.mac)).decode() not in told
    assert PASSWORD not in told
    assert "sealed" not in told
    assert "argon2" not in told
    trail = json.dumps([row.after for row in world.rows(Audit)])
    assert "hunter2" not in trail


def test_status_shows_what_the_sip_server_knows_until_it_expires(world: World) -> None:
    ryan, ids = build_riverside(world)
    number = ryan.get(f"/devices/{ids['door']}")["number"]
    with world.store.write() as session:
        session.add(
            RegistrationStatus(
                number=number,
                online=True,
                last_seen=world.time.now,
                expires_at=world.time.now + timedelta(seconds=300),
                address="192.0.2.7:5062",
                user_agent="Akuvox R29 29.30.2.805",
            )
        )
        session.add(DeviceConfig(device_id=ids["door"], desired_digest="aa", served_digest="aa"))

    door = ryan.get(f"/devices/{ids['door']}")
    assert door["status"]["online"] is True
    assert door["status"]["address"] == "192.0.2.7:5062"
    assert door["status"]["last_connection"] == "2031-03-01T12:00:00Z"
    assert door["config"]["in_step"] is True
    community = ryan.get(f"/communities/{ids['community']}")
    assert (community["devices"], community["devices_online"], community["end_users"]) == (2, 1, 1)

    world.time.advance(timedelta(seconds=301))
    assert ryan.get(f"/devices/{ids['door']}")["status"]["online"] is False
    assert ryan.get(f"/communities/{ids['community']}")["devices_online"] == 0


def test_renaming_a_relay_keeps_positions_and_says_what_changed(world: World) -> None:
    ryan, ids = build_riverside(world)
    changed = [RELAYS[0] | {"name": "Main gate"}, RELAYS[1]]
    door = ryan.patch(f"/devices/{ids['door']}", {"relays": changed})

    assert [(relay["position"], relay["name"]) for relay in door["relays"]] == [(1, "Main gate"), (2, "Garage")]
    last = ryan.get("/audit?limit=1")["items"][0]
    assert (last["actor"], last["action"], last["entity"]) == ("ryan", "updated", "device")
    assert list(last["before"]) == ["relays"]
    assert last["after"]["relays"][0]["name"] == "Main gate"
    change = world.rows(ChangeLog)[-1]
    assert (change.entity, change.entity_id, change.action) == ("device", ids["door"], "updated")

    before = world.journal()
    ryan.patch(f"/devices/{ids['door']}", {"relays": changed})
    assert world.journal() == before, "an edit that changes nothing reaches nobody"


def test_autop_commands_come_and_go(world: World) -> None:
    ryan, ids = build_riverside(world)
    path = f"/devices/{ids['door']}/autop-commands"
    line = "Config.Settings.LANGUAGE.WebLang = 0"
    command = ryan.post(path, {"line": line})
    assert ryan.get(path)["items"] == [command]
    assert command["line"] == line
    ryan.delete(f"{path}/{command['id']}")
    assert ryan.get(path)["items"] == []
    ryan.delete(f"{path}/{command['id']}", expect=404)


def test_reopening_a_claim_and_rotating_the_secret_url(world: World) -> None:
    ryan, ids = build_riverside(world)
    with world.store.write() as session:
        device = session.get_one(Device, ids["door"])
        device.claimed_at, device.claimed_from, device.claim_open_until = world.time.now, "192.0.2.7", None
        token = device.sealed_token
    world.time.advance(timedelta(hours=1))

    claim = ryan.post(f"/devices/{ids['door']}/claim", expect=200)["claim"]
    assert claim == {"open_until": "2031-03-04T13:00:00Z", "claimed_at": None, "claimed_from": ""}
    with world.store.read() as session:
        assert session.get_one(Device, ids["door"]).sealed_token == token

    ryan.post(f"/devices/{ids['door']}/claim", {"rotate": True}, expect=200)
    with world.store.read() as session:
        rotated = session.get_one(Device, ids["door"]).sealed_token
    opened = [world.services.provisioning_box.open(sealed, token_context(DOOR)) for sealed in (token, rotated)]
    assert opened[0] != opened[1]
    assert world.count(ChangeLog, ChangeLog.entity == "claim", ChangeLog.entity_id == ids["door"]) == 2


def test_commands_are_listed_newest_first(world: World) -> None:
    ryan, ids = build_riverside(world)
    with world.store.write() as session:
        for state in ("done", "pending"):
            session.add(
                Command(kind="check_sync", device_id=ids["door"], project_id=ids["community"], state=state, payload={})
            )
    listed = ryan.get(f"/devices/{ids['door']}/commands")["items"]
    assert [row["state"] for row in listed] == ["pending", "done"]
    assert ryan.get(f"/devices/{ids['door']}")["pending_commands"] == 1


def test_family_members_follow_the_master(world: World) -> None:
    ryan, ids = build_riverside(world)
    people = f"/apartments/{ids['apartment']}/residents"
    jim = ryan.post(people, {"first_name": "Jim", "last_name": "Wang", "email": "jim@example.org"})
    assert (jim["master"], jim["number"]) == (False, "5926100004")
    ryan.post(people, {"first_name": "A", "last_name": "B", "master": True}, expect=409)
    refused = ryan.patch(f"/residents/{jim['id']}", {"email": "other@example.org"}, expect=409)
    assert refused["errors"][0]["field"] == "email"
    assert ryan.patch(f"/residents/{jim['id']}", {"mobile": "+49 30 1234"})["mobile"] == "+49 30 1234"
    master = ryan.get(f"/apartments/{ids['apartment']}")["residents"][0]
    ryan.delete(f"/residents/{master['id']}", expect=409)
    ryan.delete(f"/residents/{jim['id']}")
    ryan.delete(f"/residents/{master['id']}")


def test_deleting_frees_the_mac_and_rests_the_number(world: World) -> None:
    ryan, ids = build_riverside(world)
    library = f"/communities/{ids['community']}/macs"
    assert ryan.delete(f"{library}/{DOOR}", expect=409)["errors"][0]["field"] == "mac"
    ryan.delete(f"/buildings/{ids['building']}", expect=409)
    detail = ryan.delete(f"/communities/{ids['community']}", expect=409)["detail"]
    assert "1 building(s)" in detail
    assert "2 device(s)" in detail

    ryan.delete(f"/devices/{ids['door']}")
    assert ryan.get(f"{library}?bound=false")["items"][0]["mac"] == DOOR
    with world.store.read() as session:
        assert session.get_one(SipNumber, "5926100001").reusable_at == world.time.now + timedelta(days=90)
    ryan.delete(f"/apartments/{ids['apartment']}", expect=409)
    ryan.delete(f"/apartments/{ids['apartment']}?cascade=true")
    assert world.count(SipAccount) == 0
    again = ryan.post(f"/communities/{ids['community']}/devices", {"mac": DOOR, "type": 0, "location": "Gate"})
    assert again["number"] == "5926100004", "a number in quarantine is not given out"
    ryan.delete(f"/devices/{again['id']}")
    ryan.delete(f"/buildings/{ids['building']}")
    ryan.delete(f"/communities/{ids['community']}")
    other = world.installer("mia")
    community = other.community()
    other.bind(community, DOOR)
