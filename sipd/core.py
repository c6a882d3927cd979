"""What comes up from the transports: requests to their transactions and cores, responses to ours. Nothing is ever
forwarded: this server ends every request."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter

from sipd.message.fields import require_sip
from sipd.message.message import Request, Response
from sipd.message.replies import reply
from sipd.message.uri import SipUri
from sipd.registrar.answer import Answer, HeaderFields
from sipd.registrar.registrar import Registrar
from sipd.transaction.client import ClientTransactions
from sipd.transaction.server import ServerTransactions, server_key
from sipd.transport.flow import Flow

ALLOW = "REGISTER, OPTIONS"
# RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903, 6086: known, but not allowed here.
KNOWN_METHODS = frozenset(
    ("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER")
) | {"SUBSCRIBE", "UPDATE"}

Send = Callable[[bytes], None]


class Core:
    """`registrar` answers REGISTER; the rest is answered without state."""

    def __init__(
        self,
        registrar: Registrar,
        servers: ServerTransactions,
        clients: ClientTransactions,
        registry: CollectorRegistry,
    ) -> None:
        self._registrar = registrar
        self._servers = servers
        self._clients = clients
        self._tag_key = os.urandom(16)
        self._requests = Counter(
            "intercom_sipd_requests",
            "Requests by method and class of the answer",
            ["method", "code"],
            registry=registry,
        )
        self._counted: dict[tuple[str, int], Counter] = {}

    def on_request(self, request: Request, flow: Flow, send: Send) -> str | None:
        """`send` reaches the sender of `request`. Raises MalformedMessageError: the transport answers 400.

        Returns the number whose secret the sender knows, None when it did not show that.
        """
        if request.method == "ACK":
            self.count("ACK", 0)
            return None
        key = server_key(request)
        if flow.connection:
            key = (flow.connection, *key)
        if self._servers.absorb(key):
            return None
        answer = self._answer(request, send)
        if request.method == "REGISTER":
            identity = self._registrar.precheck(request, answer)
            if identity is not None and identity.account is not None:
                transaction = self._servers.begin(key, send, reliable=bool(flow.connection))
                self._registrar.register(request, identity, flow, self._answer(request, transaction.respond))
                return identity.account.number
        elif request.method == "OPTIONS":
            self._options(request, answer)
        elif request.method in KNOWN_METHODS:
            answer(405, [("Allow", ALLOW)])
        else:
            answer(501)
        return None

    def on_response(self, response: Response, source: str) -> bool:
        """False when no transaction of ours waits for it from `source` (Flow.source)."""
        return self._clients.receive(response, source)

    def on_connection_lost(self, flow: Flow, numbers: Iterable[str]) -> None:
        """`numbers` are those that `on_request` returned for this connection: what they bound to it is no more."""
        self._clients.lost(flow.source)
        for number in numbers:
            self._registrar.flow_lost(number, flow)

    @staticmethod
    def _options(request: Request, answer: Answer) -> None:
        """A ping of the server itself; a user behind it is not ours to tell about."""
        if not isinstance(request.uri, SipUri):
            answer(416)
        elif require_sip(request.uri).user is None:
            answer(200, [("Allow", ALLOW), ("Supported", "path")])
        else:
            answer(404)

    def _answer(self, request: Request, send: Send) -> Answer:
        def answer(status: int, fields: HeaderFields = ()) -> None:
            response = reply(request, status, self._to_tag(request))
            for name, value in fields:
                response.headers.add(name, value)
            self.count(request.method, status)
            send(response.to_bytes())

        return answer

    def _to_tag(self, request: Request) -> str:
        """The same for each retransmission, so that answers without state agree (§8.2.7)."""
        text = f"{request.via.branch} {request.call_id} {request.headers.first('CSeq')}"
        return hashlib.blake2s(text.encode("utf-8", "surrogateescape"), key=self._tag_key, digest_size=8).hexdigest()

    def count(self, method: str, status: int, times: int = 1) -> None:
        key = (method if method in KNOWN_METHODS else "other", status // 100)
        counter = self._counted.get(key)
        if counter is None:
            counter = self._counted[key] = self._requests.labels(key[0], f"{key[1]}xx")
        counter.inc(times)
