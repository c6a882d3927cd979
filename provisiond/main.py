"""The provisiond command: `python -m provisiond.main [--config FILE]`."""

from __future__ import annotations

import sys

from intercom_core.runtime.role import run_role
from provisiond.service import build


def main() -> int:
    from twisted.internet import reactor

    return run_role("provisiond", build, reactor, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
