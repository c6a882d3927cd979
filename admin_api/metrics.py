"""What this daemon counts. Labels are bounded: route templates, never paths; outcomes, never names."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "intercom_admin_requests",
            "HTTP requests by route template, method and status class.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "intercom_admin_request_seconds",
            "Time from the request's first byte in the application to the end of the answer.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self.logins = Counter(
            "intercom_admin_logins", "Login attempts by outcome: ok, wrong, throttled.", ["outcome"], registry=registry
        )
        self.audit_rows = Counter("intercom_admin_audit_rows", "Committed audit rows.", registry=registry)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        known = method if method in _METHODS else "other"
        self.requests.labels(route, known, f"{status // 100}xx").inc()
        self.seconds.labels(route).observe(seconds)
