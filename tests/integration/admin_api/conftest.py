"""Fixtures: one installation each test, on SQLite or on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from admin_world import Client, World, open_world

from intercom_core.store.engine import Store


@pytest.fixture
def world(sqlite_store: Store, tmp_path: Path) -> Iterator[World]:
    opened = open_world(sqlite_store, tmp_path)
    yield opened
    for client in opened.clients:
        client.close()


@pytest.fixture
def both_worlds(store: Store, tmp_path: Path) -> Iterator[World]:
    """The same test on SQLite and on PostgreSQL."""
    opened = open_world(store, tmp_path)
    yield opened
    for client in opened.clients:
        client.close()


@pytest.fixture
def installer(world: World) -> Client:
    return world.installer("ryan")
