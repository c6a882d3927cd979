"""What a fresh installation needs before its daemons start: folders, keys, schema, number pools, a distributor."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from intercom_core.changes.log import Action, Entity, record
from intercom_core.config.settings import Settings
from intercom_core.model import values
from intercom_core.model.account import Role
from intercom_core.model.errors import ConflictError, SuiteError
from intercom_core.model.numbers import Pool
from intercom_core.security.keys import create_missing_keys
from intercom_core.store.engine import Store, open_engine
from intercom_core.store.migrate import migrate
from intercom_core.store.numbers import configure_pools
from intercom_core.store.schema import Account, Audit, Installation

FIRST_LOGIN = "distributor"


class DataDirError(SuiteError):
    code = "data-dir"


def prepare(settings: Settings) -> Store:
    """Makes everything ready that `run` stands on; changes nothing that is there already. Raises SuiteError."""
    require_writable(settings.data_dir)
    create_missing_keys(settings.data_dir)
    store = Store(open_engine(settings.database_url))
    migrate(store)
    with store.write() as session:
        configure_pools(session, {Pool.FAMILY: settings.numbers.family, Pool.PERSONAL: settings.numbers.personal})
        if session.scalar(select(func.count()).select_from(Installation)) == 0:
            session.add(Installation(sip_realm=settings.sipd.domain))
    return store


def require_writable(data_dir: Path) -> None:
    """Creates the directory if need be. Raises DataDirError."""
    try:
        data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        probe = data_dir / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataDirError(f"data_dir: {data_dir} is not writable: {error.strerror}") from None


def create_first_distributor(store: Store) -> str | None:
    """A distributor with a random password, if there is none yet; returns that password, which is stored nowhere."""
    with store.write() as session:
        if session.scalar(select(Account.id).where(Account.role == Role.DISTRIBUTOR).limit(1)):
            return None
        password = secrets.token_urlsafe(12)
        _add_distributor(session, FIRST_LOGIN, password)
        return password


def create_distributor(store: Store, login: str, password: str) -> None:
    """Raises InvalidValueError for a bad login or a short password, ConflictError for a login that is taken."""
    login = values.login("login", login)
    values.password("password", password)
    with store.write() as session:
        if session.scalar(select(Account.id).where(Account.login == login)):
            raise ConflictError(f'The login "{login}" is taken.', "login")
        _add_distributor(session, login, password)


def _add_distributor(session: Session, login: str, password: str) -> None:
    account = Account(role=Role.DISTRIBUTOR, login=login, password_hash=PasswordHasher().hash(password))
    session.add(account)
    session.flush()
    record(session, Entity.ACCOUNT, account.id, None, Action.CREATED)
    session.add(
        Audit(
            actor="intercom-suite",
            action="created",
            entity="account",
            entity_id=account.id,
            after={"login": login, "role": str(Role.DISTRIBUTOR)},
        )
    )
