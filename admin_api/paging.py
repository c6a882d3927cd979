"""Lists page by key: a cursor names the last row seen, so pages stay right and fast however much is added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from admin_api.schemas.base import MAX_ID
from intercom_core.model.errors import InvalidValueError
from intercom_core.model.values import optional_line

Row = TypeVar("Row")
DEFAULT_LIMIT = 50
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class PageQuery:
    """`after` is the key of the last row of the page before, empty for the first page; `q` a search text or empty."""

    limit: int = DEFAULT_LIMIT
    after: str = ""
    q: str = ""

    @property
    def after_id(self) -> int:
        """`after` as a row id, 0 on the first page. Raises InvalidValueError for a cursor of another list."""
        if not self.after:
            return 0
        if not self.after.isascii() or not self.after.isdigit() or not 0 < int(self.after) <= MAX_ID:
            raise _foreign_cursor()
        return int(self.after)

    def split(self, rows: Sequence[Row], key: Callable[[Row], int | str]) -> tuple[Sequence[Row], str | None]:
        """The page and the next cursor, of up to `limit + 1` rows."""
        if len(rows) <= self.limit:
            return rows, None
        page = rows[: self.limit]
        return page, encode(key(page[-1]))


def encode(key: int | str) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _foreign_cursor() from None
    if not text.isalnum():
        raise _foreign_cursor()
    return text


def _foreign_cursor() -> InvalidValueError:
    return InvalidValueError("cursor", "This is not a cursor of this list.")


def _page_query(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page.")] = DEFAULT_LIMIT,
    cursor: Annotated[str, Query(max_length=64, description="`next` of the page before.")] = "",
) -> PageQuery:
    return PageQuery(limit, _decode(cursor) if cursor else "")


def _search_query(
    page: Annotated[PageQuery, Depends(_page_query)],
    q: Annotated[str, Query(max_length=256, description="Text to search for.")] = "",
) -> PageQuery:
    return PageQuery(page.limit, page.after, optional_line("q", q, 64))


Paged = Annotated[PageQuery, Depends(_page_query)]
Searched = Annotated[PageQuery, Depends(_search_query)]
