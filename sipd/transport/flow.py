"""Flows: the way back to a client, through whatever NAT its request came (RFC 5626 §2)."""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """`listener` names the local socket and stays the same across restarts; `host` is an address without brackets."""

    listener: str
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """A host as URIs and Via write it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
