from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prov_world import Rows
from twisted.internet import reactor

from intercom_core.runtime.pool import WorkPool
from intercom_core.security.box import SealedBox
from intercom_core.store.engine import Store


@pytest.fixture
def rows(store: Store) -> Rows:
    return Rows(store, SealedBox(b"k" * 32))


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    made: Any = WorkPool(reactor, "test", 2)
    yield made
    made.stop()
