"""Sessions and installers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictStr

from admin_api.schemas.base import Email, Flag, Input, Name, Output, checked, unset
from intercom_core.model import values
from intercom_core.model.account import Role

Login = Annotated[StrictStr, checked(values.login, limit=values.NAME_LIMIT)]
NewPassword = Annotated[StrictStr, checked(values.password, limit=values.PASSWORD_MAX)]
Attempt = Annotated[StrictStr, Field(max_length=256), checked(values.typed, limit=256)]


class LoginInput(Input):
    login: Attempt
    password: Attempt


class SessionView(Output):
    token: str
    expires_at: datetime
    role: Role


class MeView(Output):
    id: int
    login: str
    name: str
    email: str
    role: Role
    time_zone: str


class PasswordChange(Input):
    current_password: Attempt
    new_password: NewPassword


class InstallerCreate(Input):
    login: Login
    password: NewPassword
    name: Name
    email: Email = ""


class InstallerPatch(Input):
    name: Name = unset()
    email: Email = unset()
    suspended: Flag = unset()


class InstallerView(Output):
    id: int
    login: str
    name: str
    email: str
    suspended: bool
    projects: int
    created_at: datetime


class NewPasswordView(Output):
    """The only time that this password is told."""

    password: str
