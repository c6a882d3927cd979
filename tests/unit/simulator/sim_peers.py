"""Scripted servers on loopback for the simulator's tests; they share no code with the simulator."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

WAIT_SECONDS = 5.0


class Watch:
    """Lets a test wait for what a peer sees."""

    def __init__(self, reactor):
        self._reactor = reactor
        self._waiters: list[tuple[Callable[[], bool], Deferred]] = []

    def until(self, condition):
        waiter = Deferred()
        if condition():
            waiter.callback(None)
            return waiter
        self._waiters.append((condition, waiter))
        return waiter.addTimeout(WAIT_SECONDS, self._reactor)

    def look(self):
        """From the next turn of the reactor, so that no test goes on inside a step of what it tests."""
        self._reactor.callLater(0, self._look)

    def _look(self):
        for entry in list(self._waiters):
            if entry[0]() and not entry[1].called:
                self._waiters.remove(entry)
                entry[1].callback(None)


@dataclass
class Answer:
    """`declared` is the Content-Length that is told; `stall` keeps the connection open and says nothing."""

    status: int = 200
    body: bytes = b""
    etag: str = ""
    declared: int | None = None
    stall: bool = False
    raw: bytes | None = None

    def encode(self, if_none_match: str) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.etag and if_none_match == self.etag:
            return f"HTTP/1.1 304 Not Modified\r\nETag: {self.etag}\r\n\r\n".encode()
        length = len(self.body) if self.declared is None else self.declared
        etag = f"ETag: {self.etag}\r\n" if self.etag else ""
        return f"HTTP/1.1 {self.status} X\r\n{etag}Content-Length: {length}\r\n\r\n".encode() + self.body


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    method: str
    body: bytes


class HttpPeer(Watch):
    """Answers by path; anything else gets 404. `asked` has every request."""

    def __init__(self, reactor):
        super().__init__(reactor)
        self.routes: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self._open: set[Protocol] = set()
        peer = self

        class Connection(Protocol):
            def connectionMade(self):
                self.data = b""
                peer._open.add(self)

            def dataReceived(self, data):
                self.data += data
                head, blank, body = self.data.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                if blank and len(body) == int(length[1] if length else 0):
                    peer._answer(self, head.decode(), body)

            def connectionLost(self, reason):
                peer._open.discard(self)
                peer.look()

        self._port = reactor.listenTCP(0, Factory.forProtocol(Connection), interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self._port.getHost().port}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def _answer(self, connection, head, body):
        first, *lines = head.split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        method, path, _ = first.split(" ")
        self.asked.append(Asked(path, headers, method, body))
        answer = self.routes.get(path, Answer(404))
        if not answer.stall:
            connection.transport.write(answer.encode(headers.get("if-none-match", "")))
            connection.transport.loseConnection()
        self.look()

    async def stop(self):
        await maybeDeferred(self._port.stopListening)
        for connection in list(self._open):
            connection.transport.abortConnection()
        await self.until(lambda: not self._open)


@dataclass
class Seen:
    method: str
    uri: str
    headers: dict[str, str]
    text: str
    authorization: dict[str, str] = field(default_factory=dict)


class SipPeer(DatagramProtocol, Watch):
    """A registrar with one user. The attributes are the script; `requests` and `replies` what came in."""

    def __init__(self, reactor, user="5926100001", secret="s3cret", realm="here"):
        Watch.__init__(self, reactor)
        self.user, self.secret, self.realm = user, secret, realm
        self.algorithms = ["MD5", "SHA-256"]
        self.qop = 'qop="auth", '
        self.nonce = "n1"
        self.stale_nonces: set[str] = set()
        self.deaf = 0
        self.status: int | None = None
        self.min_expires = 0
        self.granted = 300
        self.requests: list[Seen] = []
        self.replies: list[str] = []
        self.bound: dict[str, tuple[str, int]] = {}
        self._port = reactor.listenUDP(0, self, interface="127.0.0.1")
        self.port = self._port.getHost().port

    def registers(self) -> list[Seen]:
        return [seen for seen in self.requests if seen.method == "REGISTER"]

    async def stop(self):
        await maybeDeferred(self._port.stopListening)

    def datagramReceived(self, datagram, addr):
        text = datagram.decode()
        if text.startswith("SIP/2.0"):
            self.replies.append(text)
        elif text.strip():
            seen = _read(text)
            self.requests.append(seen)
            if self.deaf:
                self.deaf -= 1
            else:
                self.transport.write(self._reply(seen, addr).encode(), addr)
        self.look()

    def send(self, method, addr, *extra, branch="z9hG4bKpeer1", cseq=1):
        lines = [
            f"{method} sip:{self.user}@{addr[0]}:{addr[1]} SIP/2.0",
            f"v: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}",
            "f: <sip:server@here>;tag=p",
            f"t: <sip:{self.user}@here>",
            "i: call-of-peer",
            f"CSeq: {cseq} {method}",
            *extra,
            "l: 0",
        ]
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode(), addr)

    def _reply(self, seen: Seen, addr) -> str:
        if self.status is not None:
            return _response(seen, self.status)
        given, nonce = seen.authorization.get("nonce"), self.nonce
        if given != nonce or not self._right(seen.authorization):
            stale = ", stale=true" if given in self.stale_nonces else ""
            challenge = [
                f'WWW-Authenticate: Digest realm="{self.realm}", nonce="{nonce}", {self.qop}algorithm={name}{stale}'
                for name in self.algorithms
            ]
            return _response(seen, 401, *challenge)
        expires = int(seen.headers["expires"])
        if 0 < expires < self.min_expires:
            return _response(seen, 423, f"Min-Expires: {self.min_expires}")
        contact = seen.headers["contact"]
        if expires == 0:
            self.bound.pop(contact, None)
            return _response(seen, 200)
        self.bound[contact] = addr
        return _response(seen, 200, f"Contact: {contact};expires={self.granted}, <sip:other@1.2.3.4>;expires=9999")

    def _right(self, given) -> bool:
        name = {"MD5": "md5", "SHA-256": "sha256"}[given["algorithm"]]

        def h(text):
            return hashlib.new(name, text.encode()).hexdigest()

        ha1, ha2 = h(f"{self.user}:{self.realm}:{self.secret}"), h(f"REGISTER:{given['uri']}")
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth" if "qop" in given else given["nonce"]
        return given["response"] == h(f"{ha1}:{middle}:{ha2}")


def _read(text: str) -> Seen:
    first, *lines = text.split("\r\n\r\n", maxsplit=1)[0].split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    method, uri, _ = first.split(" ")
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', headers.get("authorization", "").removeprefix("Digest ")))
    return Seen(method, uri, headers, text, given)


def _response(seen: Seen, status: int, *extra: str) -> str:
    copied = [f"{name}: {seen.headers[name.lower()]}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines = [f"SIP/2.0 {status} X", *copied, f"To: {seen.headers['to']};tag=srv", *extra, "Content-Length: 0"]
    return "\r\n".join(lines) + "\r\n\r\n"


def device_file(sip: SipPeer, *lines: str, secret: str | None = None) -> bytes:
    """What a device needs to register with the peer, as its own file."""
    settings = [
        "#!version:1.0.0.1",
        "Config.Account1.GENERAL.Enable = 1",
        f"Config.Account1.GENERAL.UserName = {sip.user}",
        f"Config.Account1.GENERAL.Pwd = {sip.secret if secret is None else secret}",
        "Config.Account1.SIP.Server = 127.0.0.1",
        f"Config.Account1.SIP.Port = {sip.port}",
        "Config.Account1.REG.Timeout = 300",
        *lines,
    ]
    return ("\n".join(settings) + "\n").encode()
