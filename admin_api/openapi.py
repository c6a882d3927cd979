"""The API's own description: OpenAPI 3.1 with the problem answers of each operation."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from admin_api.problems import MEDIA_TYPE

_PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Stable, for machines: urn:intercom:problem:<code>."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Dotted path, list positions as numbers."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_MEANINGS = {
    400: "The body is not JSON.",
    401: "No valid session.",
    403: "The role does not allow this.",
    404: "No such object, or not yours.",
    408: "The body did not arrive in time.",
    409: "The present state forbids it.",
    413: "The body is larger than 1 MiB.",
    422: "Fields that are not valid, all at once.",
    429: "Too many attempts; see Retry-After.",
    503: "Too much work at this moment; see Retry-After.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these problems, and those that every route may answer."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({*statuses, 400, 408, 413, 422, 503})
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """Made once, on first use."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, openapi_version="3.1.0", summary=app.summary, routes=app.routes
        )
        schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
        app.openapi_schema = schema
    return app.openapi_schema
