"""REGISTER over UDP, ours beside Kamailio from Debian: CPU per request, requests a second, and the bars for both.

All servers run at once on one core, the load on another; three rounds measure them in turn, so that what else the
machine does meets all of them. See bench/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench._load import LAYOUTS, UNSEEN, Load, Sample, compile_load, load_on
from bench._processes import Cores, Process, end_on_signals, others_told, warn_without_disk, work_folder
from bench._report import Bar, print_ratios, thousands
from bench._servers import kamailio, postgres, sipd, sipd_home

AORS = 10_000
ROUNDS = 3
SECONDS = 1.0
FILL_SECONDS = 120.0
CHILDREN_TO_TRY = (4, 8, 16, 32)
PROBE_AORS = 2_000
DURABLE_WINDOW = 256
TUNED = ("-x", "tlsf", "-X", "tlsf")

MEMORY, DURABLE = "sipd in memory", "sipd durable"
SHIPPED_PEER, TUNED_PEER, WRITING_PEER = "Kamailio as shipped", "Kamailio tuned", "Kamailio write-through"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our figure by the peer's: CPU per operation, or (`rate`) operations a second. No bar: for information."""

    ours: str
    peer: str
    bar: Bar | None = None
    rate: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    mode: str
    servers: Sequence[str]
    ratios: Sequence[Ratio]
    window: int = 64
    layouts: int | str = LAYOUTS


ROWS = (
    Row(
        "refresh with a valid digest, in memory",
        "refresh",
        (SHIPPED_PEER, TUNED_PEER, MEMORY),
        (Ratio(MEMORY, TUNED_PEER, Bar(1.1)), Ratio(MEMORY, SHIPPED_PEER, Bar(0.5))),
    ),
    Row(
        "the same, every message in a layout never seen before",
        "refresh",
        (SHIPPED_PEER, TUNED_PEER, MEMORY),
        (Ratio(MEMORY, SHIPPED_PEER, Bar(1.15)), Ratio(MEMORY, TUNED_PEER)),
        layouts=UNSEEN,
    ),
    Row(
        "full challenge cycle, in memory",
        "challenge",
        (SHIPPED_PEER, TUNED_PEER, MEMORY),
        (Ratio(MEMORY, TUNED_PEER, Bar(1.25)), Ratio(MEMORY, SHIPPED_PEER)),
    ),
    Row(
        "refresh, on disk before the 200",
        "refresh",
        (WRITING_PEER, MEMORY, DURABLE),
        (
            Ratio(DURABLE, WRITING_PEER, Bar(10, most=False), rate=True),
            Ratio(DURABLE, MEMORY, Bar(0.55, most=False), rate=True),
            Ratio(DURABLE, WRITING_PEER),
        ),
        window=DURABLE_WINDOW,
    ),
)


def _best_children(cores: Cores, program: Path, database: tuple[Process, str]) -> int:
    """The number of processes with which Kamailio writes through fastest here."""
    rates: dict[int, float] = {}
    for children in CHILDREN_TO_TRY:
        name = f"{WRITING_PEER}, {children} children"
        with (
            kamailio(name, cores.server, PROBE_AORS, children=children, database=database) as server,
            load_on(server, program, cores.load, PROBE_AORS) as load,
        ):
            load.fill(FILL_SECONDS, DURABLE_WINDOW)
            rates[children] = load.measure("refresh", SECONDS, DURABLE_WINDOW).per_second
    best = max(rates, key=lambda children: rates[children])
    tried = ", ".join(f"{children}: {thousands(rate)}/s" for children, rate in rates.items())
    print(f"write-through by number of children: {tried}; measured with {best}")
    return best


def _start(stack: ExitStack, cores: Cores, folder: Path) -> dict[str, Load]:
    """Every server with every AoR registered, by name."""
    core, program = cores.server, compile_load(folder)
    database = stack.enter_context(postgres(core))
    children = _best_children(cores, program, database)
    servers = [
        stack.enter_context(kamailio(SHIPPED_PEER, core, AORS)),
        stack.enter_context(kamailio(TUNED_PEER, core, AORS, options=TUNED)),
        stack.enter_context(kamailio(WRITING_PEER, core, AORS, children=children, database=database)),
    ]
    for name, durability in ((MEMORY, "memory"), (DURABLE, "durable")):
        servers.append(stack.enter_context(sipd(name, core, stack.enter_context(sipd_home(AORS, durability)))))
    loads = {server.name: stack.enter_context(load_on(server, program, cores.load, AORS)) for server in servers}
    for load in loads.values():
        load.fill(FILL_SECONDS)
    return loads


def _measure(loads: Mapping[str, Load]) -> dict[Row, dict[str, list[Sample]]]:
    samples: dict[Row, dict[str, list[Sample]]] = {row: {name: [] for name in row.servers} for row in ROWS}
    for number in range(ROUNDS):
        for row in ROWS:
            turn = number % len(row.servers)
            for name in (*row.servers[turn:], *row.servers[:turn]):
                samples[row][name].append(loads[name].measure(row.mode, SECONDS, row.window, row.layouts))
    return samples


def _print_row(row: Row, samples: Mapping[str, Sequence[Sample]]) -> None:
    layouts = "layouts never repeated" if row.layouts == UNSEEN else f"{row.layouts} layouts"
    print(f"\n{row.title} ({row.window} at a time, {layouts})")
    print(f"    {'':26}{'µs CPU':>10}{'per second':>12}{'load core':>11}{'resent':>8}{'stale':>8}")
    for name, taken in samples.items():
        cpu, rate = median(sample.cpu_us for sample in taken), median(sample.per_second for sample in taken)
        busy = max(sample.result.generator_cpu for sample in taken)
        resent = sum(sample.result.sent_again for sample in taken)
        stale = sum(sample.result.rechallenged for sample in taken)
        print(f"    {name:26}{cpu:10.1f}{thousands(rate):>12}{busy:10.0%} {resent:>8}{stale:>8}")
    for ratio in row.ratios:
        ours, peers = (
            [sample.per_second if ratio.rate else sample.cpu_us for sample in samples[name]]
            for name in (ratio.ours, ratio.peer)
        )
        what = "rate" if ratio.rate else "CPU"
        print_ratios(f"{what} of {ratio.ours} / {ratio.peer}", ours, peers, ratio.bar)


def main() -> None:
    end_on_signals()
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder())
        warn_without_disk(folder)
        loads = _start(stack, Cores.choose(), folder)
        with others_told():
            samples = _measure(loads)
    print(f"\nREGISTER over UDP, {thousands(AORS)} AoRs: medians of {ROUNDS} rounds, ratios taken round by round")
    for row in ROWS:
        _print_row(row, samples[row])


if __name__ == "__main__":
    main()
