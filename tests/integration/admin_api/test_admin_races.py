"""Two at once: one wins, the other gets a clear 409, and no number is given out twice. On both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from admin_world import COMMUNITY, Client, World, open_world
from httpx import Response
from sqlalchemy import QueuePool, text

from admin_api.auth import sessions
from admin_api.schemas.homes import ResidentCreate
from admin_api.services import WRITERS_AT_ONCE
from admin_api.usecases import residents
from intercom_core.store.engine import Store
from intercom_core.store.schema import Account, Apartment, Audit, Building, Device, MacEntry, Resident, SipAccount

MAC = "0C11050B9814"


def at_once(*requests: Callable[[], Response]) -> list[Response]:
    """Sends the requests from threads that start together; answers in order of status."""
    start = threading.Barrier(len(requests))

    def run(send: Callable[[], Response]) -> Response:
        start.wait(10)
        return send()

    with ThreadPoolExecutor(len(requests)) as threads:
        return sorted(threads.map(run, requests), key=lambda answer: answer.status_code)


def posts(client: Client, path: str, *bodies: Any) -> list[Response]:
    return at_once(*(lambda body=body: client.http.post(f"/api/v1{path}", json=body) for body in bodies))


def one_wins(answers: list[Response], field: str) -> None:
    assert [answer.status_code for answer in answers] == [201] + [409] * (len(answers) - 1)
    for loser in answers[1:]:
        assert [error["field"] for error in loser.json()["errors"]] == [field]


def test_races_end_in_one_201_and_one_409(both_worlds: World) -> None:
    world = both_worlds
    ryan = world.installer("ryan")
    community = ryan.community()
    one_wins(posts(ryan, f"/communities/{community}/buildings", *[{"name": "Building 1"}] * 4), "name")
    building = world.rows(Building)[0].id
    one_wins(posts(ryan, f"/communities/{community}/macs", *[{"mac": MAC}] * 4), "mac")
    device = {"mac": MAC, "type": 0, "location": "Gate"}
    one_wins(posts(ryan, f"/communities/{community}/devices", *[device] * 4), "mac")
    one_wins(posts(ryan, f"/buildings/{building}/apartments", *[{"number": "403"}] * 4), "number")
    assert [world.count(table) for table in (Building, MacEntry, Device, Apartment)] == [1, 1, 1, 1]
    assert world.count(SipAccount) == 2
    assert world.count(Audit, Audit.action == "created", Audit.entity == "device") == 1


def test_two_installers_want_the_same_mac_and_two_distributors_the_same_login(both_worlds: World) -> None:
    world = both_worlds
    ryan, mia = world.installer("ryan"), world.installer("mia")
    paths = [(client, client.community()) for client in (ryan, mia)]
    answers = at_once(
        *(
            lambda c=client, p=community: c.http.post(f"/api/v1/communities/{p}/macs", json={"mac": MAC})
            for client, community in paths
        )
    )
    one_wins(answers, "mac")
    body = {"login": "lena", "password": "a long password", "name": "Lena"}
    boss = world.client("distributor")
    one_wins(posts(boss, "/installers", *[body] * 2), "login")
    assert world.count(Account, Account.login == "lena") == 1


def test_numbers_are_never_given_out_twice(both_worlds: World) -> None:
    ryan = both_worlds.installer("ryan")
    building = ryan.post(f"/communities/{ryan.community()}/buildings", {"name": "B"})["id"]
    person = {"first_name": "A", "last_name": "B"}
    bodies = [{"number": str(n), "resident": person} for n in range(1, 9)]
    answers = posts(ryan, f"/buildings/{building}/apartments", *bodies)
    assert {answer.status_code for answer in answers} == {201}
    homes = [answer.json() for answer in answers]
    assert sorted(home["family_number"] for home in homes) == [str(5926000001 + n) for n in range(8)]
    assert sorted(home["residents"][0]["number"] for home in homes) == [str(5926100001 + n) for n in range(8)]


def test_a_building_is_not_deleted_under_an_apartment_that_moves_in(both_worlds: World) -> None:
    world = both_worlds
    ryan = world.installer("ryan")
    building = ryan.post(f"/communities/{ryan.community()}/buildings", {"name": "B"})["id"]
    answers = at_once(
        lambda: ryan.http.post(f"/api/v1/buildings/{building}/apartments", json={"number": "1"}),
        lambda: ryan.http.delete(f"/api/v1/buildings/{building}"),
    )
    assert [answer.status_code for answer in answers] in ([201, 409], [204, 404], [204, 409])
    assert world.count(Building) == world.count(Apartment)


@pytest.mark.postgres
def test_a_master_does_not_move_out_while_family_moves_in(postgres_store: Store, tmp_path: Path, portal: Any) -> None:
    world = open_world(postgres_store, tmp_path, portal)
    ryan = world.installer("ryan")
    building = ryan.post(f"/communities/{ryan.community()}/buildings", {"name": "B"})["id"]
    person = {"first_name": "A", "last_name": "B"}
    home = ryan.post(f"/buildings/{building}/apartments", {"number": "1", "resident": person})
    master = home["residents"][0]["id"]
    token = ryan.http.headers["Authorization"].removeprefix("Bearer ")
    caller = sessions.find_principal(world.services, token, "")
    with ThreadPoolExecutor(1) as thread:
        with caller.write() as work:
            residents.add(work, home["id"], ResidentCreate(**person))
            leaving = thread.submit(ryan.http.delete, f"/api/v1/residents/{master}")
            until(lambda: leaving.done() or waiting_for_locks(world) > 0)
        assert leaving.result(10).status_code == 409
    assert world.count(Resident, Resident.master.is_(True)) == 1


def test_reads_go_on_while_writers_wait_for_the_database(world: World) -> None:
    ryan = world.installer("ryan")
    pool = cast(QueuePool, world.store.engine.pool)
    with ThreadPoolExecutor(pool.size()) as threads:
        with world.store.write():
            writers = [
                threads.submit(ryan.http.post, "/api/v1/communities", json=COMMUNITY) for _ in range(pool.size())
            ]
            until(lambda: pool.checkedout() > WRITERS_AT_ONCE)
            assert ryan.get("/communities")["items"] == []
        assert {writer.result(30).status_code for writer in writers} == {201}


def waiting_for_locks(world: World) -> int:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with world.store.read() as session:
        return session.scalar(text(waiting)) or 0


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
