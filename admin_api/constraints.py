"""Races end at the database's constraints; this says in words which one it was, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import re

from sqlalchemy.exc import IntegrityError

from intercom_core.model.errors import ConflictError

# Constraint names follow the naming convention of the schema; SQLite only tells table and columns of a unique one.
_TAKEN = {
    "uq_account_login": ("login", "This login is taken."),
    "uq_building_project_id_name": ("name", "This community has a building with this name."),
    "uq_apartment_building_id_number": ("number", "This building has an apartment with this number."),
    "uq_device_mac": ("mac", "This MAC is bound to another device."),
    "uq_mac_entry_mac": ("mac", "This MAC is in a MAC library already."),
    "pk_mac_entry": ("mac", "This MAC is in a MAC library already."),
}
_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (\w+)\.(.+)")
_SQLITE_FOREIGN = "FOREIGN KEY constraint failed"
_PG_FOREIGN = "23503"


def explain(error: IntegrityError) -> ConflictError:
    """What lost the race. Raises the error itself when it is none: then it is our mistake."""
    field_and_message = _TAKEN.get(_constraint_name(error))
    if field_and_message is not None:
        field, message = field_and_message
        return ConflictError(message, field)
    if _SQLITE_FOREIGN in str(error.orig) or getattr(error.orig, "sqlstate", None) == _PG_FOREIGN:
        return ConflictError("What this belongs to, or what belongs to it, was changed meanwhile. Look again.")
    raise error


def _constraint_name(error: IntegrityError) -> str:
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name or "")
    match = _SQLITE_UNIQUE.search(str(error.orig))
    if match is None:
        return ""
    table = match[1]
    columns = match[2].replace(f"{table}.", "").split(", ")
    return "_".join(("uq", table, *columns))
