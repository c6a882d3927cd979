"""One suite per data directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intercom_core.runtime.lock import InUseError, lock_data_dir


def test_the_lock_lasts_until_its_last_copy_is_closed(tmp_path: Path) -> None:
    held = lock_data_dir(tmp_path)
    copy = os.dup(held)
    os.close(held)
    with pytest.raises(InUseError, match="another suite is running"):
        lock_data_dir(tmp_path, wait_seconds=0)
    os.close(copy)
    os.close(lock_data_dir(tmp_path, wait_seconds=0))


def test_directories_are_locked_one_by_one(tmp_path: Path) -> None:
    descriptors = [lock_data_dir(tmp_path / name, wait_seconds=0) for name in ("a", "b")]
    for descriptor in descriptors:
        os.close(descriptor)
