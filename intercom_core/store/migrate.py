"""Bringing a database to this version's schema, and refusing to work on another one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from intercom_core.model.errors import SuiteError
from intercom_core.store.engine import Store

_PG_MIGRATION_LOCK = 0x1A7E2C0


class SchemaError(SuiteError):
    code = "schema"


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(store: Store) -> bool:
    """Applies the missing migrations, one transaction each; True if there were any. Safe to run twice at a time."""
    try:
        if _revision(store) == _newest():
            return False
        with store.engine.connect() as connection:
            if not store.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_lock({_PG_MIGRATION_LOCK})"))
                connection.commit()
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            if not store.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_unlock({_PG_MIGRATION_LOCK})"))
                connection.commit()
    except OperationalError as error:
        raise SchemaError(f"The database can't be opened: {_first_line(error)}") from None
    return True


def require_current_schema(store: Store) -> None:
    """Raises SchemaError unless the database has exactly this version's schema."""
    try:
        found = _revision(store)
    except DBAPIError as error:
        raise SchemaError(f"The database can't be opened: {_first_line(error)}") from None
    if found != _newest():
        raise SchemaError(
            f"The database is at schema {found or 'none'}, this version needs {_newest()}: run intercom-suite migrate."
        )


def _revision(store: Store) -> str | None:
    with store.engine.connect() as connection:
        revision: str | None = MigrationContext.configure(connection).get_current_revision()
        return revision


def _newest() -> str:
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise SchemaError("This version ships no migrations.")
    return head


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
