"""The change log under concurrent writers: nothing lost, nothing doubled, on both databases."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_twisted
from sqlalchemy import text
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from intercom_core.changes.follower import RETRY_SECONDS, ChangeFollower
from intercom_core.changes.log import Action, Change, ChangeReader, Entity, record
from intercom_core.changes.waker import open_waker
from intercom_core.runtime.pool import WorkPool
from intercom_core.store.engine import Store

WRITERS = 8
TRANSACTIONS = 120


class _AbortedError(Exception):
    pass


def _write_some(store: Store, writer: int) -> list[int]:
    """Transactions of 1 to 4 changes each, a third of them rolled back; returns the committed entity ids."""
    choice = random.Random(writer)
    committed: list[int] = []
    for number in range(TRANSACTIONS):
        ids = [writer * 1_000_000 + number * 10 + part for part in range(choice.randint(1, 4))]
        try:
            with store.write() as session:
                for entity_id in ids:
                    record(session, Entity.DEVICE, entity_id, writer, Action.UPDATED)
                if not store.is_sqlite and choice.random() < 0.3:
                    session.execute(text("SELECT pg_sleep(0.002)"))
                if choice.random() < 0.33:
                    raise _AbortedError
            committed += ids
        except _AbortedError:
            continue
    return committed


def test_no_change_is_lost_or_doubled_under_concurrent_writers_and_rollbacks(store: Store) -> None:
    reader = ChangeReader(store)
    cursor = reader.head()
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        nonlocal cursor
        while True:
            finished = done.is_set()
            changes, cursor = reader.read(cursor, 50)
            seen.extend(change.entity_id for change in changes)
            if finished and not changes:
                return

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reading = pool.submit(read)
        writing = [pool.submit(_write_some, store, writer) for writer in range(WRITERS)]
        committed = [entity_id for future in writing for entity_id in future.result(120)]
        done.set()
        reading.result(120)
    counts = Counter(seen)
    assert set(committed) - set(counts) == set(), "lost"
    assert set(counts) - set(committed) == set(), "from rolled back transactions"
    assert [entity_id for entity_id, count in counts.items() if count > 1] == [], "doubled"
    assert len(committed) > WRITERS * TRANSACTIONS


def test_head_lies_behind_what_is_committed_and_before_what_follows(store: Store) -> None:
    with store.write() as session:
        record(session, Entity.PROJECT, 1, 1, Action.CREATED)
    reader = ChangeReader(store)
    cursor = reader.head()
    with store.write() as session:
        record(session, Entity.PROJECT, 2, None, Action.DELETED)
    changes, after = reader.read(cursor)
    assert changes == [Change("project", 2, None, "deleted")]
    assert reader.read(after) == ([], after)


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    pool = WorkPool(reactor, "test", 2)
    yield pool
    pool.stop()


@pytest_twisted.ensureDeferred
async def test_the_follower_hands_over_a_change_of_another_connection_and_repeats_it_after_a_failure(
    store: Store, pool: WorkPool
) -> None:
    clock = Clock()
    attempts: list[list[Change]] = []
    failed: Deferred[None] = Deferred()
    handled: Deferred[None] = Deferred()

    async def handle(changes: list[Change]) -> None:
        attempts.append(changes)
        if len(attempts) == 1:
            reactor.callLater(0, failed.callback, None)  # after this failure has been dealt with
            raise RuntimeError("not this time")
        handled.callback(None)

    reader = ChangeReader(store)
    follower = ChangeFollower(clock, pool, reader, open_waker(reactor, store), handle, "test")
    follower.start(reader.head())
    with store.write() as session:
        record(session, Entity.DEVICE, 7, 1, Action.UPDATED)
    await failed.addTimeout(5, reactor)
    clock.advance(RETRY_SECONDS)
    await handled.addTimeout(5, reactor)
    assert attempts[0] == attempts[1] == [Change("device", 7, 1, "updated")]
    await follower.stop()
