"""Non-INVITE client transactions (RFC 3261 §17.1.2). Over a reliable transport there is no timer E, and K is zero.

state        input              action                                    next
-            start              send, start timers E = T1 and F           TRYING
TRYING       timer E            send again, E = min(2 E, T2)              TRYING
TRYING       1xx                E = T2                                    PROCEEDING
PROCEEDING   timer E            send again, E = T2                        PROCEEDING
TRYING, PROCEEDING   2xx-6xx    tell the user, start timer K              COMPLETED
TRYING, PROCEEDING   timer F    tell the user: timeout                    -
TRYING, PROCEEDING   send fails tell the user: transport                  -
COMPLETED    response again     nothing                                   COMPLETED
COMPLETED    timer K            forget                                    -
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sipd.message.message import Request, Response
from sipd.transaction.timing import T1_SECONDS, T2_SECONDS, TIMER_F_SECONDS, TIMER_K_SECONDS, Clock, Timer, cancel

Key = tuple[str, str, str]


class State(Enum):
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class Failure(Enum):
    """Why no final response came."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"


Outcome = Response | Failure


class ClientTransaction:
    """One request on its way. `send` raises OSError when the transport can't take it; `done` is called once."""

    def __init__(
        self,
        clock: Clock,
        data: bytes,
        send: Callable[[bytes], None],
        done: Callable[[Outcome], None],
        forget: Callable[[], object],
        *,
        reliable: bool,
    ) -> None:
        self._clock = clock
        self._reliable = reliable
        self._data = data
        self._send = send
        self._done = done
        self._forget = forget
        self._interval_seconds = T1_SECONDS
        self._resend: Timer | None = None
        self._end: Timer | None = None
        self.state = State.TRYING

    def start(self) -> None:
        self._end = self._clock.callLater(TIMER_F_SECONDS, lambda: self._fail(Failure.TIMEOUT))
        self._transmit()

    def _transmit(self) -> None:
        try:
            self._send(self._data)
        except OSError:
            self._fail(Failure.TRANSPORT)
            return
        if not self._reliable:
            self._resend = self._clock.callLater(self._interval_seconds, self._timer_e)

    def _timer_e(self) -> None:
        doubled = min(2 * self._interval_seconds, T2_SECONDS)
        self._interval_seconds = T2_SECONDS if self.state is State.PROCEEDING else doubled
        self._transmit()

    def receive(self, response: Response) -> None:
        if self.state not in (State.TRYING, State.PROCEEDING):
            return
        if response.status < 200:
            self.state = State.PROCEEDING
            return
        self.state = State.COMPLETED
        self._cancel()
        if self._reliable:
            self._terminate()
        else:
            self._end = self._clock.callLater(TIMER_K_SECONDS, self._terminate)
        self._done(response)

    def lost(self) -> None:
        """The connection that it went over is gone."""
        if self.state in (State.TRYING, State.PROCEEDING):
            self._fail(Failure.TRANSPORT)

    def _fail(self, failure: Failure) -> None:
        self._terminate()
        self._done(failure)

    def _terminate(self) -> None:
        self.stop()
        self._forget()

    def stop(self) -> None:
        """End without telling the user."""
        self.state = State.TERMINATED
        self._cancel()

    def _cancel(self) -> None:
        cancel(self._resend)
        cancel(self._end)


class ClientTransactions:
    """The table: a response finds its transaction by branch and CSeq method (§17.1.3), and by its source, a host or a
    connection (Flow.source): who overheard a branch elsewhere can't answer for the device."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._table: dict[Key, ClientTransaction] = {}

    def __len__(self) -> int:
        return len(self._table)

    def start(
        self,
        request: Request,
        source: str,
        send: Callable[[bytes], None],
        done: Callable[[Outcome], None],
        *,
        reliable: bool = False,
    ) -> None:
        """Send `request` until it is answered from `source`; once, when `reliable`. Its Via has a branch of its own."""
        key = (request.via.branch, request.method, source)
        transaction = ClientTransaction(
            self._clock, request.to_bytes(), send, done, lambda: self._table.pop(key, None), reliable=reliable
        )
        self._table[key] = transaction
        transaction.start()

    def receive(self, response: Response, source: str) -> bool:
        """False when nobody waits for this response from `source`."""
        transaction = self._table.get((response.via.branch, response.cseq.method, source))
        if transaction is None:
            return False
        transaction.receive(response)
        return True

    def lost(self, source: str) -> None:
        """No response will come from there any more."""
        for key in [key for key in self._table if key[2] == source]:
            self._table[key].lost()

    def stop(self) -> None:
        for transaction in self._table.values():
            transaction.stop()
        self._table.clear()
