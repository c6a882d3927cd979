"""What the use cases work with, and the unit of work that they get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore

from sqlalchemy.orm import Session

from admin_api.auth.passwords import Passwords
from admin_api.auth.throttle import LoginThrottle
from admin_api.errors import BusyError
from admin_api.metrics import Metrics
from intercom_core.config.settings import Settings
from intercom_core.model.account import Principal
from intercom_core.security.box import SealedBox
from intercom_core.store.engine import Store

WRITERS_AT_ONCE = 4
WRITER_WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Services:
    """Everything injected. `sip_realm` is the installation's, part of every HA1; `clock` gives aware UTC times."""

    settings: Settings
    store: Store
    sip_realm: str
    provisioning_box: SealedBox
    sip_box: SealedBox
    passwords: Passwords
    throttle: LoginThrottle
    metrics: Metrics
    clock: Callable[[], datetime]
    _writers: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(WRITERS_AT_ONCE))

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction. While another process keeps the database locked, `WRITERS_AT_ONCE` wait for it and leave
        the other connections to readers. Raises BusyError to those who get no turn in `WRITER_WAIT_SECONDS`."""
        if not self._writers.acquire(timeout=WRITER_WAIT_SECONDS):
            raise BusyError("The database is busy. Try again in a moment.")
        try:
            with self.store.write() as session:
                yield session
        finally:
            self._writers.release()


@dataclass(slots=True)
class Work:
    """One transaction of one caller. `now` is the same for all that it writes."""

    session: Session
    principal: Principal
    services: Services
    now: datetime
    audited: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal whose role grants what the route asks for. `session_key` is its session's row key."""

    principal: Principal
    session_key: bytes
    services: Services

    @contextmanager
    def read(self) -> Iterator[Work]:
        with self.services.store.read() as session:
            yield Work(session, self.principal, self.services, self.services.clock())

    @contextmanager
    def write(self) -> Iterator[Work]:
        """Commits state, audit rows and change rows together, or none of them."""
        with self.services.write() as session:
            work = Work(session, self.principal, self.services, self.services.clock())
            yield work
        self.services.metrics.audit_rows.inc(work.audited)
