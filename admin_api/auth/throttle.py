"""Slows down guessing before any hash is computed.

Counted per (login, source) and per source, so nobody is locked out by what others try from elsewhere. An attempt is
charged before its hash, so parallel guesses count too; a success clears what its login and source were charged.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from admin_api.errors import ThrottledError

WINDOW_SECONDS = 900.0
PER_LOGIN_AND_SOURCE = 8
PER_SOURCE = 60
REMEMBERED = 20_000


@dataclass(slots=True)
class _Window:
    started: float
    charged: int


class LoginThrottle:
    """Fixed windows; the oldest keys are forgotten beyond `REMEMBERED`. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    def charge(self, login: str, address: str) -> None:
        """Raises ThrottledError when this attempt is over a limit."""
        source = _source(address)
        with self._lock:
            now = self._clock()
            pair, whole = self._window((login, source), now), self._window(("", source), now)
            for window, limit in ((pair, PER_LOGIN_AND_SOURCE), (whole, PER_SOURCE)):
                if window.charged >= limit:
                    wait = int(window.started + WINDOW_SECONDS - now) + 1
                    raise ThrottledError("Too many attempts. Wait before the next one.", wait)
            pair.charged += 1
            whole.charged += 1

    def succeeded(self, login: str, address: str) -> None:
        source = _source(address)
        with self._lock:
            pair = self._windows.pop((login, source), None)
            whole = self._windows.get(("", source))
            if whole and pair:
                whole.charged = max(0, whole.charged - pair.charged)

    def _window(self, key: tuple[str, str], now: float) -> _Window:
        window = self._windows.get(key)
        if window is None or now - window.started >= WINDOW_SECONDS:
            window = self._windows[key] = _Window(now, 0)
            self._windows.move_to_end(key)
            while len(self._windows) > REMEMBERED:
                self._windows.popitem(last=False)
        return window


def _source(address: str) -> str:
    """An IPv6 user has a whole /64 to call from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
