"""Logins, and the sessions behind bearer tokens and console cookies."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from admin_api.errors import ThrottledError, UnauthenticatedError
from admin_api.services import Caller, Services, Work
from admin_api.usecases import journal
from intercom_core.changes.log import Entity
from intercom_core.model.account import Principal, Role
from intercom_core.store.schema import Account, LoginSession
from intercom_core.telemetry import log

SESSION_LIFE = timedelta(hours=12)
TOKEN_BYTES = 32
TOKEN_LIMIT = 128
_LOG = log.get("admin_api.sessions")


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """`token` is told to the caller once; only its hash is stored."""

    token: str
    expires_at: datetime
    role: Role


def key_of(token: str) -> bytes:
    """The row key of a session. A plain hash is enough: tokens are 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def find_principal(services: Services, token: str, address: str) -> Caller:
    """Raises UnauthenticatedError for unknown, expired and ended sessions alike."""
    if token and len(token) <= TOKEN_LIMIT:
        key = key_of(token)
        live = (
            select(Account.id, Account.login, Account.role)
            .join(LoginSession, LoginSession.account_id == Account.id)
            .where(LoginSession.token_sha256 == key, LoginSession.expires_at > services.clock())
            .where(Account.suspended.is_(False))
        )
        with services.store.read() as session:
            row = session.execute(live).one_or_none()
        if row is not None:
            return Caller(Principal(row.id, row.login, Role(row.role), address), key, services)
    raise UnauthenticatedError("Log in first: the session is unknown or has ended.")


def login(services: Services, login_name: str, password: str, address: str) -> OpenedSession:
    """Opens a session by login or unambiguous e-mail. Raises UnauthenticatedError, ThrottledError or BusyError."""
    folded = login_name.lower()
    try:
        services.throttle.charge(folded, address)
    except ThrottledError:
        services.metrics.logins.labels("throttled").inc()
        raise
    with services.store.read() as session:
        found = _find_account(session, folded)
        account_id, stored = (found.id, found.password_hash) if found and not found.suspended else (None, None)
    if not services.passwords.verify(stored, password) or account_id is None or stored is None:
        services.metrics.logins.labels("wrong").inc()
        _LOG.warning("login_refused", address=address)
        raise UnauthenticatedError("The login or the password is wrong.")
    opened = _open(services, account_id, stored, address)
    services.throttle.succeeded(folded, address)
    services.metrics.logins.labels("ok").inc()
    return opened


def _find_account(session: Session, name: str) -> Account | None:
    rows = session.scalars(
        select(Account).where(or_(Account.login == name, func.lower(Account.email) == name)).limit(3)
    ).all()
    exact = [row for row in rows if row.login == name]
    return exact[0] if exact else rows[0] if len(rows) == 1 else None


def _open(services: Services, account_id: int, verified_hash: str, address: str) -> OpenedSession:
    token, now = secrets.token_urlsafe(TOKEN_BYTES), services.clock()
    with services.write() as session:
        account = session.scalar(select(Account).where(Account.id == account_id).with_for_update())
        # Suspended or given a new password while the hash was computed.
        if account is None or account.suspended or account.password_hash != verified_hash:
            raise UnauthenticatedError("The login or the password is wrong.")
        role = Role(account.role)
        session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
        expires_at = now + SESSION_LIFE
        session.add(
            LoginSession(token_sha256=key_of(token), account_id=account.id, created_at=now, expires_at=expires_at)
        )
        work = Work(session, Principal(account.id, account.login, role, address), services, now)
        journal.audit(work, Entity.ACCOUNT, "login", account.id, None)
    services.metrics.audit_rows.inc(work.audited)
    return OpenedSession(token, expires_at, role)


def logout(work: Work, session_key: bytes) -> None:
    work.session.execute(delete(LoginSession).where(LoginSession.token_sha256 == session_key))
    journal.audit(work, Entity.ACCOUNT, "logout", work.principal.account_id, None)


def end_all(work: Work, account_id: int, *, keep: bytes = b"") -> None:
    """Ends an account's sessions, except the one with the key `keep`."""
    work.session.execute(
        delete(LoginSession).where(LoginSession.account_id == account_id, LoginSession.token_sha256 != keep)
    )
