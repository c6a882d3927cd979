"""The SIP account that a device finds in its own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SHORTEST_EXPIRES_SECONDS = 30
USUAL_EXPIRES_SECONDS = 1800
UDP_TRANSPORTS = ("", "0")


class AccountError(ValueError):
    """The account can't be used as configured. `code` is a short fixed name."""

    def __init__(self, code: str) -> None:
        super().__init__(f"account: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Account:
    """`server` is the domain of the AoR; packets go to `host`:`port`, the outbound proxy when there is one."""

    user: str
    auth_user: str
    secret: str = field(repr=False)
    server: str
    host: str
    port: int
    expires_seconds: int
    keepalive_seconds: int
    display_name: str = ""

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.server}"


def account_of(config: Mapping[str, str]) -> Account | None:
    """Account 1 of the applied settings; None when it is off or not there. Raises AccountError."""

    def setting(name: str, default: str = "") -> str:
        return config.get(f"Config.Account1.{name}", "") or default

    if setting("GENERAL.Enable") != "1":
        return None
    user, server = setting("GENERAL.UserName"), setting("SIP.Server")
    if not user or not server:
        raise AccountError("account-incomplete")
    if setting("SIP.TransType") not in UDP_TRANSPORTS:
        raise AccountError("transport-unsupported")
    proxy = "OUTPROXY" if setting("OUTPROXY.Enable") == "1" else "SIP"
    return Account(
        user=user,
        auth_user=setting("GENERAL.AuthName", user),
        secret=setting("GENERAL.Pwd"),
        server=server,
        host=setting(f"{proxy}.Server", server),
        port=_number(setting(f"{proxy}.Port", "5060"), 1, 65_535),
        expires_seconds=_number(setting("REG.Timeout", str(USUAL_EXPIRES_SECONDS)), SHORTEST_EXPIRES_SECONDS, 65_535),
        keepalive_seconds=_number(setting("NAT.UdpKeepInterval", "30"), 5, 65_535)
        if setting("NAT.UdpKeepEnable") == "1"
        else 0,
        display_name=setting("GENERAL.DisplayName"),
    )


def _number(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise AccountError("account-number-out-of-range")
    return int(text)
