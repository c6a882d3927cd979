"""Registration state as people see it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_

from admin_api.schemas.devices import StatusView
from intercom_core.store.schema import RegistrationStatus


def is_online(now: datetime) -> ColumnElement[bool]:
    """Registered, and not past its expiry: a SIP server that died can't leave devices online for ever."""
    unexpired = or_(RegistrationStatus.expires_at.is_(None), RegistrationStatus.expires_at > now)
    return and_(RegistrationStatus.online.is_(True), unexpired)


def view(status: RegistrationStatus | None, now: datetime) -> StatusView:
    if status is None:
        return StatusView(online=False, last_connection=None, address="", user_agent="")
    online = status.online and (status.expires_at is None or status.expires_at > now)
    return StatusView(
        online=online, last_connection=status.last_seen, address=status.address, user_agent=status.user_agent
    )
