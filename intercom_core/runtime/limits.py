"""What the system lets this process use."""

from __future__ import annotations

import resource


def raise_file_limit() -> None:
    """Lifts the soft limit of open files to the hard one: each connection is a file, and limits on them follow it.

    Usual soft limits (1024) are there for programs that use select(); the reactor uses epoll.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
