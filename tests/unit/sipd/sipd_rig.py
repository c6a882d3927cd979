"""sipd without sockets, threads and time of its own, and a phone that talks to it in datagrams."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, cast

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport

from intercom_core.model.numbers import NumberKind
from intercom_core.runtime.pool import WorkPool
from intercom_core.security.sip import ha1
from sipd.auth.authenticator import Authenticator
from sipd.auth.digest import Algorithm
from sipd.auth.nonce import Nonces, UsedNonces
from sipd.core import Core
from sipd.hot.refresh import HotPath
from sipd.location.commit import Commits, GroupCommit
from sipd.location.journal import Change, Journal, MemoryJournal
from sipd.location.location import Location
from sipd.message.message import Request, Response
from sipd.message.parser import parse
from sipd.numbers.directory import Account, Directory
from sipd.registrar.limits import Limits
from sipd.registrar.registrar import Registrar
from sipd.transaction.client import ClientTransactions
from sipd.transaction.server import ServerTransactions
from sipd.transport.udp import MessageMetrics, UdpTransport

REALM = "example.org"
NUMBER = "5926100061"
SECRET = "correct horse"
START = 1_800_000_000.0
PHONE = ("203.0.113.7", 40000)


class DirectPool:
    """Runs work at once, or when the test says so."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] | None = None

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self.held is None:
            return self._now(call, args)
        later: Deferred[Any] = Deferred()
        self.held.append(lambda: self._now(call, args).chainDeferred(later))
        return later

    @staticmethod
    def _now(call: Callable[..., Any], args: Sequence[Any]) -> Deferred[Any]:
        try:
            return succeed(call(*args))
        except Exception:
            return fail()

    def release(self) -> None:
        """Does the work held now; what comes later is held again."""
        held, self.held = self.held or [], []
        for work in held:
            work()


class BrokenJournal(MemoryJournal):
    def append(self, group: Sequence[Change]) -> None:
        raise OSError("disk full")


def account(number: str = NUMBER, *, secret: str | None = SECRET, active: bool = True, account_id: int = 1) -> Account:
    kind = NumberKind.FAMILY if secret is None else NumberKind.DEVICE
    return Account(account_id, number, kind, 1, 1, active, ha1(number, REALM, secret) if secret else None)


class Rig:
    """`changed` and `expired` collect what the registrar and the location service report."""

    def __init__(
        self,
        journal: Journal | None = None,
        limits: Limits | None = None,
        offered: Sequence[Algorithm] = (Algorithm.MD5,),
        *,
        short: bool = True,
        commits: Commits | None = None,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.registry = CollectorRegistry()
        self.directory = Directory()
        self.directory.put(account())
        self.used = UsedNonces()
        self.changed: list[str] = []
        self.expired: list[str] = []
        self.location = Location(self.clock, self.expired.append, self.registry)
        self.pool = DirectPool()
        self.journal = journal or MemoryJournal()
        self.commits = commits or GroupCommit(self.clock, cast("WorkPool", self.pool), self.journal, self.registry)
        nonces = Nonces(b"k" * 32, self.clock.seconds, lambda n: next(self._random).to_bytes(n, "big"))
        authenticator = Authenticator(
            REALM, self.directory, nonces, self.used, self.clock.seconds, self.registry, offered
        )
        self.registrar = Registrar(
            self.clock, authenticator, self.location, self.commits, limits or Limits(), self.changed.append
        )
        self.clients = ClientTransactions(self.clock)
        self.servers = ServerTransactions(self.clock)
        self.core = Core(self.registrar, self.servers, self.clients, self.registry)
        self.metrics = MessageMetrics(self.registry)
        self.hot = HotPath(
            self.clock,
            authenticator,
            self.directory,
            self.location,
            self.commits,
            self.servers,
            partial(self.core.count, "REGISTER"),
            self.changed.append,
        )
        self.udp = UdpTransport("udp", self.core, self.metrics, self.hot if short else None)
        self.wire = FakeDatagramTransport()
        self.udp.makeConnection(self.wire)

    _random = count(1)

    def send(self, data: bytes, source: tuple[str, int] = PHONE) -> list[tuple[bytes, tuple[str, int]]]:
        """Datagrams that leave in answer to one that comes in, with their destinations."""
        self.wire.written.clear()
        answer = self.udp.take(data, source)
        if answer is None:
            self.udp.datagramReceived(data, source)
        elif answer:
            self.wire.write(answer, source)
        self.udp.batch_ended()
        self.clock.advance(0)
        return list(self.wire.written)

    def answer(self, data: bytes, source: tuple[str, int] = PHONE) -> Response:
        ((answer, _),) = self.send(data, source)
        response = parse(answer)
        assert isinstance(response, Response)
        return response

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


class Phone:
    """Writes requests as text; computes digests by itself."""

    def __init__(self, rig: Rig, number: str = NUMBER, secret: str = SECRET, call_id: str = "call-1") -> None:
        self.rig = rig
        self.number = number
        self.secret = secret
        self.call_id = call_id
        self.cseq = 0
        self.nonce = ""
        self.count = 0

    def request(
        self, method: str = "REGISTER", *headers: str, uri: str = f"sip:{REALM}", to: str | None = None
    ) -> bytes:
        self.cseq += 1
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bK{self.call_id}{self.cseq}",
            f"From: <sip:{self.number}@{REALM}>;tag=a",
            f"To: <sip:{to or self.number}@{REALM}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            *headers,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def authorization(self, *, algorithm: str = "MD5", method: str = "REGISTER", secret: str | None = None) -> str:
        hashed = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
        self.count += 1
        nc = f"{self.count:08x}"

        def h(text: str) -> str:
            return hashed(text.encode()).hexdigest()

        inner = f"{self.nonce}:{nc}:0a4f113b:auth:" + h(f"{method}:sip:{REALM}")
        response = h(h(f"{self.number}:{REALM}:{self.secret if secret is None else secret}") + ":" + inner)
        return (
            f'Authorization: Digest username="{self.number}", realm="{REALM}", nonce="{self.nonce}", '
            f'uri="sip:{REALM}", '
            f'response="{response}", algorithm={algorithm}, cnonce="0a4f113b", qop=auth, nc={nc}'
        )

    def challenge(self) -> Response:
        """Take a fresh nonce."""
        response = self.rig.answer(self.request())
        assert response.status == 401
        self.take_nonce(response)
        return response

    def take_nonce(self, response: Response) -> None:
        found = re.search(r'nonce="([^"]+)"', response.headers.all("WWW-Authenticate")[-1])
        assert found
        self.nonce, self.count = found[1], 0

    def register(self, *headers: str, to: str | None = None, algorithm: str = "MD5") -> Response:
        """One authenticated REGISTER."""
        if not self.nonce:
            self.challenge()
        return self.rig.answer(self.signed(*headers, to=to, algorithm=algorithm))

    def signed(self, *headers: str, to: str | None = None, algorithm: str = "MD5") -> bytes:
        return self.request("REGISTER", *headers, self.authorization(algorithm=algorithm), to=to)


def contacts(rig: Rig, number: str = NUMBER) -> list[str]:
    return [binding.contact for binding in rig.location.bindings(number)]


def read_request(data: bytes) -> Request:
    request = parse(data)
    assert isinstance(request, Request)
    return request
