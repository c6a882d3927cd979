"""What the schema promises beyond its columns."""

from __future__ import annotations

from sqlalchemy import Integer

from intercom_core.model.account import Role
from intercom_core.store.engine import Store
from intercom_core.store.schema import Account, Base


def test_an_id_is_not_given_out_again(store: Store) -> None:
    ids = []
    for _ in range(2):
        with store.write() as session:
            row = Account(role=Role.INSTALLER, login="ryan", password_hash="")
            session.add(row)
            session.flush()
            ids.append(row.id)
            session.delete(row)
    assert ids[0] < ids[1]


def test_every_table_with_ids_of_its_own_gives_them_out_once() -> None:
    for table in Base.metadata.tables.values():
        keys = list(table.primary_key)
        if len(keys) == 1 and isinstance(keys[0].type, Integer) and not keys[0].foreign_keys:
            assert table.dialect_options["sqlite"]["autoincrement"] is True, table.name
