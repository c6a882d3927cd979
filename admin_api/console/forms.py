"""Cookies and forms: a form is only taken from a page that was made for the same cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from fastapi import Request, Response

from admin_api.auth.sessions import SESSION_LIFE
from admin_api.errors import ForbiddenError

SESSION_COOKIE = "intercom_session"
FORM_COOKIE = "intercom_form"
_PATH = "/console"


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(SESSION_LIFE.total_seconds()),
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path=_PATH, httponly=True, samesite="strict")


def new_form_cookie() -> str:
    """For the login page, when there is no session yet whose cookie could carry the form's token."""
    return secrets.token_urlsafe(32)


def token_of(cookie: str) -> str:
    """The hidden field of a form. It tells nothing about the cookie and can't be made without it."""
    return hashlib.sha256(b"form:" + cookie.encode("utf-8", "replace")).hexdigest()


def check(request: Request, cookie_name: str, token: str) -> None:
    """Raises ForbiddenError unless the form's token belongs to the cookie."""
    cookie = request.cookies.get(cookie_name, "")
    if not cookie or not hmac.compare_digest(token_of(cookie).encode(), token.encode("utf-8", "replace")):
        raise ForbiddenError("This form has expired. Load the page again.")
