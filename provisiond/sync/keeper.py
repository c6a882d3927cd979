"""Keeps the shelf in step with the database: loads all at start, then follows the change log."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from twisted.internet.task import deferLater

from intercom_core.changes.follower import ChangeFollower
from intercom_core.changes.log import Change, ChangeReader, Cursor
from intercom_core.changes.waker import Waker
from intercom_core.runtime.pool import WorkPool
from intercom_core.security.box import SealedBox
from intercom_core.store.engine import Store
from intercom_core.telemetry import log
from provisiond.autop.inputs import Server
from provisiond.autop.render import Renderer
from provisiond.autop.shelf import Entry, Shelf
from provisiond.bootstrap.claims import load_claim
from provisiond.sync.build import Built, build_entries
from provisiond.sync.planner import plan
from provisiond.sync.progress import BATCH, Target, settle, tell_again
from provisiond.sync.snapshot import Snapshot, load_project, project_ids

# Between two batches. Whoever waits for SQLite's write lock looks only now and then whether it is free: without a pause
# an API call would wait for all batches.
PAUSE_SECONDS = 0.02

_log = log.get("provisiond.sync")


@dataclass(frozen=True, slots=True)
class Metrics:
    devices: Gauge
    renders: Counter
    render_failures: Counter
    render_seconds: Histogram
    commands: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Metrics:
        prefix = "intercom_provisiond"
        return cls(
            Gauge(f"{prefix}_devices", "Devices whose files are served", registry=registry),
            Counter(f"{prefix}_renders", "Devices rendered", registry=registry),
            Counter(f"{prefix}_render_failures", "Devices that could not be rendered", registry=registry),
            Histogram(f"{prefix}_render_seconds", "Rendering one project", registry=registry),
            Counter(f"{prefix}_commands_enqueued", "check-sync commands queued", registry=registry),
        )


class Keeper:
    """`pool` is for database work, `render_pool` for rendering."""

    def __init__(
        self,
        reactor: Any,
        store: Store,
        pool: WorkPool,
        render_pool: WorkPool,
        waker: Waker,
        box: SealedBox,
        renderer: Renderer,
        server: Server,
        shelf: Shelf,
        metrics: Metrics,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._pool = pool
        self._render_pool = render_pool
        self._box = box
        self._renderer = renderer
        self._server = server
        self._shelf = shelf
        self._metrics = metrics
        self._settled: dict[int, str] = {}
        self._reader = ChangeReader(store)
        self._cursor = Cursor(0, 0)
        self._follower = ChangeFollower(reactor, pool, self._reader, waker, self.handle, "provisiond")

    async def load(self) -> None:
        """Everything there is, and the notifications that a former process did not come to queue."""
        self._cursor = await self._pool.run(self._reader.head)
        for project_id in await self._pool.run(self._project_ids):
            await self._refresh(project_id)
        await self._tell_again(None)
        _log.info("files_loaded", devices=len(self._shelf))

    def follow(self) -> None:
        self._follower.start(self._cursor)

    async def stop(self) -> None:
        await self._follower.stop()

    async def handle(self, changes: list[Change]) -> None:
        """May see a change twice: all it does depends on the present state alone."""
        todo = plan(changes)
        for project_id in todo.projects:
            await self._refresh(project_id)
        for device_id in todo.claims:
            claim = await self._pool.run(self._claim, device_id)
            if claim is not None:
                self._shelf.set_claim(device_id, claim)
        if todo.registrations:
            await self._tell_again(todo.registrations)

    async def _refresh(self, project_id: int) -> None:
        """Renders a project and has those devices told whose files changed.

        The new files are served before a device can be told of them. A new device appears once its row of progress is
        stored, so that its first pull finds it.
        """
        snapshot = await self._pool.run(self._snapshot, project_id)
        if snapshot is None:
            self._forget(self._shelf.ids_of(project_id))
            return
        built = await self._render_pool.run(self._build, snapshot, project_id)
        self._forget(self._shelf.ids_of(project_id) - snapshot.device_ids)
        self._publish([entry for entry in built.entries if self._shelf.by_id(entry.device_id)])
        await self._settle(built.entries)
        self._publish(built.entries)

    def _publish(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._shelf.put(entry)
        self._metrics.devices.set(len(self._shelf))

    def _forget(self, device_ids: frozenset[int]) -> None:
        self._shelf.drop(device_ids)
        for device_id in device_ids:
            self._settled.pop(device_id, None)
        self._metrics.devices.set(len(self._shelf))

    async def _settle(self, entries: Sequence[Entry]) -> None:
        changed = [e for e in entries if self._settled.get(e.device_id) != e.files.digest]
        for start in range(0, len(changed), BATCH):
            if start:
                await deferLater(self._reactor, PAUSE_SECONDS)
            batch = changed[start : start + BATCH]
            targets = [Target(e.device_id, e.project_id, e.number, e.files.digest) for e in batch]
            self._metrics.commands.inc(await self._pool.run(self._store_targets, targets))
            self._settled.update((target.device_id, target.digest) for target in targets)

    async def _tell_again(self, account_ids: Collection[int] | None) -> None:
        self._metrics.commands.inc(await self._pool.run(self._queue_again, account_ids))

    def _queue_again(self, account_ids: Collection[int] | None) -> int:
        with self._store.write() as session:
            return tell_again(session, account_ids)

    def _project_ids(self) -> list[int]:
        with self._store.read() as session:
            return project_ids(session)

    def _snapshot(self, project_id: int) -> Snapshot | None:
        with self._store.read() as session:
            return load_project(session, self._box, project_id)

    def _claim(self, device_id: int) -> Any:
        with self._store.read() as session:
            return load_claim(session, device_id)

    def _store_targets(self, targets: list[Target]) -> int:
        with self._store.write() as session:
            return settle(session, targets)

    def _build(self, snapshot: Snapshot, project_id: int) -> Built:
        started = time.perf_counter()
        built = build_entries(snapshot, project_id, self._server, self._renderer)
        self._metrics.render_seconds.observe(time.perf_counter() - started)
        self._metrics.renders.inc(len(built.entries))
        self._metrics.render_failures.inc(built.failed)
        return built
