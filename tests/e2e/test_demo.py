"""`make demo`, as a newcomer sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from free_ports import free_port


@pytest.mark.system
def test_the_demo_shows_fifty_devices_from_the_box_to_a_notified_edit(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("admin", "http", "sip", "metrics")}
    options = [word for name, port in ports.items() for word in (f"--{name}-port", port)]
    done = subprocess.run(
        [sys.executable, "-m", "simulator.demo", "--data-dir", str(tmp_path / "demo"), "--seconds", "1", *options],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "registered 50/50" in done.stdout
    assert "notified 1 of 50 devices, pulled again 1" in done.stdout
    assert "intercom_sipd_registered_aors 50" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
