"""Cursors, constraint names, form tokens, words of the console."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from admin_api import constraints, paging
from admin_api.console import forms, render
from admin_api.paging import PageQuery
from intercom_core.model.device import DeviceType
from intercom_core.model.errors import InvalidValueError
from intercom_core.store.schema import Base


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_a_cursor_comes_back_as_its_key(key: int) -> None:
    assert PageQuery(after=paging._decode(paging.encode(key))).after_id == key


@given(st.text(max_size=64))
def test_any_other_text_is_a_cursor_or_a_field_error(text: str) -> None:
    try:
        key = PageQuery(after=paging._decode(text)).after_id
    except InvalidValueError:
        return
    assert key >= 0


def test_a_page_ends_where_the_next_begins() -> None:
    page = PageQuery(limit=2)
    assert page.split([1, 2], int) == ([1, 2], None)
    assert page.split([1, 2, 3], int) == ([1, 2], paging.encode(2))


def _postgres(constraint: str | None, sqlstate: str) -> Any:
    return SimpleNamespace(diag=SimpleNamespace(constraint_name=constraint), sqlstate=sqlstate)


@pytest.mark.parametrize(
    ("original", "field"),
    [
        (Exception("UNIQUE constraint failed: device.mac"), "mac"),
        (Exception("UNIQUE constraint failed: mac_entry.mac"), "mac"),
        (Exception("UNIQUE constraint failed: apartment.building_id, apartment.number"), "number"),
        (Exception("UNIQUE constraint failed: building.project_id, building.name"), "name"),
        (Exception("FOREIGN KEY constraint failed"), None),
        (_postgres("uq_account_login", "23505"), "login"),
        (_postgres("pk_mac_entry", "23505"), "mac"),
        (_postgres("fk_device_building_id", "23503"), None),
    ],
)
def test_lost_races_in_words(original: Any, field: str | None) -> None:
    assert constraints.explain(IntegrityError("INSERT", {}, original)).field == field


@pytest.mark.parametrize("original", [Exception("NOT NULL constraint failed: device.mac"), _postgres(None, "23502")])
def test_our_own_mistakes_stay_mistakes(original: Any) -> None:
    with pytest.raises(IntegrityError):
        constraints.explain(IntegrityError("INSERT", {}, original))


def test_every_explained_constraint_is_in_the_schema() -> None:
    real = {str(constraint.name) for table in Base.metadata.tables.values() for constraint in table.constraints}
    assert set(constraints._TAKEN) - real == {"uq_mac_entry_mac"}, "SQLite's way to tell the primary key"


def test_a_form_token_belongs_to_one_cookie() -> None:
    cookies = [forms.new_form_cookie() for _ in range(2)]
    assert forms.token_of(cookies[0]) != forms.token_of(cookies[1])
    assert cookies[0] not in forms.token_of(cookies[0])


def test_words_of_the_console() -> None:
    assert all(render.type_name(int(kind)) for kind in DeviceType)
    moment = datetime(2031, 3, 1, 20, 30, tzinfo=UTC)
    assert render.local_time(moment, "Asia/Shanghai") == "2031-03-02 04:30:00"
    assert render.local_time(None, "UTC") == "–"
    assert render.spaced_mac("0C11050B9814") == "0C:11:05:0B:98:14"
