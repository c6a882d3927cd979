"""Logging in, staying in, being thrown out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from admin_world import DISTRIBUTOR, PASSWORD, Client, World

from admin_api.auth import sessions
from admin_api.errors import UnauthenticatedError
from admin_api.usecases import accounts
from intercom_core.store.schema import Account, Audit, LoginSession


def attempt(client: Client, login: str, password: str, expect: int) -> None:
    client.post("/login", {"login": login, "password": password}, expect=expect)


def test_only_the_hash_of_a_token_is_stored(world: World) -> None:
    client = world.client(DISTRIBUTOR)
    token = client.http.headers["Authorization"].removeprefix("Bearer ")
    assert len(token) >= 43
    assert token.encode() not in world.rows(LoginSession)[0].token_sha256
    me = client.get("/me")
    assert (me["login"], me["role"]) == (DISTRIBUTOR, "distributor")


def test_logout_and_expiry_end_a_session(world: World, installer: Client) -> None:
    assert installer.post("/logout", expect=204) is None
    installer.get("/me", expect=401)
    again = world.client("ryan")
    world.time.advance(timedelta(hours=12, seconds=-1))
    again.get("/me")
    world.time.advance(timedelta(seconds=1))
    again.get("/me", expect=401)
    world.client("ryan")
    assert world.count(LoginSession) == 1, "a login sweeps out what has expired"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer " + "x" * 5000, "Bearer \xff"])
def test_odd_authorization_headers_are_nobody(world: World, header: str) -> None:
    answer = world.client().http.get("/api/v1/me", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_wrong_unknown_and_suspended_look_alike(world: World, installer: Client) -> None:
    world.client(DISTRIBUTOR).patch(f"/installers/{installer.get('/me')['id']}", {"suspended": True})
    anybody = world.client()
    attempt(anybody, "ryan", PASSWORD, 401)
    attempt(anybody, DISTRIBUTOR, "wrong password", 401)
    attempt(anybody, "nobody", PASSWORD, 401)
    assert len(set(anybody.transcript)) == 1
    installer.get("/me", expect=401)
    world.client(DISTRIBUTOR).patch(f"/installers/{world.rows(Account)[-1].id}", {"suspended": False})
    world.client("ryan").get("/me")


def test_an_email_works_as_login_when_it_is_one_accounts(world: World) -> None:
    boss = world.client(DISTRIBUTOR)
    for login in ("ryan", "mia"):
        boss.post("/installers", {"login": login, "password": PASSWORD, "name": login, "email": f"{login}@Example.org"})
    world.client("Ryan@example.org")
    boss.patch("/installers/3", {"email": "ryan@example.org"})
    attempt(world.client(), "ryan@example.org", PASSWORD, 401)


def test_guessing_is_stopped_before_hashing_and_only_for_the_guesser(world: World) -> None:
    guesser = world.client()
    for _ in range(8):
        attempt(guesser, DISTRIBUTOR, "a wrong guess", 401)
    answer = guesser.http.post("/api/v1/login", json={"login": DISTRIBUTOR.upper(), "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 901
    attempt(guesser, "ryan", PASSWORD, 401)
    world.time.advance(timedelta(minutes=16))
    attempt(guesser, DISTRIBUTOR, PASSWORD, 200)
    outcomes = {
        outcome: world.registry.get_sample_value("intercom_admin_logins_total", {"outcome": outcome})
        for outcome in ("ok", "wrong", "throttled")
    }
    assert outcomes == {"ok": 1, "wrong": 9, "throttled": 1}


def test_a_new_password_ends_the_other_sessions(world: World, installer: Client) -> None:
    other = world.client("ryan")
    change = {"current_password": "not this one", "new_password": "an even longer one"}
    problem = installer.post("/me/password", change, expect=422)
    assert problem["errors"][0]["field"] == "current_password"
    installer.post("/me/password", change | {"current_password": PASSWORD}, expect=204)
    other.get("/me", expect=401)
    installer.get("/me")
    attempt(world.client(), "ryan", PASSWORD, 401)
    world.client("ryan", "an even longer one")
    told = [row for row in world.rows(Audit) if row.action == "password_changed"]
    assert [row.after for row in told] == [{"password": "***"}]


def test_a_reset_password_is_told_once_and_ends_sessions(world: World, installer: Client) -> None:
    boss = world.client(DISTRIBUTOR)
    key = installer.get("/me")["id"]
    password = boss.post(f"/installers/{key}/reset-password", expect=200)["password"]
    installer.get("/me", expect=401)
    world.client("ryan", password)
    assert password not in str([(row.before, row.after) for row in world.rows(Audit)])


def test_an_installer_is_deleted_when_it_owns_nothing(world: World, installer: Client) -> None:
    boss, key = world.client(DISTRIBUTOR), installer.get("/me")["id"]
    community = installer.community()
    assert boss.get(f"/installers/{key}")["projects"] == 1
    assert "1 project" in boss.delete(f"/installers/{key}", expect=409)["detail"]
    installer.delete(f"/communities/{community}")
    boss.delete(f"/installers/{key}")
    installer.get("/me", expect=401)
    boss.get(f"/installers/{key}", expect=404)
    assert world.count(Account) == 1


def test_an_account_that_is_deleted_under_a_request_is_nobody(world: World, installer: Client) -> None:
    token = installer.http.headers["Authorization"].removeprefix("Bearer ")
    caller = sessions.find_principal(world.services, token, "192.0.2.1")
    world.client(DISTRIBUTOR).delete(f"/installers/{caller.principal.account_id}")
    with caller.read() as work, pytest.raises(UnauthenticatedError):
        accounts.me(work)
    with pytest.raises(UnauthenticatedError):
        accounts.change_own_password(caller, PASSWORD, "an even longer one")
