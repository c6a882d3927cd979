"""Around every request: headers, problems, metrics, description, paging, the number of statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from admin_world import Client, World
from sqlalchemy import event
from structlog.testing import capture_logs

from intercom_core.store.engine import Store


def test_every_answer_has_the_security_headers(world: World) -> None:
    http = world.client().http
    for answer in (
        http.get("/api/v1/me"),
        http.get("/nowhere"),
        http.get("/api/v1/openapi.json"),
        http.put("/api/v1/me"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_unknown_paths_and_methods_are_problems(world: World) -> None:
    client = world.client()
    client.get("/nothing/here", expect=404)
    answer = client.http.put("/api/v1/me")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert client.http.put("/api/v1/devices/1").headers["allow"] == "DELETE, GET, PATCH"
    assert client.http.get("/docs").status_code == 404


def test_a_fault_of_ours_is_a_500_without_details(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    installer = world.installer("ryan")

    def fail(*_: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("admin_api.usecases.communities.list_page", fail)
    with capture_logs() as events:
        problem = installer.get("/communities", expect=500)
    assert "secret" not in str(problem)
    assert [told["log_level"] for told in events if told["event"] == "request_failed"] == ["error"]


def test_requests_are_counted_by_template(world: World, installer: Client) -> None:
    community = installer.community()
    installer.get(f"/communities/{community}")
    installer.get("/communities/999", expect=404)

    def requests(status: str) -> float | None:
        labels = {"route": "/api/v1/communities/{project_id}", "method": "GET", "status": status}
        return world.registry.get_sample_value("intercom_admin_requests_total", labels)

    assert (requests("2xx"), requests("4xx")) == (1, 1)
    rows = world.registry.get_sample_value("intercom_admin_audit_rows_total")
    assert rows == world.journal()[0]


def test_the_description_is_openapi_31_and_names_every_problem(world: World) -> None:
    schema = world.client().http.get("/api/v1/openapi.json").json()
    assert schema["openapi"] == "3.1.0"
    names = set()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            names.add(operation["operationId"])
            assert {"400", "413", "422"} <= set(operation["responses"]), (method, path)
            if path != "/api/v1/login":
                assert {"401", "403"} <= set(operation["responses"]), (method, path)
                assert operation["security"], (method, path)
            if "{" in path:
                assert "404" in operation["responses"], (method, path)
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
    assert len(names) == sum(len(operations) for operations in schema["paths"].values())
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def walk(client: Client, path: str, limit: int) -> list[Any]:
    """All items of a list, page by page."""
    items: list[Any] = []
    cursor = ""
    for _ in range(50):
        page = client.get(f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = page["next"]
    raise AssertionError("the list does not end")


def furnish(installer: Client) -> tuple[int, int]:
    community = installer.community()
    building = installer.post(f"/communities/{community}/buildings", {"name": "B"})["id"]
    for n in range(7):
        installer.bind(community, f"0C110500000{n}", location=f"Gate {n}", building_id=building)
        installer.post(
            f"/buildings/{building}/apartments",
            {"number": str(n), "name": "100%" if n == 3 else "", "resident": {"first_name": "A", "last_name": "B"}},
        )
    return community, building


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_cover_a_list_exactly_once(installer: Client, limit: int) -> None:
    community, building = furnish(installer)
    for path in (f"/communities/{community}/devices", f"/buildings/{building}/apartments"):
        ids = [item["id"] for item in walk(installer, path, limit)]
        assert ids == sorted(set(ids))
        assert len(ids) == 7
    macs = [item["mac"] for item in walk(installer, f"/communities/{community}/macs", limit)]
    assert macs == [f"0C110500000{n}" for n in range(7)]
    trail = [item["id"] for item in walk(installer, "/audit", max(limit, 3))]
    assert trail == sorted(set(trail), reverse=True)


def test_searching(installer: Client) -> None:
    community, building = furnish(installer)
    devices, apartments = f"/communities/{community}/devices?q=", f"/buildings/{building}/apartments?q="

    def found(path: str, key: str) -> list[str]:
        return [item[key] for item in installer.get(path)["items"]]

    assert found(devices + "gate 3", "mac") == ["0C1105000003"]
    assert found(devices + "05:00:00:03", "mac") == ["0C1105000003"]
    assert found(devices + "5926100001", "mac") == ["0C1105000000"]
    assert found(apartments + "100%25", "number") == ["3"]
    assert found(apartments + "%25", "number") == ["3"]
    assert found(apartments + "5", "number") == ["5"]
    assert found("/communities?q=river", "name") == ["Riverside"]
    assert found(f"/communities/{community}/macs?bound=false", "mac") == []


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(store.engine, "before_cursor_execute", note)


def test_lists_cost_the_same_statements_however_long(world: World, installer: Client) -> None:
    community, building = furnish(installer)
    lists = (f"/communities/{community}/devices", f"/buildings/{building}/apartments", "/communities", "/audit")
    for path in (*lists, f"/communities/{community}/macs"):
        costs = []
        for limit in (1, 7):
            with counted(world.store) as statements:
                installer.get(f"{path}?limit={limit}")
            costs.append(len(statements))
        assert costs[0] == costs[1] <= 5, path
