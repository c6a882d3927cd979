"""Flows: the way back to a client, through whatever NAT its request came (RFC 5626 §2)."""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """`listener` is the transport in lower case (`udp`, `tcp`, `tls`); `host` is an address without brackets.

    `connection` is 0 for datagrams, else the number of a connection of this process: such a flow ends with it, and
    nobody else ever gets the number.
    """

    listener: str
    host: str
    port: int
    connection: int = 0

    @property
    def address(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def source(self) -> str:
        """Who answers what was sent over this flow: the connection, for datagrams the host, from whatever port."""
        return f"{self.listener}#{self.connection}" if self.connection else self.host


def bracketed(host: str) -> str:
    """A host as URIs and Via write it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
