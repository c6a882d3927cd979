"""The HTTP edge over real sockets. Clients block, so each runs in a thread."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from provisiond.autop.answers import Answers, ClaimRequest, Refusal, Response, bootstrap_response
from provisiond.autop.claim import Verdict
from provisiond.autop.http import ConfigFactory, Limits
from provisiond.autop.request_reader import HEAD_LIMIT
from provisiond.autop.shelf import Shelf
from tests.unit.provisiond.samples import MAC, NOON, TOKEN, entry

reactor: Any = _reactor
DEVICE = f"/d/{TOKEN}/{MAC}.cfg"
BODY = entry().files.device.body


class World:
    """A listening edge with one device on the shelf; `claim` decides what a claim brings."""

    def __init__(self, limits: Limits) -> None:
        self.shelf = Shelf()
        self.shelf.put(entry())
        self.answered: list[Response] = []
        self.ended: list[str] = []
        self.claim: Callable[[ClaimRequest], Response] = lambda w: bootstrap_response(w.entry, Verdict.GRANT, w.source)
        self.ended_event: Deferred[None] = Deferred()
        self.factory = ConfigFactory(
            reactor, Answers(self.shelf, lambda: NOON), self, self.answered.append, self._on_ended, limits
        )
        self.listener = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.port: int = self.listener.getHost().port

    async def take(self, wanted: ClaimRequest) -> Response:
        return self.claim(wanted)

    def _on_ended(self, reason: str) -> None:
        self.ended.append(reason)
        if not self.ended_event.called:
            self.ended_event.callback(None)

    def refusals(self) -> list[Refusal | None]:
        return [response.refusal for response in self.answered]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def talk(self, *pieces: bytes) -> bytes:
        """Sends the pieces as segments of their own, returns all that comes until the server closes."""
        with self.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.sendall(piece)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def is_cut_off(client: socket.socket) -> bool:
    """Reads to the end; True when that is a reset, as opposed to a close."""
    try:
        read_all(client)
    except ConnectionResetError:
        return True
    finally:
        client.close()
    return False


def without_date(answer: bytes) -> bytes:
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"Date: "))


def get(target: str, *headers: str, version: str = "1.1", close: bool = True) -> bytes:
    lines = [f"GET {target} HTTP/{version}", "Host: x", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(getattr(request, "param", Limits()))
    yield made
    made.factory.end_all()
    pytest_twisted.blockon(made.listener.stopListening())


def limits(**changes: Any) -> Any:
    return pytest.mark.parametrize("world", [Limits(**changes)], indirect=True)


@pytest_twisted.ensureDeferred
async def test_curl_pulls_and_then_gets_304(world: World, tmp_path: Any) -> None:
    url = f"http://127.0.0.1:{world.port}{DEVICE}"

    def curl(*args: str) -> str:
        return subprocess.run(["curl", "-sS", *args], capture_output=True, text=True, timeout=20, check=True).stdout

    etags = str(tmp_path / "etag")
    body = await deferToThread(curl, "--etag-save", etags, url)
    assert body.encode() == BODY
    assert await deferToThread(curl, "--etag-compare", etags, "-w", "%{http_code}", url) == "304"
    head = await deferToThread(curl, "-I", "--http1.0", url)
    assert f"Content-Length: {len(BODY)}" in head
    assert await deferToThread(curl, "-o", "/dev/null", "-w", "%{http_code}", "-d", "x=1", url) == "405"
    assert (await deferToThread(curl, "--http2", url)).encode() == BODY


@pytest_twisted.ensureDeferred
async def test_a_request_may_come_byte_by_byte(world: World) -> None:
    answer = await deferToThread(world.talk, *(bytes([b]) for b in get(DEVICE)))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(BODY)


@pytest_twisted.ensureDeferred
async def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    burst = get(DEVICE, close=False) * 98 + get(f"/d/{TOKEN}/contacts.xml", close=False) + get(DEVICE)
    answer = await deferToThread(world.talk, burst)
    assert answer.count(b"HTTP/1.1 200 OK") == 100
    assert answer.count(BODY) == 99
    assert answer.index(b"text/xml") > answer.index(b"text/plain")


@pytest_twisted.ensureDeferred
async def test_http_10_closes_unless_asked_to_keep_alive(world: World) -> None:
    closed = await deferToThread(world.talk, get(DEVICE, version="1.0", close=False))
    assert b"\r\nConnection: close\r\n" in closed
    kept = get(DEVICE, "Connection: keep-alive", version="1.0", close=False) + get(DEVICE, version="1.0", close=False)
    both = await deferToThread(world.talk, kept)
    assert both.count(BODY) == 2
    assert b"\r\nConnection: keep-alive\r\n" in both


BROKEN = [
    (b"\x00\x01\x02garbage\r\n\r\n", Refusal.MALFORMED),
    (b"GET / HTTP/9.9\r\n\r\n", Refusal.MALFORMED),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Refusal.MALFORMED),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal.MALFORMED),
    (b"GET /%b.cfg\x00 HTTP/1.1\r\n\r\n" % MAC.encode(), Refusal.MALFORMED),
    (get("/" + "a" * 600), Refusal.TARGET_TOO_LONG),
    (b"GET /" + b"a" * 200_000, Refusal.TARGET_TOO_LONG),
    (get("/", "X: " + "y" * HEAD_LIMIT), Refusal.HEADERS_TOO_LARGE),
    (get("/", *("X: " + "y" * 100 for _ in range(200))), Refusal.HEADERS_TOO_LARGE),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000, Refusal.HEADERS_TOO_LARGE),
    (get(DEVICE, "Content-Length: 5") + b"hello", Refusal.BODY),
    (get(DEVICE, "Transfer-Encoding: chunked") + b"0\r\n\r\n", Refusal.BODY),
    (get(DEVICE, "Content-Length: 1", "Content-Length: 2"), Refusal.BODY),
    (get("/../../etc/passwd"), Refusal.PATH),
    (get("/%2e%2e/%2e%2e/etc/passwd"), Refusal.PATH),
    (get(f"/d/{'y' * 32}/{MAC}.cfg"), Refusal.TOKEN),
    (get(f"/d/{TOKEN}/0C11050B9815.cfg"), Refusal.NAME),
    (get("/0C11050B9815.cfg"), Refusal.MAC),
]


@pytest.mark.parametrize(("request_bytes", "reason"), BROKEN, ids=lambda v: v.value if isinstance(v, Refusal) else "")
@pytest_twisted.ensureDeferred
async def test_everything_wrong_gets_the_same_bytes(world: World, request_bytes: bytes, reason: Refusal) -> None:
    answer = without_date(await deferToThread(world.talk, request_bytes))
    assert answer == without_date(await deferToThread(world.talk, get("/nothing")))
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert len(answer) < 200
    assert world.refusals()[0] is reason


@pytest_twisted.ensureDeferred
async def test_good_requests_before_a_broken_one_are_answered(world: World) -> None:
    answer = await deferToThread(world.talk, get(DEVICE, close=False) + b"garbage\r\n\r\n")
    assert BODY in answer
    assert answer.count(b"HTTP/1.1 404") == 1


@pytest_twisted.ensureDeferred
async def test_a_claim_is_recorded_before_the_answer_and_holds_up_what_follows(world: World) -> None:
    seen: list[int] = []

    def claim(wanted: ClaimRequest) -> Response:
        seen.append(len(world.answered))
        return bootstrap_response(wanted.entry, Verdict.GRANT, wanted.source)

    world.claim = claim
    answer = await deferToThread(world.talk, get(f"/{MAC}.cfg", close=False) + get(DEVICE))
    assert seen == [0]
    assert answer.index(b"GENERAL.Url") < answer.index(BODY)


@pytest_twisted.ensureDeferred
async def test_a_claim_that_can_not_be_recorded_gives_nothing_away(world: World) -> None:
    def claim(_wanted: ClaimRequest) -> Response:
        raise OSError("disk full")

    world.claim = claim
    answer = await deferToThread(world.talk, get(f"/{MAC}.cfg"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert TOKEN.encode() not in answer


@limits(head_seconds=0.2)
@pytest_twisted.ensureDeferred
async def test_a_slow_client_is_cut_off(world: World) -> None:
    client = await deferToThread(world.connect)
    client.sendall(b"GET / HTTP/1.1\r\nX: ")
    await world.ended_event
    assert world.ended == ["timeout"]
    assert await deferToThread(is_cut_off, client)


@limits(idle_seconds=0.2)
@pytest_twisted.ensureDeferred
async def test_an_idle_connection_is_closed(world: World) -> None:
    client = await deferToThread(world.connect)
    client.sendall(get(DEVICE, close=False))
    await world.ended_event
    assert world.ended == ["timeout"]
    assert await deferToThread(is_cut_off, client)


@limits(write_seconds=0.2)
@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_costs_no_memory_and_is_cut_off(world: World) -> None:
    """300 requests ask for megabytes; answers stop when the socket and one transport buffer are full."""
    world.shelf.put(entry(commands=tuple(f"Config.A.B.C{n} = {'x' * 900}" for n in range(100))))
    client = await deferToThread(world.connect)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(get(DEVICE, close=False) * 300)
    await world.ended_event
    assert world.ended == ["timeout"]
    assert len(world.answered) < 150
    assert await deferToThread(is_cut_off, client)


@limits(connections=2)
@pytest_twisted.ensureDeferred
async def test_when_all_connections_are_taken_the_longest_idle_one_makes_room(world: World) -> None:
    first, second = await deferToThread(world.connect), await deferToThread(world.connect)
    first.sendall(get(DEVICE, close=False))
    await deferToThread(first.recv, 1)
    answer = await deferToThread(world.talk, get(DEVICE))
    assert answer.endswith(BODY)
    assert world.ended == ["evicted"]
    assert await deferToThread(is_cut_off, second)
    first.close()
