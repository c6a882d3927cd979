"""Templates and the words and times that they show."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from intercom_core.model.device import DeviceType

_TYPES = {
    DeviceType.MULTI_TENANT_DOOR: "Multi-tenant door phone",
    DeviceType.SINGLE_TENANT_DOOR: "Single-tenant door phone",
    DeviceType.INDOOR_MONITOR: "Indoor monitor",
    DeviceType.GUARD_PHONE: "Guard phone",
    DeviceType.ACCESS_CONTROL: "Access control",
}


def type_name(code: int) -> str:
    return _TYPES[DeviceType(code)]


def local_time(moment: datetime | None, zone: str) -> str:
    """`2026-03-03 16:04:57` in an IANA zone; a dash for never."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S") if moment else "–"


def spaced_mac(mac: str) -> str:
    return ":".join(mac[i : i + 2] for i in range(0, 12, 2))


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("admin_api.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(type_name=type_name, local_time=local_time, spaced_mac=spaced_mac)
    return made


_ENVIRONMENT = _environment()


def page(template: str, status: int = 200, **values: Any) -> Response:
    values = {"refresh_seconds": 0, "account": None, "form_token": ""} | values
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status)


def error_page(status: int, message: str) -> Response:
    return page("error.html", status, title=HTTPStatus(status).phrase, message=message)
