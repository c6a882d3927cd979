"""The console's routes: login, communities, and the devices of one community with their live state."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from admin_api import problems
from admin_api.auth import policy, sessions
from admin_api.auth.guard import address_of, services_of
from admin_api.auth.policy import Permission
from admin_api.console import forms, render
from admin_api.console.forms import FORM_COOKIE, SESSION_COOKIE
from admin_api.errors import UnauthenticatedError
from admin_api.paging import MAX_LIMIT, Paged, PageQuery
from admin_api.schemas.accounts import LoginInput
from admin_api.schemas.base import PathId
from admin_api.services import Caller
from admin_api.usecases import accounts, communities, device_views, places
from intercom_core.model.errors import SuiteError

REFRESH_SECONDS = 5
HOME, LOGIN = "/console/communities", "/console/login"
_WRONG = "The login or the password is wrong."
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _PageRoute(APIRoute):
    """Refusals as pages; without a session to the login."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except UnauthenticatedError:
                return RedirectResponse(LOGIN, 303)
            except RequestValidationError:
                return render.error_page(404, "There is no such page.")
            except HTTPException as error:
                return render.error_page(error.status_code, problems.sentence(error.status_code))
            except problems.DATABASE_BUSY:
                return render.error_page(503, problems.BUSY.message)
            except SuiteError as error:
                return render.error_page(problems.status_of(error), error.message)

        return handle_page


router = APIRouter(prefix="/console", include_in_schema=False, route_class=_PageRoute)
_STYLE = (files("admin_api.console") / "static" / "console.css").read_bytes()


def _viewer(request: Request) -> Caller:
    token = request.cookies.get(SESSION_COOKIE, "")
    caller = sessions.find_principal(services_of(request), token, address_of(request))
    policy.check(caller.principal, Permission.READ_PROJECTS)
    return caller


Viewer = Annotated[Caller, Depends(_viewer)]
Token = Annotated[str, Form(max_length=128)]


@router.get("/static/console.css")
def style() -> Response:
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})


@router.get("/")
@router.get("")
def home() -> Response:
    return RedirectResponse(HOME, 303)


@router.get("/login")
def login_form(request: Request) -> Response:
    return _login_page(request, 200, "")


@router.post("/login")
def login(
    request: Request,
    form_token: Token,
    login: Annotated[str, Form(max_length=256)] = "",
    password: Annotated[str, Form(max_length=256)] = "",
) -> Response:
    forms.check(request, FORM_COOKIE, form_token)
    try:
        attempt = LoginInput(login=login, password=password)
        opened = sessions.login(services_of(request), attempt.login, attempt.password, address_of(request))
    except (ValidationError, UnauthenticatedError):
        return _login_page(request, 401, _WRONG)
    except SuiteError as error:
        return _login_page(request, problems.status_of(error), error.message)
    answer = RedirectResponse(HOME, 303)
    forms.set_cookie(request, answer, SESSION_COOKIE, opened.token)
    forms.drop_cookie(answer, FORM_COOKIE)
    return answer


@router.post("/logout")
def logout(request: Request, caller: Viewer, form_token: Token) -> Response:
    forms.check(request, SESSION_COOKIE, form_token)
    with caller.write() as work:
        sessions.logout(work, caller.session_key)
    answer = RedirectResponse(LOGIN, 303)
    forms.drop_cookie(answer, SESSION_COOKIE)
    return answer


@router.get("/communities")
def list_communities(request: Request, caller: Viewer, page: Paged) -> Response:
    with caller.read() as work:
        found = communities.list_page(work, page)
        account = accounts.me(work)
    return render.page("communities.html", account=account, form_token=_form_token(request), found=found)


@router.get("/communities/{project_id}")
def show_community(request: Request, caller: Viewer, project_id: PathId, page: Paged) -> Response:
    """Loads itself again every few seconds, so that a door coming online shows without a touch."""
    with caller.read() as work:
        community = communities.get(work, project_id)
        devices = device_views.list_page(work, project_id, PageQuery(MAX_LIMIT, page.after))
        where = places.labels(work, devices.items)
        account = accounts.me(work)
    return render.page(
        "community.html",
        account=account,
        form_token=_form_token(request),
        refresh_seconds=REFRESH_SECONDS,
        community=community,
        devices=devices,
        where=where,
    )


def _form_token(request: Request) -> str:
    return forms.token_of(request.cookies.get(SESSION_COOKIE, ""))


def _login_page(request: Request, status: int, message: str) -> Response:
    cookie = request.cookies.get(FORM_COOKIE) or forms.new_form_cookie()
    answer = render.page("login.html", status, form_token=forms.token_of(cookie), message=message)
    forms.set_cookie(request, answer, FORM_COOKIE, cookie)
    return answer
