"""HTTP in, use case, HTTP out: one module a resource, no decisions."""

API_PREFIX = "/api/v1"
