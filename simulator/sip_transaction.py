"""Non-INVITE client transactions over UDP (RFC 3261 §17.1.2); no sockets here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from simulator.sip_text import Request, Response
from simulator.waiting import Timing

_T = TypeVar("_T")


class SipError(Exception):
    """The server did not do what was asked. `code` is a short fixed name or the status as text."""

    def __init__(self, code: str) -> None:
        super().__init__(f"SIP: {code}")
        self.code = code


class ClientTransactions:
    """The requests of one socket that wait for their final responses, by branch."""

    def __init__(self, clock: IReactorTime, timing: Timing, send: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._timing = timing
        self._send = send
        self._open: dict[str, _Transaction] = {}

    def request(self, request: Request) -> Deferred[Response]:
        """Sends it, again by timer E, until timer F: the final response, or SipError("timeout")."""
        branch = request.branch
        transaction = _Transaction(self._clock, self._timing, self._send, request)
        self._open[branch] = transaction
        return transaction.start().addBoth(self._finished, branch)

    def receive(self, response: Response) -> bool:
        """False when the response belongs to no open transaction: a late retransmission, as a rule."""
        transaction = self._open.get(response.branch)
        if transaction is None or response.get("cseq").split()[-1:] != [transaction.method]:
            return False
        transaction.receive(response)
        return True

    def close(self) -> None:
        """Ends what is still open; the waiters get CancelledError."""
        for transaction in list(self._open.values()):
            transaction.result.cancel()

    def _finished(self, result: _T, branch: str) -> _T:
        self._open.pop(branch).stop()
        return result


class _Transaction:
    """States of Figure 6: Trying, Proceeding, then done. Late retransmissions find no transaction (timer K)."""

    def __init__(self, clock: IReactorTime, timing: Timing, send: Callable[[bytes], None], request: Request) -> None:
        self.method = request.method
        self.result: Deferred[Response] = Deferred()
        self._clock = clock
        self._timing = timing
        self._send = send
        self._data = request.encode()
        self._interval_seconds = timing.t1_seconds
        self._proceeding = False
        self._timers: dict[str, IDelayedCall] = {}

    def start(self) -> Deferred[Response]:
        self._send(self._data)
        self._timers["E"] = self._clock.callLater(self._interval_seconds, self._timer_e)
        self._timers["F"] = self._clock.callLater(64 * self._timing.t1_seconds, self._timer_f)
        return self.result

    def receive(self, response: Response) -> None:
        if response.status < 200:
            self._proceeding = True
        elif not self.result.called:
            self.result.callback(response)

    def stop(self) -> None:
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()

    def _timer_e(self) -> None:
        self._send(self._data)
        longest = self._timing.t2_seconds
        self._interval_seconds = longest if self._proceeding else min(2 * self._interval_seconds, longest)
        self._timers["E"] = self._clock.callLater(self._interval_seconds, self._timer_e)

    def _timer_f(self) -> None:
        if not self.result.called:
            self.result.errback(SipError("timeout"))
