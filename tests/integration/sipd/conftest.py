"""sipd over real sockets and databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from sipd_world import SipWorld
from twisted.internet.defer import Deferred

from intercom_core.store.engine import Store


@pytest.fixture
def world(sqlite_store: Store, tmp_path: Path) -> Iterator[SipWorld]:
    """One installation; a test starts sipd itself, after it has set up what should be there."""
    yield from _world(sqlite_store, tmp_path)


@pytest.fixture
def postgres_world(postgres_store: Store, tmp_path: Path) -> Iterator[SipWorld]:
    yield from _world(postgres_store, tmp_path)


def _world(store: Store, data_dir: Path) -> Iterator[SipWorld]:
    from twisted.internet import reactor

    world = SipWorld(store, data_dir, reactor)
    world.create()
    yield world
    pytest_twisted.blockon(Deferred.fromCoroutine(world.close()))
