"""How a core answers a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

HeaderFields = Sequence[tuple[str, str]]


class Answer(Protocol):
    """Sends the final response to the request at hand. Called once, now or later."""

    def __call__(self, status: int, fields: HeaderFields = ()) -> None: ...
