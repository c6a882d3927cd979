"""The parts of the demo; the demo as a whole runs in the end-to-end tests."""

from __future__ import annotations

import json
import os
import sys

import pytest
import pytest_twisted
from sim_peers import Answer
from twisted.internet import reactor

from simulator.demo import DemoError, _remove
from simulator.http_client import HttpClient
from simulator.rest_client import ApiError, RestClient
from simulator.suite_process import SuiteError, SuiteProcess

GREETS = "print('distributor password: s3cret', flush=True); print('ready in 0.1 s', flush=True); input()"


@pytest_twisted.ensureDeferred
async def test_the_token_of_the_login_goes_with_later_calls(http):
    http.routes["/api/v1/login"] = Answer(body=b'{"token": "t1"}')
    http.routes["/api/v1/x"] = Answer(body=b'{"id": 7}')
    client = await RestClient(HttpClient(reactor, "x"), f"{http.url}/api/v1").login("me", "pw")
    assert (await client.patch("/x", name="é")) == {"id": 7}
    login, call = http.asked
    assert json.loads(login.body) == {"login": "me", "password": "pw"}
    assert (call.method, call.headers["authorization"]) == ("PATCH", "Bearer t1")
    assert json.loads(call.body) == {"name": "é"}


@pytest.mark.parametrize(
    "body", [b'{"title": "Invalid", "errors": [{"field": "mac", "message": "12 digits"}]}', b"<html>", b"[]"]
)
@pytest_twisted.ensureDeferred
async def test_a_refusal_tells_the_call_and_the_reason(http, body):
    http.routes["/x"] = Answer(422, body)
    with pytest.raises(ApiError, match=r"POST /x -> 422: (Invalid; mac: 12 digits|no reason given)"):
        await RestClient(HttpClient(reactor, "x"), http.url).post("/x")


@pytest_twisted.ensureDeferred
async def test_the_suite_is_ready_when_it_says_so_and_its_password_is_not_logged(tmp_path):
    log = tmp_path / "d" / "suite.log"
    suite = SuiteProcess(reactor, [sys.executable, "-c", GREETS], log)
    await suite.start(reactor, os.environ, 10.0)
    assert suite.greeting["distributor password"] == "s3cret"
    await suite.stop()
    assert log.read_text() == "distributor password: (shown once)\nready in 0.1 s\n"


@pytest_twisted.ensureDeferred
async def test_a_suite_that_ends_at_once_is_told_with_its_last_words(tmp_path):
    suite = SuiteProcess(reactor, [sys.executable, "-c", "raise SystemExit('port 8000 is in use')"], tmp_path / "log")
    with pytest.raises(SuiteError, match="port 8000 is in use"):
        await suite.start(reactor, os.environ, 10.0)
    await suite.stop()


def test_only_the_data_of_a_demo_is_removed(tmp_path):
    other, old, empty = tmp_path / "other", tmp_path / "old", tmp_path / "empty"
    for path in (other, old, empty):
        path.mkdir()
    (other / "thesis.txt").touch()
    (old / "suite.log").touch()
    with pytest.raises(DemoError):
        _remove(other)
    _remove(old)
    _remove(empty)
    _remove(tmp_path / "none")
    assert (other / "thesis.txt").exists()
    assert not old.exists()
