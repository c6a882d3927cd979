from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_runner import RunningSuite

from tests.conftest import create_database


@pytest.fixture(params=["sqlite"])
def suite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningSuite]:
    """The suite on SQLite, or on the database that the test's `on_both` names."""
    url = ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_url")
        name = f"e2e_{uuid.uuid4().hex[:12]}"
        create_database(server, name, "template1")
        url = f"{server}/{name}"
    running = RunningSuite(tmp_path, url)
    yield running
    running.stop()
