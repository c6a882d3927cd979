"""What sipd costs when it grows, in the durable setting: CPU per refresh, memory per binding, time to start; and how
late its answers are at half of the load that saturates it.

BENCH_BINDINGS in the environment gives another size than 100 000, up to 1 000 000. See bench/README.md.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench._load import Load, Sample, compile_load, load_on
from bench._processes import BenchError, Cores, end_on_signals, others_told, warn_without_disk, work_folder
from bench._report import Bar, median_and_range, print_ratios, thousands
from bench._servers import Server, sipd, sipd_home

SMALL = 10_000
LARGE = 1_000_000
USUAL = 100_000
ROUNDS = 3
SECONDS = 2.0
RATE_SECONDS = 4.0
FILL_SECONDS = 600.0
WINDOW = 256
RATE_WINDOW = 16_384
LOAD_SECONDS = 300.0

CPU_BAR = Bar(1.3)
MEMORY_BAR = Bar(2.5)
START_BAR = Bar(15)
LATENCY_BAR = Bar(10)


def _size() -> int:
    text = os.environ.get("BENCH_BINDINGS", str(USUAL))
    if not text.isdigit() or not SMALL < int(text) <= LARGE:
        raise BenchError(f"BENCH_BINDINGS: {SMALL + 1} to {LARGE}")
    return int(text)


def _wait_loaded(server: Server, bindings: int) -> tuple[float, float]:
    """Seconds from now until the first answer, and until all bindings are there."""
    began = time.monotonic()
    first = 0.0
    while True:
        if not first and server.answers():
            first = time.monotonic() - began
        if server.bindings() >= bindings:
            break
        if time.monotonic() - began > LOAD_SECONDS or server.processes[0].popen.poll() is not None:
            raise BenchError(f"{bindings} bindings not loaded in {LOAD_SECONDS:.0f} s: {server.last_words}")
        time.sleep(0.05)
    loaded = time.monotonic() - began
    return first or loaded, loaded


def _print_growth(size: int, small: list[Sample], large: list[Sample]) -> None:
    for name, samples in ((SMALL, small), (size, large)):
        cpu = median(sample.cpu_us for sample in samples)
        rate = median(sample.per_second for sample in samples)
        stale = sum(sample.result.rechallenged for sample in samples) / sum(sample.result.done for sample in samples)
        print(
            f"{thousands(name):>9} bindings: {cpu:.1f} µs CPU a refresh, {thousands(rate)}/s, {stale:.1%} stale nonces"
        )
    print_ratios("CPU, large / small", [s.cpu_us for s in large], [s.cpu_us for s in small], CPU_BAR)


def _latency(load: Load) -> None:
    """Open loop: a late answer does not delay the next request, and lateness counts from the time it was due."""
    p50, p99, longest, rates = [], [], [], []
    for _ in range(ROUNDS):
        rate = load.measure("refresh", SECONDS, WINDOW).per_second / 2
        result = load.run("rate", RATE_SECONDS, RATE_WINDOW, rate=rate)
        rates.append(rate)
        p50.append(result.p50_ms)
        p99.append(result.p99_ms)
        longest.append(result.max_ms)
    print(f"latency at {thousands(median(rates))}/s, half of what saturates it, {thousands(SMALL)} bindings, ms")
    print(f"    p50 {median_and_range(p50)}, longest {median_and_range(longest)}")
    print(f"    p99 {median_and_range(p99)}   {LATENCY_BAR.verdict(median(p99))}")


def _grow(stack: ExitStack, cores: Cores, program: Path, size: int, small: Load) -> None:
    began = time.monotonic()
    config = stack.enter_context(sipd_home(size, "durable"))
    print(f"{thousands(size)} accounts made in {time.monotonic() - began:.0f} s")
    small_start = small.server.resident_bytes()
    with sipd(f"ours, {thousands(size)}", cores.server, config) as server:
        empty = server.resident_bytes()
        load = stack.enter_context(load_on(server, program, cores.load, size))
        filled = load.fill(FILL_SECONDS, WINDOW)
        print(f"registered in {filled.seconds:.0f} s, {thousands(filled.done / filled.seconds)} challenge cycles/s")
        small.fill(FILL_SECONDS, WINDOW)
        running = server.resident_bytes()
        rounds = [(small.measure("refresh", SECONDS), load.measure("refresh", SECONDS)) for _ in range(ROUNDS)]
    _print_growth(size, [pair[0] for pair in rounds], [pair[1] for pair in rounds])
    with sipd(f"ours, {thousands(size)}, again", cores.server, config, wait=False) as server:
        first, loaded = _wait_loaded(server, size)
        again = server.resident_bytes()
        load.server = server
        load.run("refresh", SECONDS)
    account, live, restarted = (
        (empty - small_start) / (size - SMALL) / 1000,
        (running - empty) / size / 1000,
        (again - empty) / size / 1000,
    )
    print(f"start with {thousands(size)} bindings: first answer after {first:.1f} s, all loaded after {loaded:.1f} s")
    print(f"    a million at this pace: {loaded / size * LARGE:.1f} s   {START_BAR.verdict(loaded / size * LARGE)}")
    print(f"memory: {live:.2f} kB a binding after the load   {MEMORY_BAR.verdict(live)}")
    print(f"    {restarted:.2f} kB a binding after a restart; beside it {account:.2f} kB an account")


def main() -> None:
    end_on_signals()
    size, cores = _size(), Cores.choose()
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder())
        warn_without_disk(folder)
        program = compile_load(folder)
        home = stack.enter_context(sipd_home(SMALL, "durable"))
        server = stack.enter_context(sipd(f"ours, {thousands(SMALL)}", cores.server, home))
        small = stack.enter_context(load_on(server, program, cores.load, SMALL))
        stack.enter_context(others_told())
        _grow(stack, cores, program, size, small)
        _latency(small)


if __name__ == "__main__":
    main()
