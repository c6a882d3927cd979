"""Bringing a database to this version's schema, and refusing to work on another one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from intercom_core.model.errors import SuiteError
from intercom_core.store.engine import Store

# The newest migration; a test holds it to the scripts. Kept here so that a start without migrations needs no Alembic.
REVISION = "0001"
_PG_MIGRATION_LOCK = 0x1A7E2C0


class SchemaError(SuiteError):
    code = "schema"


def migrate(store: Store) -> bool:
    """Applies the missing migrations, one transaction each; True if there were any. Safe to run twice at a time."""
    try:
        if _revision(store) == REVISION:
            return False
        _upgrade(store)
    except DBAPIError as error:
        raise SchemaError(f"The database can't be opened: {_first_line(error)}") from None
    return True


def _upgrade(store: Store) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with store.engine.connect() as connection:
        if not store.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_lock({_PG_MIGRATION_LOCK})"))
            connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        if not store.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_unlock({_PG_MIGRATION_LOCK})"))
            connection.commit()


def require_current_schema(store: Store) -> None:
    """Raises SchemaError unless the database has exactly this version's schema."""
    try:
        found = _revision(store)
    except DBAPIError as error:
        raise SchemaError(f"The database can't be opened: {_first_line(error)}") from None
    if found != REVISION:
        raise SchemaError(
            f"The database is at schema {found or 'none'}, this version needs {REVISION}: run intercom-suite migrate."
        )


def _revision(store: Store) -> str | None:
    with store.engine.connect() as connection:
        if not store.engine.dialect.has_table(connection, "alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
