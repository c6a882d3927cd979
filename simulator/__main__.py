"""`python -m simulator`: a fleet of devices against a running server."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from simulator.faults import FaultError, Faults
from simulator.fleet import Fleet
from simulator.network import NetworkReactor
from simulator.puller import Hardware
from simulator.waiting import Timing

LARGEST_FLEET = 20_000
_LINE = re.compile(r"([0-9A-Fa-f]{12})(?:\s+([0-9]{1,6}(?:\.[0-9]{1,6}){3}))?", re.ASCII)


def read_hardware(lines: Iterable[str]) -> list[Hardware]:
    """One device a line: `MAC [firmware]`, `#` comments. Raises ValueError that names the line."""
    found: dict[str, Hardware] = {}
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"line {number}: expected a MAC of 12 hexadecimal digits and, if known, a firmware a.b.c.d"
            )
        mac = match[1].upper()
        found[mac] = Hardware(mac, match[2]) if match[2] else Hardware(mac)
        if len(found) > LARGEST_FLEET:
            raise ValueError(f"line {number}: more than {LARGEST_FLEET} devices")
    if not found:
        raise ValueError("no MAC in the list")
    return list(found.values())


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Simulated intercom devices.")
    parser.add_argument("--bootstrap", required=True, metavar="URL", help="where <MAC>.cfg is asked for at first")
    parser.add_argument(
        "--macs", required=True, metavar="FILE", help="one `MAC [firmware]` a line; - is standard input"
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="length of the run; 0 (default): until Ctrl-C")
    parser.add_argument("--spread", type=float, default=1.0, metavar="SECONDS", help="time to switch all of them on")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=VALUE", help="see simulator/README.md")
    parser.add_argument("--seed", type=int, default=None, help="repeats the same jitter, tokens and faults")
    return parser.parse_args(argv)


def _fleet(options: argparse.Namespace, reactor: NetworkReactor) -> Fleet:
    """Raises ValueError or OSError for what the user got wrong."""
    faults = Faults.parse(options.fault)
    if options.macs == "-":
        hardware = read_hardware(sys.stdin)
    else:
        with Path(options.macs).open(encoding="utf-8") as file:
            hardware = read_hardware(file)
    return Fleet(reactor, Random(options.seed), options.bootstrap, hardware, faults, Timing(), options.spread)


def main(argv: Sequence[str]) -> int:
    """Exit code 0 when each device got registered at least once, 1 when not, 2 for wrong arguments."""
    options = _arguments(argv)
    from twisted.internet import reactor as default_reactor

    reactor = cast(NetworkReactor, default_reactor)
    try:
        fleet = _fleet(options, reactor)
    except (FaultError, ValueError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    ticker = LoopingCall(lambda: print(f"{reactor.seconds() - started:6.0f} s  {fleet.line()}", flush=True))
    started = reactor.seconds()
    reactor.callWhenRunning(fleet.start)
    reactor.callWhenRunning(ticker.start, 1.0, False)
    if options.seconds > 0:
        reactor.callLater(options.seconds, reactor.stop)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(fleet.stop()))
    reactor.run()
    print(fleet.line(), *fleet.totals.summary(), sep="\n")
    for mac in sorted(fleet.never_registered)[:10]:
        print(f"never registered: {mac}")
    return 1 if fleet.never_registered else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
