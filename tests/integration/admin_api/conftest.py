"""Fixtures: one installation each test, on SQLite or on both databases."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from admin_world import Client, World, open_world
from anyio.from_thread import BlockingPortal, start_blocking_portal

from intercom_core.store.engine import Store


@pytest.fixture(scope="session", autouse=True)
def light_collections() -> Iterator[None]:
    """Imported modules never become garbage; without them, the collection after each test is ten times faster."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The event loop that serves the requests of all tests."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def world(sqlite_store: Store, tmp_path: Path, portal: BlockingPortal) -> World:
    return open_world(sqlite_store, tmp_path, portal)


@pytest.fixture
def both_worlds(store: Store, tmp_path: Path, portal: BlockingPortal) -> World:
    """The same test on SQLite and on PostgreSQL."""
    return open_world(store, tmp_path, portal)


@pytest.fixture
def installer(world: World) -> Client:
    return world.installer("ryan")
