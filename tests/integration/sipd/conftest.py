"""sipd over real sockets, on SQLite."""

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
    from twisted.internet import reactor

    world = SipWorld(sqlite_store, tmp_path, reactor)
    world.create()
    yield world
    pytest_twisted.blockon(Deferred.fromCoroutine(world.close()))
