"""The audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from admin_api.schemas.base import Output


class AuditView(Output):
    """`before` and `after` hold the fields that an edit changed; all fields when something was made or deleted."""

    id: int
    at: datetime
    actor: str
    address: str
    action: str
    entity: str
    entity_id: int | None
    community_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
