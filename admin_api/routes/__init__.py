"""HTTP in, use case, HTTP out: one module a resource, no decisions."""
