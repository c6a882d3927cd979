from __future__ import annotations

import pytest
import pytest_twisted
from sim_peers import Answer
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from simulator.http_client import HttpClient
from simulator.http_text import HttpError


@pytest_twisted.ensureDeferred
async def test_get_and_not_modified(http):
    http.routes["/a.cfg?x=1"] = Answer(body=b"abc", etag='"e1"')
    client = HttpClient(reactor, "Box 1")
    first = await client.get(f"{http.url}/a.cfg?x=1")
    assert (first.status, first.body) == (200, b"abc")
    second = await client.get(f"{http.url}/a.cfg?x=1", first.headers["etag"])
    assert (second.status, second.body) == (304, b"")
    assert http.asked[0].headers["user-agent"] == "Box 1"
    assert http.asked[0].headers["host"] == http.url.removeprefix("http://")
    assert "if-none-match" not in http.asked[0].headers


@pytest_twisted.ensureDeferred
async def test_a_silent_server_times_out_and_the_connection_is_closed(http):
    http.routes["/"] = Answer(stall=True)
    with pytest.raises(HttpError) as caught:
        await HttpClient(reactor, "Box", timeout_seconds=0.05).get(http.url)
    assert caught.value.code == "timeout"
    await http.until(lambda: not http._open)


@pytest_twisted.ensureDeferred
async def test_a_server_that_closes_half_way(http):
    http.routes["/"] = Answer(body=b"half", declared=8)
    with pytest.raises(HttpError) as caught:
        await HttpClient(reactor, "Box").get(http.url)
    assert caught.value.code == "truncated"


@pytest_twisted.ensureDeferred
async def test_an_endless_body_is_cut(http):
    http.routes["/"] = Answer(declared=3_000_000, body=b"x")
    with pytest.raises(HttpError) as caught:
        await HttpClient(reactor, "Box").get(http.url)
    assert caught.value.code == "too-large"


@pytest_twisted.ensureDeferred
async def test_no_server_is_a_connect_error(http):
    url = http.url
    await http._port.stopListening()
    with pytest.raises(HttpError) as caught:
        await HttpClient(reactor, "Box").get(url)
    assert caught.value.code == "connect"


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_gets_the_same_file(http):
    body = bytes(range(256)) * 8
    http.routes["/"] = Answer(body=body)
    client = HttpClient(reactor, "Box", pause_seconds=0.001)
    assert (await client.get(http.url)).body == body


@pytest_twisted.ensureDeferred
async def test_cancelling_stays_a_cancellation(http):
    http.routes["/"] = Answer(stall=True)
    request = Deferred.fromCoroutine(HttpClient(reactor, "Box").get(http.url))
    await http.until(lambda: http.asked)
    request.cancel()
    with pytest.raises(CancelledError):
        await request


@pytest.mark.parametrize(
    "url", ["https://x/", "http:///a", "ftp://x", "http://x:0/", "http://x/a b", "http://x/\r\nA: b", "http://x:y/"]
)
@pytest_twisted.ensureDeferred
async def test_urls_that_a_device_does_not_understand(url):
    with pytest.raises(HttpError) as caught:
        await HttpClient(reactor, "Box").get(url)
    assert caught.value.code == "bad-url"


@pytest_twisted.ensureDeferred
async def test_cancelling_while_it_connects_is_a_cancellation_too(http):
    request = Deferred.fromCoroutine(HttpClient(reactor, "Box").get(http.url))
    request.cancel()
    with pytest.raises(CancelledError):
        await request
