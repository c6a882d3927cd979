"""What can be done, one module a resource. Each takes the caller's transaction and a validated command."""
