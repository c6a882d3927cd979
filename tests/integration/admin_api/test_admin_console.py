"""The console: a browser without scripts logs in, looks around, logs out."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from admin_world import PASSWORD, Client, World, create_client
from httpx import Response
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from intercom_core.store.schema import LoginSession, RegistrationStatus


def form_token(page: Response) -> str:
    match = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert match is not None, page.text
    return match[1]


def log_in(world: World, login: str = "ryan", password: str = PASSWORD) -> tuple[TestClient, Response]:
    browser = create_client(world)
    token = form_token(browser.get("/console/login"))
    form = {"login": login, "password": password, "form_token": token}
    return browser, browser.post("/console/login", data=form)


def test_a_day_at_the_console(world: World, installer: Client) -> None:
    browser, answer = log_in(world)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/communities")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("intercom_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/console" in cookie

    community = installer.community(name="<b>Riverside & Co</b>")
    door = installer.bind(community, "0C11050B9814", location='Gate "1"')
    with world.store.write() as session:
        session.add(
            RegistrationStatus(
                number=door["number"],
                online=True,
                last_seen=world.time.now,
                expires_at=world.time.now + timedelta(minutes=5),
                address="192.0.2.7:5062",
                user_agent="R29 <script>",
            )
        )
    listed = browser.get("/console/communities").text
    assert "&lt;b&gt;Riverside &amp; Co&lt;/b&gt;" in listed
    page = browser.get(f"/console/communities/{community}")
    assert '<meta http-equiv="refresh" content="5">' in page.text
    for shown in ("Gate &#34;1&#34;", "0C:11:05:0B:98:14", door["number"], "Online", "2031-03-01 12:00:00",
                  "192.0.2.7:5062", "R29 &lt;script&gt;", "Multi-tenant door phone", "Public area"):  # fmt: skip
        assert shown in page.text, shown
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text

    refused = browser.post("/console/logout", data={"form_token": "0" * 64})
    assert refused.status_code == 403
    browser.post("/console/logout", data={"form_token": form_token(page)})
    assert world.count(LoginSession) == 2, "only the sessions of the two API clients are left"
    assert browser.get("/console/communities").headers["location"] == "/console/login"


@pytest.mark.parametrize(("login", "password"), [("ryan", "wrong"), ("nobody", PASSWORD), ("", ""), ("a\0b", "x")])
def test_a_wrong_login_shows_the_form_again(world: World, installer: Client, login: str, password: str) -> None:
    browser, answer = log_in(world, login, password)
    assert answer.status_code == 401
    assert "The login or the password is wrong." in answer.text
    assert form_token(answer)
    assert "intercom_session" not in browser.cookies


def test_a_login_form_from_elsewhere_is_refused(world: World, installer: Client) -> None:
    form = {"login": "ryan", "password": PASSWORD, "form_token": "0" * 64}
    assert create_client(world).post("/console/login", data=form).status_code == 403
    browser = create_client(world)
    browser.get("/console/login")
    assert browser.post("/console/login", data=form).status_code == 403
    assert world.count(LoginSession) == 2


def test_refusals_are_pages(world: World, installer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, _ = log_in(world)
    torn = {"Content-Type": "multipart/form-data; boundary=x"}
    answers = [browser.post("/console/login", content=b"torn", headers=torn)]

    def busy(*_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr("admin_api.usecases.communities.list_page", busy)
    answers.append(browser.get("/console/communities"))
    assert [answer.status_code for answer in answers] == [400, 503]
    assert all(answer.headers["content-type"].startswith("text/html") for answer in answers)


def test_foreign_and_absent_communities_look_alike(world: World, installer: Client) -> None:
    community = installer.community()
    world.installer("mia")
    browser, _ = log_in(world, "mia")
    foreign, absent = (browser.get(f"/console/communities/{key}") for key in (community, 999))
    assert (foreign.status_code, foreign.text) == (404, absent.text)
    assert foreign.headers["content-type"].startswith("text/html")
    assert browser.get("/console/communities/x").status_code == 404
    assert browser.get("/console/communities?cursor=%21").status_code == 422


def test_without_a_session_every_page_leads_to_the_login(world: World) -> None:
    browser = create_client(world)
    for path in ("/console/communities", "/console/communities/1"):
        assert browser.get(path).headers["location"] == "/console/login"
    assert browser.get("/console/").headers["location"] == "/console/communities"
    style = browser.get("/console/static/console.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


def test_the_session_cookie_is_no_key_to_the_api(world: World, installer: Client) -> None:
    browser, _ = log_in(world)
    assert (
        browser.get(
            "/api/v1/me", headers={"Cookie": f"intercom_session={browser.cookies['intercom_session']}"}
        ).status_code
        == 401
    )
