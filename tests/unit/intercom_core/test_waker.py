"""Hints that the change log has grown."""

from __future__ import annotations

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from intercom_core.changes.waker import PostgresWaker


class _Database(Protocol):
    """Asks for a password (AuthenticationCleartextPassword), hangs up on any; `lost` tells whether one came."""

    lost: Deferred[bool]
    asked = answered = False

    def dataReceived(self, data: bytes) -> None:
        if not self.asked:
            self.asked = True
            self.transport.write(b"R\0\0\0\x08\0\0\0\x03")
        else:
            self.answered = True
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(self.answered)


@pytest_twisted.ensureDeferred
async def test_the_reactor_turns_while_the_database_is_being_connected() -> None:
    # This database lives in the reactor itself: a waker that blocked it would give up before the first answer.
    factory = Factory.forProtocol(_Database)
    factory.protocol.lost = Deferred()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    url = f"postgresql+psycopg://suite:x@127.0.0.1:{port.getHost().port}/suite?sslmode=disable&gssencmode=disable"
    waker = PostgresWaker(reactor, url)
    waker.start(lambda: None)
    assert await factory.protocol.lost.addTimeout(10, reactor)
    waker.stop()
    await port.stopListening()
