"""One suite per data directory: a lock that lasts until the last of its processes has ended."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from intercom_core.model.errors import SuiteError
from intercom_core.runtime.setup import require_writable

WAIT_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class InUseError(SuiteError):
    code = "data-dir-in-use"


def lock_data_dir(data_dir: Path, wait_seconds: float = WAIT_SECONDS) -> int:
    """A descriptor that holds the lock while it, or a copy of it in a child process, is open.

    Waits for a suite that is just ending. Raises InUseError when another one keeps running, DataDirError.
    """
    require_writable(data_dir)
    descriptor = os.open(data_dir / "suite.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise InUseError(f"data_dir: another suite is running on {data_dir}") from None
            time.sleep(_LOOK_SECONDS)
