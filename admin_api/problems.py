"""Every refusal is an RFC 9457 problem: `type`, `title`, `status`, `detail`, and `errors` with one entry a field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from admin_api import constraints
from admin_api.errors import BusyError, ForbiddenError, ThrottledError, UnauthenticatedError
from intercom_core.model.errors import (
    ConflictError,
    InvalidValueError,
    NotFoundError,
    PoolExhaustedError,
    SuiteError,
)
from intercom_core.telemetry import log

MEDIA_TYPE = "application/problem+json"
_MAX_FIELDS = 100
_MAX_FIELD_NAME = 200
_LOG = log.get("admin_api.problems")

_STATUS: Mapping[type[SuiteError], int] = {
    InvalidValueError: 422,
    ConflictError: 409,
    PoolExhaustedError: 409,
    NotFoundError: 404,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    ThrottledError: 429,
    BusyError: 503,
}
_CODES = {400: "malformed", 404: "not-found", 405: "method", 408: "timeout", 413: "too-large", 422: "invalid"}
_SENTENCES = {
    400: "The request body can't be read.",
    404: "There is no such object.",
    405: "This method does not exist here.",
    408: "The request took too long to arrive.",
    413: "The request body is too large.",
    500: "Something went wrong here; it has been logged.",
}
DATABASE_BUSY = (OperationalError, PoolTimeoutError)
BUSY = BusyError("The database is busy. Try again in a moment.")

FieldErrors = Sequence[Mapping[str, str]]


def answer(
    status: int,
    code: str | None = None,
    detail: str | None = None,
    errors: FieldErrors = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem answer; what is left out gets the usual words of that status."""
    body: dict[str, Any] = {
        "type": f"urn:intercom:problem:{code or _CODES.get(status, 'error')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or sentence(status),
    }
    if errors:
        body["errors"] = list(errors)
    # ASCII with escapes: a field name may hold what UTF-8 can't (lone surrogates).
    return Response(json.dumps(body).encode("ascii"), status, dict(headers or {}), MEDIA_TYPE)


def sentence(status: int) -> str:
    """The usual words of a status."""
    return _SENTENCES.get(status, HTTPStatus(status).phrase)


def status_of(error: SuiteError) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)


def of(error: SuiteError) -> Response:
    status = status_of(error)
    field = getattr(error, "field", None)
    errors = [{"field": field, "message": error.message}] if field is not None else []
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ThrottledError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, BusyError):
        headers["Retry-After"] = "2"
    return answer(status, error.code, error.message, errors, headers)


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """`routes` are all that the application serves."""
    app.add_exception_handler(SuiteError, _suite_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, partial(_http_error, routes))
    app.add_exception_handler(IntegrityError, _integrity_error)
    for cause in DATABASE_BUSY:
        app.add_exception_handler(cause, _database_busy)


async def _suite_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SuiteError)  # noqa: S101
    return of(error)


async def _http_error(routes: Sequence[BaseRoute], request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = {"Allow": _methods(routes, request)} if error.status_code == 405 else error.headers
    return answer(error.status_code, headers=headers)


def _methods(routes: Sequence[BaseRoute], request: Request) -> str:
    """All methods of this path (RFC 9110 section 15.5.6); the framework names those of one route only."""
    same = [route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in same for method in route.methods or ()}))


async def _integrity_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, IntegrityError)  # noqa: S101
    return of(constraints.explain(error))


async def _database_busy(_request: Request, error: Exception) -> Response:
    _LOG.warning("database_busy", error=type(error).__name__)
    return of(BUSY)


async def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return answer(400, "malformed", "The request body is not JSON.")
    if any(item["loc"][0] == "path" for item in found):
        return answer(404)
    fields = [{"field": _path(item["loc"]), "message": _sentence(item)} for item in found[:_MAX_FIELDS]]
    return answer(422, "invalid", "Some fields are not valid.", fields)


def _path(location: Sequence[str | int]) -> str:
    """`("body", "relays", 0, "name")` -> `relays.0.name`; `body` when the body as a whole is meant."""
    parts = location[1:] or location[:1]
    return ".".join(str(part) for part in parts)[:_MAX_FIELD_NAME]


def _sentence(item: Mapping[str, Any]) -> str:
    match item["type"]:
        case "missing":
            return "This field is required."
        case "extra_forbidden":
            return "There is no such field."
        case _:
            return f"{str(item['msg']).rstrip('.')}."
