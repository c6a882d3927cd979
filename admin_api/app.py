"""The ASGI application, put together from its services."""

from __future__ import annotations

import functools
import time
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from admin_api import openapi, problems
from admin_api.console import pages
from admin_api.edge import Edge
from admin_api.routes import API_PREFIX, audit, buildings, communities, devices, homes, installers, macs, session
from admin_api.services import Services

_RESOURCES = (session, installers, communities, buildings, macs, devices, homes, audit, pages)


def _operation_id(route: APIRoute) -> str:
    return "-".join([*map(str, route.tags), route.name]).replace(" ", "-").replace("_", "-").lower()


def create_app(services: Services) -> FastAPI:
    """No documentation pages: they would load scripts from elsewhere. `/api/v1/openapi.json` says it all."""
    app = FastAPI(
        title="Intercom suite",
        summary="Provisioning, numbers and people of building intercoms.",
        version=version("intercom-suite"),
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    for resource in _RESOURCES:
        app.include_router(resource.router)
    problems.install(app, [route for resource in _RESOURCES for route in resource.router.routes])
    app.openapi = functools.partial(openapi.describe, app)  # type: ignore[method-assign]
    app.add_middleware(Edge, metrics=services.metrics, clock=time.monotonic)
    return app
