"""The SIP side of one device: a UDP socket that stays registered and hears NOTIFY check-sync."""

from __future__ import annotations

from collections import OrderedDict
from random import Random
from typing import Protocol, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from simulator.account import Account
from simulator.faults import Faults
from simulator.network import NetworkReactor
from simulator.registration import ROUNDS, Registration, longer_interval
from simulator.sip_text import Request, Response, SipTextError, answer, parameter, parse
from simulator.sip_transaction import ClientTransactions, SipError
from simulator.totals import Totals
from simulator.waiting import Timing

KEPT_ANSWERS = 32
DATAGRAM_LIMIT_BYTES = 65_535
_log = Logger()


class SipListener(Protocol):
    """Who owns the client is told here, in the middle of a step: `stop` may be called later, not from here."""

    def registered(self) -> None: ...

    def registration_failed(self, code: str) -> None: ...

    def check_sync(self, *, reboot: bool) -> None: ...


class SipClient(DatagramProtocol):
    """Registers, refreshes at 75-90 % of the granted time, retries with back-off, and removes its binding in `stop`.

    The socket is connected to the server, as behind a NAT: packets of others never arrive.
    """

    transport: IUDPTransport

    def __init__(
        self,
        reactor: NetworkReactor,
        rng: Random,
        account: Account,
        user_agent: str,
        listener: SipListener,
        totals: Totals,
        faults: Faults,
        timing: Timing,
    ) -> None:
        self._reactor = reactor
        self._rng = rng
        self._account = account
        self._user_agent = user_agent
        self._listener = listener
        self._totals = totals
        self._faults = faults
        self._timing = timing
        self._transactions = ClientTransactions(reactor, timing, self._send)
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._port: IListeningPort | None = None
        self._registration: Registration | None = None
        self._bound = False
        self._stopped = False
        self._keepalive = LoopingCall(self._send, b"\r\n\r\n")
        self._keepalive.clock = reactor
        self._life: Deferred[None] | None = None

    def start(self, local_port: int = 0) -> None:
        """Begins to register. `local_port` is a wish (a device keeps its port over a reboot); 0 or taken: any."""
        self._life = Deferred.fromCoroutine(self._stay_registered(local_port))
        self._life.addErrback(self._ended)

    async def stop(self, *, unregister: bool = True) -> int:
        """Ends everything and returns the local port. Without `unregister` the binding stays, as after a power cut."""
        self._stopped = True
        if self._life is not None:
            self._life.cancel()
        if self._keepalive.running:
            self._keepalive.stop()
        try:
            if unregister and self._bound and self._registration is not None:
                await self._unregister(self._registration)
        finally:
            local_port = await self._close()
        return local_port

    async def _unregister(self, registration: Registration) -> None:
        self._bound = False
        goodbye = Deferred.fromCoroutine(self._register(registration, 0))
        goodbye.addTimeout(self._timing.unregister_timeout_seconds, self._reactor)
        try:
            await goodbye
            self._totals.unregisters += 1
        except (SipError, TimeoutError) as error:  # the server may be gone: the device goes all the same
            _log.debug("{user} not unregistered: {error}", user=self._account.user, error=error)
            self._totals.errors["sip-not-unregistered"] += 1

    async def _close(self) -> int:
        self._transactions.close()
        port, self._port = self._port, None
        if port is None:
            return 0
        local_port = _address(port).port
        await maybeDeferred(port.stopListening)
        return local_port

    async def _stay_registered(self, local_port: int) -> None:
        failures = 0
        while not self._stopped:
            try:
                registration = self._registration or await self._open(local_port)
                started = self._reactor.seconds()
                granted = await self._register(registration, self._account.expires_seconds)
            except SipError as error:
                failures += 1
                self._bound = False
                self._totals.errors[f"sip-{error.code}"] += 1
                self._listener.registration_failed(error.code)
                pause = self._timing.retry_seconds(failures, self._rng)
            else:
                failures = 0
                self._bound = True
                self._totals.registers += 1
                self._totals.register_latency.add(self._reactor.seconds() - started)
                self._listener.registered()
                pause = max(1, granted) * self._rng.uniform(0.75, 0.9)
            await deferLater(self._reactor, pause)

    async def _open(self, local_port: int) -> Registration:
        """The socket, and the registration that knows its address. Raises SipError("resolve")."""
        try:
            host = await self._reactor.resolve(self._account.host)
        except CancelledError:
            raise
        except Exception as error:  # resolvers have many ways to fail
            raise SipError("resolve") from error
        try:
            self._port = self._reactor.listenUDP(local_port, self, "", DATAGRAM_LIMIT_BYTES)
        except CannotListenError:
            self._port = self._reactor.listenUDP(0, self, "", DATAGRAM_LIMIT_BYTES)
        self.transport.connect(host, self._account.port)
        here = _address(self._port)
        self._registration = Registration(
            self._account,
            f"{here.host}:{here.port}",
            self._user_agent,
            self._rng,
            wrong_secret=self._faults.wrong_secret,
        )
        if self._account.keepalive_seconds:
            self._keepalive.start(self._account.keepalive_seconds, now=False).addErrback(self._ended)
        return self._registration

    async def _register(self, registration: Registration, asked_seconds: int) -> int:
        """One registration with its challenges; returns the granted seconds. Raises SipError."""
        answered = False
        for _ in range(ROUNDS):
            response = await self._transactions.request(registration.request(asked_seconds))
            if response.status in (401, 407):
                registration.challenged(response, answered=answered)
                answered = True
            elif response.status == 423:
                asked_seconds = longer_interval(response, asked_seconds)
            elif 200 <= response.status < 300:
                return registration.granted_seconds(response, asked_seconds)
            else:
                raise SipError(str(response.status))
        raise SipError("challenge-loop")

    def datagramReceived(self, datagram: bytes, addr: object) -> None:  # noqa: ARG002, N802
        if not datagram.strip(b"\r\n\0"):
            return  # a keep-alive, RFC 5626 §3.5.1
        try:
            message = parse(datagram)
        except SipTextError:
            self._totals.errors["sip-malformed"] += 1
            return
        if isinstance(message, Request):
            self._asked(message)
        elif self._rng.random() >= self._faults.lose_response:
            self._transactions.receive(message)

    def _asked(self, request: Request) -> None:
        """Answers once by branch; a retransmission gets the same answer and has no other effect."""
        if request.method == "ACK":
            return
        if request.method == "NOTIFY" and self._rng.random() < self._faults.drop_notify:
            self._totals.notifies_dropped += 1
            return
        known = self._answers.get(request.branch)
        if known is None:
            known = self._react(request).encode()
            self._answers[request.branch] = known
            if len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        self._send(known)

    def _react(self, request: Request) -> Response:
        tag = f"{self._rng.getrandbits(32):08x}"
        allow = (("Allow", "OPTIONS, NOTIFY"), ("User-Agent", self._user_agent))
        if request.method == "OPTIONS":
            self._totals.options += 1
            return answer(request, 200, "OK", tag, (*allow, ("Accept", "application/sdp")))
        if request.method != "NOTIFY":
            return answer(request, 405, "Method Not Allowed", tag, allow)
        event = request.get("event")
        if event.partition(";")[0].strip().lower() != "check-sync":
            return answer(request, 489, "Bad Event", tag, (("Allow-Events", "check-sync"),))
        self._totals.notifies += 1
        self._listener.check_sync(reboot=parameter(event, "reboot").lower() == "true")
        return answer(request, 200, "OK", tag)

    def _send(self, data: bytes) -> None:
        if self._port is None:
            return
        try:
            self.transport.write(data, None)
        except OSError:  # no route, say: as good as lost, the timers send again
            self._totals.errors["sip-send"] += 1

    def _ended(self, failure: object) -> None:
        """The end of a loop that has none: stopped by the owner, or by a fault of ours."""
        error = getattr(failure, "value", failure)
        if not isinstance(error, CancelledError):
            _log.error("SIP client of {user} ended: {failure}", user=self._account.user, failure=failure)
            self._totals.errors["sip-crash"] += 1
            self._listener.registration_failed("crash")


def _address(port: IListeningPort) -> IPv4Address:
    return cast(IPv4Address, port.getHost())
