"""A client of the REST API, as a script of an installer would be."""

from __future__ import annotations

import json
from typing import Any

from simulator.http_client import HttpClient


class ApiError(Exception):
    """The API refused; the text has the status and the problem's own words (RFC 9457)."""

    def __init__(self, call: str, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        details = [str(problem[key]) for key in ("title", "detail") if problem.get(key)]
        errors = [f"{item.get('field')}: {item.get('message')}" for item in problem.get("errors", [])]
        super().__init__(f"{call} -> {status}: {'; '.join([*details, *errors]) or 'no reason given'}")


class RestClient:
    """Calls below `base_url` (`http://host:port/api/v1`); the token of `login` goes with each later call."""

    def __init__(self, http: HttpClient, base_url: str, token: str = "") -> None:
        self._http = http
        self._base_url = base_url
        self._token = token

    async def login(self, login: str, password: str) -> RestClient:
        """A client that acts as this account. Raises ApiError."""
        session = await self.post("/login", login=login, password=password)
        return RestClient(self._http, self._base_url, str(session["token"]))

    async def get(self, path: str) -> dict[str, Any]:
        return await self._call("GET", path, None)

    async def post(self, path: str, **fields: Any) -> dict[str, Any]:
        return await self._call("POST", path, fields)

    async def patch(self, path: str, **fields: Any) -> dict[str, Any]:
        return await self._call("PATCH", path, fields)

    async def delete(self, path: str) -> None:
        await self._call("DELETE", path, None)

    async def _call(self, method: str, path: str, fields: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        body = b""
        if fields is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(fields).encode("utf-8")
        response = await self._http.request(method, self._base_url + path, headers, body)
        try:
            answer = json.loads(response.body) if response.body else {}
        except ValueError:
            answer = {}
        if not isinstance(answer, dict):
            answer = {}
        if response.status >= 300:
            raise ApiError(f"{method} {path}", response.status, answer)
        return answer
