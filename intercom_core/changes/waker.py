"""Hints that the change log has grown. They may come late, doubled or never: the follower polls as well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

import psycopg
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from intercom_core.changes.log import PG_CHANNEL
from intercom_core.store.engine import Store
from intercom_core.telemetry import log

SQLITE_POLL_SECONDS = 0.02
PG_CONNECT_SECONDS = 2
PG_RECONNECT_SECONDS = 2.0

_log = log.get("changes.waker")


class Waker(Protocol):
    """Calls `wake` in the reactor thread when there may be new changes."""

    def start(self, wake: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


def open_waker(reactor: Any, store: Store) -> Waker:
    """The waker of the store's database. `reactor` gives time and, for PostgreSQL, file descriptors."""
    if store.is_sqlite:
        return SqliteWaker(reactor, store.engine.url.database or "")
    return PostgresWaker(reactor, store.engine.url.render_as_string(hide_password=False))


class SqliteWaker:
    """`PRAGMA data_version` changes when another connection commits; asking costs some microseconds."""

    def __init__(self, clock: IReactorTime, path: str) -> None:
        self._path = path
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._version: int | None = None

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=0)
        deferred = self._loop.start(SQLITE_POLL_SECONDS, now=True)
        deferred.addErrback(lambda failure: _log.error("sqlite_waker_failed", reason=str(failure.value)))

    def _look(self) -> None:
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.OperationalError:
            return
        if version != self._version:
            self._version = version
            self._wake()

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
            self._connection.close()


@implementer(IReadDescriptor)
class PostgresWaker:
    """`LISTEN` on a connection of its own, read by the reactor; reconnects by itself."""

    def __init__(self, reactor: Any, url: str) -> None:
        self._reactor = reactor
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._connection: psycopg.Connection[Any] | None = None
        self._fileno = -1
        self._retry: IDelayedCall | None = None
        self._stopped = False

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._connect()

    def _connect(self) -> None:
        self._retry = None
        attempt = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._listen)
        attempt.addCallbacks(self._listening, self._failed)

    def _listen(self) -> psycopg.Connection[Any]:
        """Runs in a thread: a database that does not answer must not hold up the reactor."""
        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=PG_CONNECT_SECONDS)
        connection.execute(f"LISTEN {PG_CHANNEL}")
        return connection

    def _listening(self, connection: psycopg.Connection[Any]) -> None:
        if self._stopped:
            connection.close()
            return
        self._connection = connection
        self._fileno = connection.fileno()
        IReactorFDSet(self._reactor).addReader(self)
        self._wake()

    def _failed(self, failure: Failure) -> None:
        if not self._stopped:
            _log.warning("postgres_waker_reconnects", reason=failure.type.__name__ if failure.type else "")
            self._retry = IReactorTime(self._reactor).callLater(PG_RECONNECT_SECONDS, self._connect)

    def doRead(self) -> None:  # noqa: N802
        if self._connection is None:
            return
        try:
            arrived = list(self._connection.notifies(timeout=0))
        except psycopg.Error:
            self._drop()
            self._connect()
            return
        if arrived:
            self._wake()

    def fileno(self) -> int:
        return self._fileno

    def connectionLost(self, reason: object) -> None:  # noqa: ARG002, N802
        self._drop()

    def logPrefix(self) -> str:  # noqa: N802
        return "PostgresWaker"

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            IReactorFDSet(self._reactor).removeReader(self)
            connection.close()

    def stop(self) -> None:
        self._stopped = True
        self._drop()
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
