"""Migrations: every one is tested, and together they give exactly the declared schema."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import intercom_core.store
from intercom_core.store.engine import Store, open_engine
from intercom_core.store.migrate import REVISION, SchemaError, migrate, require_current_schema
from intercom_core.store.schema import Base


def test_the_migrations_give_the_declared_schema(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_named_revision_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(intercom_core.store.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_a_current_database_is_left_alone(store: Store) -> None:
    assert migrate(store) is False
    require_current_schema(store)


def test_an_empty_database_is_refused_until_migrated(tmp_path: Path) -> None:
    store = Store(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(SchemaError, match="run intercom-suite migrate"):
        require_current_schema(store)
    assert migrate(store) is True
    require_current_schema(store)
    store.close()


def test_a_file_that_is_no_database_gives_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "suite.db"
    path.write_bytes(b"these bytes are no database" * 100)
    store = Store(open_engine(f"sqlite:///{path}"))
    with pytest.raises(SchemaError, match="not a database"):
        require_current_schema(store)
    store.close()


@pytest.mark.postgres
def test_two_hosts_may_migrate_at_the_same_time(postgres_url: str) -> None:
    from tests.conftest import create_database

    create_database(postgres_url, "racing", "template1")
    stores = [Store(open_engine(f"{postgres_url}/racing")) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, stores))
    for store in stores:
        require_current_schema(store)
        store.close()
