"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from intercom_core.store import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["account.id"], name=op.f("fk_account_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_parent_id"), ["parent_id"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_project_id_id"), ["project_id", "id"], unique=False)

    op.create_table(
        "change_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("xid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_log")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("change_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_log_xid_id"), ["xid", "id"], unique=False)

    op.create_table(
        "installation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("sip_realm", sa.String(length=255), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "number_pool",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("first_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_pool")),
    )
    op.create_table(
        "registration_status",
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("last_seen", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_registration_status")),
    )
    op.create_table(
        "sip_number",
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("pool", sa.String(length=16), nullable=False),
        sa.Column("reusable_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sip_number")),
    )
    with op.batch_alter_table("sip_number", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sip_number_pool_reusable_at"), ["pool", "reusable_at"], unique=False)

    op.create_table(
        "login_session",
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_login_session_account_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_login_session")),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_session_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "project",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("street", sa.String(length=255), nullable=False),
        sa.Column("city", sa.String(length=255), nullable=False),
        sa.Column("post_code", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("country", sa.String(length=64), nullable=False),
        sa.Column("number_of_apartments", sa.Integer(), nullable=False),
        sa.Column("landline", sa.Boolean(), nullable=False),
        sa.Column("home_automation", sa.Boolean(), nullable=False),
        sa.Column("feature_plan", sa.String(length=16), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("time_format", sa.String(length=8), nullable=False),
        sa.Column("date_format", sa.String(length=8), nullable=False),
        sa.Column("pin_mode", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("charge_mode", sa.String(length=32), nullable=False),
        sa.Column("send_expiration_mail", sa.Boolean(), nullable=False),
        sa.Column("send_renew_mail", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_project_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "building",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_building_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_building")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_building_project_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mac_entry",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_mac_entry_project_id")),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_mac_entry")),
    )
    with op.batch_alter_table("mac_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mac_entry_project_id"), ["project_id"], unique=False)

    op.create_table(
        "apartment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("building_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.String(length=6), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("call_type", sa.String(length=2), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name=op.f("fk_apartment_building_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_apartment_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apartment")),
        sa.UniqueConstraint("building_id", "number", name=op.f("uq_apartment_building_id_number")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("apartment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_apartment_project_id"), ["project_id"], unique=False)

    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("building_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("apartment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("network_group", sa.Integer(), nullable=False),
        sa.Column("contacts_setting", sa.String(length=32), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("arming", sa.Boolean(), nullable=False),
        sa.Column("model", sa.String(length=32), nullable=False),
        sa.Column("firmware", sa.String(length=64), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("claim_open_until", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_from", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["apartment_id"], ["apartment.id"], name=op.f("fk_device_apartment_id")),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name=op.f("fk_device_building_id")),
        sa.ForeignKeyConstraint(["mac"], ["mac_entry.mac"], name=op.f("fk_device_mac")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_device_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("mac", name=op.f("uq_device_mac")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_apartment_id"), ["apartment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_device_building_id"), ["building_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_device_project_id"), ["project_id"], unique=False)

    op.create_table(
        "resident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("apartment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("master", sa.Boolean(), nullable=False),
        sa.Column("first_name", sa.String(length=64), nullable=False),
        sa.Column("last_name", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("country_code", sa.String(length=8), nullable=False),
        sa.Column("mobile", sa.String(length=32), nullable=False),
        sa.Column("landlines", sa.JSON(), nullable=False),
        sa.Column("ip_call", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["apartment_id"], ["apartment.id"], name=op.f("fk_resident_apartment_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_resident_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resident")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("resident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resident_apartment_id"), ["apartment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_resident_project_id"), ["project_id"], unique=False)

    op.create_table(
        "autop_command",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.String(length=1024), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_autop_command_device_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_autop_command")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("autop_command", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_autop_command_device_id"), ["device_id"], unique=False)

    op.create_table(
        "command",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=255), nullable=False),
        sa.Column("not_before", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_command_device_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_command_device_id"), ["device_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_command_state_kind_not_before"), ["state", "kind", "not_before"], unique=False
        )

    op.create_table(
        "device_config",
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("desired_digest", sa.String(length=64), nullable=False),
        sa.Column("notified_digest", sa.String(length=64), nullable=False),
        sa.Column("served_digest", sa.String(length=64), nullable=False),
        sa.Column("served_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_config_device_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_config")),
    )
    op.create_table(
        "device_relay",
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("dtmf_code", sa.String(length=4), nullable=False),
        sa.Column("unlock_in_homepage", sa.Boolean(), nullable=False),
        sa.Column("unlock_in_talking_page", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_relay_device_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", "position", name=op.f("pk_device_relay")),
    )
    op.create_table(
        "sip_account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("number", sa.String(length=15), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("resident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("apartment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_ha1", sa.LargeBinary(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(device_id IS NOT NULL AND resident_id IS NULL AND apartment_id IS NULL) OR (device_id IS NULL AND resident_id IS NOT NULL AND apartment_id IS NULL) OR (device_id IS NULL AND resident_id IS NULL AND apartment_id IS NOT NULL)",
            name=op.f("ck_sip_account_one_owner"),
        ),
        sa.ForeignKeyConstraint(["apartment_id"], ["apartment.id"], name=op.f("fk_sip_account_apartment_id")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_sip_account_device_id")),
        sa.ForeignKeyConstraint(["number"], ["sip_number.number"], name=op.f("fk_sip_account_number")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_sip_account_project_id")),
        sa.ForeignKeyConstraint(["resident_id"], ["resident.id"], name=op.f("fk_sip_account_resident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sip_account")),
        sa.UniqueConstraint("apartment_id", name=op.f("uq_sip_account_apartment_id")),
        sa.UniqueConstraint("device_id", name=op.f("uq_sip_account_device_id")),
        sa.UniqueConstraint("number", name=op.f("uq_sip_account_number")),
        sa.UniqueConstraint("resident_id", name=op.f("uq_sip_account_resident_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("sip_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sip_account_project_id"), ["project_id"], unique=False)
