"""What was acknowledged survives `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
from sipd_world import REALM, WAIT_SECONDS, add_device, create_installation
from wire_phones import WirePhones

from intercom_core.store.engine import Store
from sipd.location.journal import SqliteJournal

NUMBERS = [str(5926100001 + i) for i in range(120)]
SECRET = "s3cret"


class Daemon:
    """sipd as its own process, on a port it chose."""

    def __init__(self, folder: Path) -> None:
        config = folder / "suite.toml"
        config.write_text(
            f'data_dir = "{folder}"\n[sipd]\ndomain = "127.0.0.1"\nudp = "127.0.0.1:0"\n'
            '[metrics]\nsipd = ""\n[log]\nformat = "json"\n'
        )
        argv = [sys.executable, "-m", "sipd.main", "--config", str(config)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.serving = self._wait()

    def _wait(self) -> dict[str, int]:
        assert self.process.stdout
        said = []
        for line in self.process.stdout:
            said.append(line)
            if '"serving"' in line:
                event: dict[str, int] = json.loads(line)
                return event
        raise AssertionError("".join(said))

    def end(self, number: int) -> int:
        os.kill(self.process.pid, number)
        code = self.process.wait(WAIT_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@pytest.fixture
def folder(sqlite_store: Store, tmp_path: Path) -> Path:
    project = create_installation(sqlite_store, tmp_path)
    for number in NUMBERS:
        add_device(sqlite_store, tmp_path, project, number, SECRET)
    return tmp_path


def test_acknowledged_bindings_are_there_after_sigkill(folder: Path) -> None:
    daemon = Daemon(folder)
    phones = WirePhones(daemon.serving["udp_port"], REALM, SECRET)
    try:
        for number in NUMBERS:
            phones.register(number)
        assert len(list(islice(phones.read(5.0), len(NUMBERS)))) == len(NUMBERS)
        for number in NUMBERS:
            phones.register(number)
        # Some are answered, some are in the group being written, some have not been read.
        assert set(islice(phones.read(5.0), 10)) == {200}
        daemon.end(signal.SIGKILL)
        assert set(phones.read(0.1)) <= {200}
    finally:
        phones.close()
        daemon.process.kill()
    journal = SqliteJournal(folder / "sipd" / "location.db")
    loaded = journal.load(time.time())
    journal.close()
    assert len(phones.acknowledged) >= 10
    assert phones.acknowledged <= loaded.bindings.keys()
    assert len(loaded.uses) == len(loaded.bindings)

    again = Daemon(folder)
    assert again.serving["registered"] == len(loaded.bindings)
    assert again.end(signal.SIGTERM) == 0
