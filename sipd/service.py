"""Wires sipd: what listens, what answers, what keeps it current."""

from __future__ import annotations

import gc
import os
from functools import partial

from intercom_core.changes.follower import ChangeFollower
from intercom_core.changes.log import Change, ChangeReader, Entity
from intercom_core.changes.waker import open_waker
from intercom_core.runtime.pool import WorkPool
from intercom_core.runtime.role import RoleContext
from intercom_core.security.box import SealedBox
from intercom_core.security.keys import KeyName, load_key
from intercom_core.telemetry import log
from sipd.auth.authenticator import Authenticator
from sipd.auth.digest import Algorithm
from sipd.auth.nonce import Nonces, UsedNonces
from sipd.core import Core
from sipd.hot.refresh import HotPath
from sipd.location.commit import Commits, GroupCommit, NoCommit
from sipd.location.journal import Journal, MemoryJournal, SqliteJournal
from sipd.location.location import Location
from sipd.notifier import Local, Notifier
from sipd.numbers.directory import Directory
from sipd.numbers.load import AccountLoader
from sipd.registrar.limits import Limits
from sipd.registrar.registrar import Registrar
from sipd.status import StatusWriter
from sipd.transaction.client import ClientTransactions
from sipd.transaction.server import ServerTransactions
from sipd.transport.flow import Flow, bracketed
from sipd.transport.transports import Transports

GC_THRESHOLDS = (5_000, 10, 10)

_log = log.get("sipd.service")


class SipService:
    """State first, then the socket, then commands: nothing is answered before all of it is known."""

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        reactor, registry, store, pool = context.reactor, context.registry, context.store, context.pool
        key = load_key(context.settings.data_dir, KeyName.SIP)
        for part in ("location", "directory"):
            context.health.set(part, False)
        self.directory = Directory()
        self._loader = AccountLoader(store, SealedBox(key))
        self._used = UsedNonces()
        authenticator = self._authenticator(Nonces(key, reactor.seconds, os.urandom))
        self._location = Location(reactor, self._expired, registry)
        self._status = StatusWriter(reactor, pool, store, self._location, self.directory)
        self._journal = self._open_journal()
        self._journal_pool = WorkPool(reactor, "journal", 1, registry)
        self._commits: Commits = (
            NoCommit()
            if isinstance(self._journal, MemoryJournal)
            else GroupCommit(reactor, self._journal_pool, self._journal, registry)
        )
        self._registrar = Registrar(
            reactor,
            authenticator,
            self._location,
            self._commits,
            self._limits(),
            self._status.touch,
            self._status.refreshed,
        )
        self._servers = ServerTransactions(reactor)
        self._clients = ClientTransactions(reactor)
        core = Core(self._registrar, self._servers, self._clients, registry)
        short = HotPath(
            reactor,
            authenticator,
            self.directory,
            self._location,
            self._commits,
            self._servers,
            partial(core.count, "REGISTER"),
            self._status.refreshed,
        )
        self._transports = Transports(reactor, context.settings.sipd, core, registry, short)
        self._notifier = Notifier(
            reactor, pool, store, self._location, self._clients, self._transports.send, self._local, registry
        )
        self._reader = ChangeReader(store)
        self._follower = ChangeFollower(
            reactor, pool, self._reader, open_waker(reactor, store), self._changed, name="sipd"
        )

    @property
    def ports(self) -> dict[str, int]:
        """What is listened on, by transport (`udp`, `tcp`, `tls`); 0 where there is no listener."""
        return self._transports.ports

    def _authenticator(self, nonces: Nonces) -> Authenticator:
        now, registry = self._context.reactor.seconds, self._context.registry
        offered = [Algorithm(name) for name in self._context.settings.sipd.digest_algorithms]
        return Authenticator(self._loader.realm(), self.directory, nonces, self._used, now, registry, offered)

    def _open_journal(self) -> Journal:
        settings = self._context.settings
        if settings.sipd.durability == "memory":
            return MemoryJournal()
        return SqliteJournal(settings.data_dir / "sipd" / "location.db")

    def _limits(self) -> Limits:
        settings = self._context.settings.sipd
        return Limits(settings.default_expires_seconds, settings.min_expires_seconds, settings.max_expires_seconds)

    def _local(self, flow: Flow) -> Local:
        domain = bracketed(self._context.settings.sipd.domain)
        return Local(domain, f"{domain}:{self.ports[flow.listener]}")

    def _expired(self, number: str) -> None:
        self._status.touch(number)

    async def start(self) -> None:
        """Raises CannotListenError when a port is taken, CertificateError when a certificate can't be used."""
        try:
            await self._start()
        except Exception:
            await self.stop()
            raise

    async def _start(self) -> None:
        context = self._context
        cursor = await context.pool.run(self._reader.head)
        self.directory.put_all(await context.pool.run(self._loader.all))
        context.health.set("directory", True)
        await self._load_bindings()
        context.health.set("location", True)
        self._transports.listen()
        _settle_memory()
        await self._status.reconcile()
        self._follower.start(cursor)
        await self._notifier.start()
        ports = {f"{name}_port": port for name, port in self.ports.items()}
        _log.info("serving", **ports, numbers=len(self.directory), registered=len(self._location))

    def reload(self) -> None:
        """Takes over certificates whose files have changed."""
        self._transports.reload()

    async def _load_bindings(self) -> None:
        now = self._context.reactor.seconds()
        loaded = await self._journal_pool.run(self._journal.load, now)
        for use in loaded.uses:
            self._used.use(use, now)
        for number, stored in loaded.bindings.items():
            # Connections end with their process, and with them what was bound over them.
            bindings = tuple(binding for binding in stored if not binding.flow.connection)
            self._location.replace(number, bindings)
            mark = self.directory.mark(number)
            if any(binding.mark != mark for binding in bindings):
                self._registrar.forget(number)

    async def _changed(self, changes: list[Change]) -> None:
        """Idempotent: brings to memory what the database holds now."""
        accounts = list({change.entity_id for change in changes if change.entity == Entity.SIP_ACCOUNT})
        if accounts:
            found = await self._context.pool.run(self._loader.some, accounts)
            for number in self.directory.apply(accounts, found):
                self._registrar.forget(number)
        if any(change.entity == Entity.COMMAND for change in changes):
            self._notifier.wake()

    async def stop(self) -> None:
        """Takes no more requests, then lets what was accepted become durable."""
        await self._transports.stop()
        await self._follower.stop()
        await self._notifier.stop()
        await self._commits.flush()
        await self._status.stop()
        self._clients.stop()
        self._servers.stop()
        self._location.stop()
        await self._journal_pool.run(self._journal.close)
        self._journal_pool.stop()


def _settle_memory() -> None:
    """What was loaded stays: the garbage collector need not look at it again and again. A collection stops everything,
    so there are fewer; not too few, as a connection that ends leaves a cycle behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def build(context: RoleContext) -> SipService:
    return SipService(context)
