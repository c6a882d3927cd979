from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_runner import RunningSuite


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[RunningSuite]:
    running = RunningSuite(tmp_path)
    yield running
    running.stop()
