"""Named, bounded thread pools for blocking work."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Gauge
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class WorkPool:
    """`threads` threads; the gauge `intercom_pool_<name>_jobs` has the calls that wait or run."""

    def __init__(self, reactor: Any, name: str, threads: int, registry: CollectorRegistry | None = None) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(threads, threads, name)
        self._jobs = 0
        if registry is not None:
            gauge = Gauge(f"intercom_pool_{name}_jobs", f"Jobs waiting or running in pool {name}", registry=registry)
            gauge.set_function(lambda: self._jobs)
        self._pool.start()

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Runs `call` in a thread, in the context (log fields) of the caller; fires in the reactor thread."""
        context = contextvars.copy_context()
        self._jobs += 1
        result: Deferred[T] = deferToThreadPool(self._reactor, self._pool, lambda: context.run(call, *args, **kwargs))
        return result.addBoth(self._done)

    def _done(self, result: T) -> T:
        self._jobs -= 1
        return result

    def stop(self) -> None:
        """Waits for what is running."""
        self._pool.stop()
