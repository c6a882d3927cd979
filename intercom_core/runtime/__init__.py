"""What a daemon runs on: thread pools, start and stop, the supervisor."""
