"""Non-INVITE server transactions (RFC 3261 §17.2.2). Over a reliable transport timer J is zero.

    state       input                  action                          next
    -           new request            hand to the core                TRYING
    TRYING      same request again     nothing                         TRYING
    TRYING      core: final response   send it, start timer J          COMPLETED
    COMPLETED   same request again     send the response again         COMPLETED
    COMPLETED   timer J                forget                          -

The core never sends provisional responses to non-INVITE requests here, so PROCEEDING does not occur (RFC 4320).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sipd.message.fields import MAGIC_COOKIE
from sipd.message.message import Request
from sipd.transaction.timing import TIMER_J_SECONDS, Clock, Timer, cancel

TRANSACTION_LIMIT = 200_000
SWEEP_LIMIT = 2_000

Key = tuple[object, ...]


def server_key(request: Request) -> Key:
    """What a retransmission has in common with its original (§17.2.3), also for RFC 2543 clients."""
    via = request.via
    if via.branch.startswith(MAGIC_COOKIE):
        return (via.branch, via.host, via.port, request.method)
    return (request.uri_text, request.from_.tag, request.to.tag, request.call_id, str(request.cseq), str(via))


class ServerTransaction:
    """One request being answered. `send` reaches whoever sent the original."""

    __slots__ = ("_response", "_send", "_table", "expires_at", "key", "reliable")

    def __init__(self, key: Key, send: Callable[[bytes], None], table: ServerTransactions, *, reliable: bool) -> None:
        self.key = key
        self.reliable = reliable
        self.expires_at = 0.0
        self._send = send
        self._table = table
        self._response: bytes | None = None

    def respond(self, response: bytes) -> None:
        """Send the final response. A second one is ignored."""
        if self._response is None:
            self._response = response
            self._table.completed(self)
            self._send(response)

    def sent(self, response: bytes) -> None:
        """As `respond`, when the response leaves by another way."""
        self._response = response
        self._table.completed(self)

    def again(self) -> None:
        if self._response is not None:
            self._send(self._response)


class ServerTransactions:
    """The table. All transactions live equally long after completion, so they expire in order, on one timer, and a new
    one takes some that are over with it: no sweep is ever long.

    At `limit` those that were answered first are forgotten early: a retransmission of theirs would be taken for a new
    request.
    """

    def __init__(self, clock: Clock, limit: int = TRANSACTION_LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._table: dict[Key, ServerTransaction] = {}
        self._expiring: deque[ServerTransaction] = deque()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._table)

    def absorb(self, key: Key) -> bool:
        """True when `key` belongs to a known transaction; its response, if there is one, went out again."""
        known = self._table.get(key)
        if known is None:
            return False
        known.again()
        return True

    def begin(self, key: Key, send: Callable[[bytes], None], *, reliable: bool = False) -> ServerTransaction:
        """A new transaction in TRYING. `key` must not be in the table."""
        if len(self._table) >= self._limit:
            # Never by the order of the table: its head is full of holes, and each search would walk over them.
            self._forget(self._expiring.popleft() if self._expiring else self._table[next(iter(self._table))])
        transaction = self._table[key] = ServerTransaction(key, send, self, reliable=reliable)
        return transaction

    def completed(self, transaction: ServerTransaction) -> None:
        """For ServerTransaction: timer J starts."""
        if transaction.reliable:
            self._table.pop(transaction.key, None)
            return
        now = self._clock.seconds()
        transaction.expires_at = now + TIMER_J_SECONDS
        expiring = self._expiring
        expiring.append(transaction)
        for _ in range(2):
            if expiring[0].expires_at > now:
                break
            self._forget(expiring.popleft())
        if self._timer is None:
            self._timer = self._clock.callLater(TIMER_J_SECONDS, self._expire)

    def _forget(self, transaction: ServerTransaction) -> None:
        if self._table.get(transaction.key) is transaction:
            del self._table[transaction.key]

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        expiring = self._expiring
        for _ in range(min(len(expiring), SWEEP_LIMIT)):
            if expiring[0].expires_at > now:
                break
            self._forget(expiring.popleft())
        if expiring:
            # At least a tenth of a second apart: under load many transactions go in one sweep.
            self._timer = self._clock.callLater(max(expiring[0].expires_at - now, 0.1), self._expire)

    def stop(self) -> None:
        cancel(self._timer)
        self._timer = None
        self._table.clear()
        self._expiring.clear()
