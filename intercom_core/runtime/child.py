"""Launches one daemon under the supervisor: `python -m intercom_core.runtime.child <role> [options]`.

The child gets a session of its own, so that Ctrl-C reaches only the supervisor, which then stops all in order; and it
ends when the supervisor dies, so that nothing is left behind holding ports.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    role = sys.argv[1]
    supervisor = os.getppid()
    os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        sys.exit(0)
    sys.argv = [role, *sys.argv[2:]]
    runpy.run_module(f"{role}.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
