"""Telling the supervisor how we are: the sd_notify protocol, the same under systemd and under `intercom-suite run`."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Sends one state (`READY=1`, `STOPPING=1`) to $NOTIFY_SOCKET; without a supervisor it does nothing."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.sendall(state.encode())
        except OSError:
            # A supervisor that went away must not stop the daemon from serving.
            return


def ready() -> None:
    notify("READY=1")


def stopping() -> None:
    notify("STOPPING=1")
