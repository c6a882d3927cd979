"""What benchmarks print: figures with their bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that must not be above (`most`) or below (not `most`) its limit."""

    limit: float
    most: bool = True

    def verdict(self, figure: float) -> str:
        met = figure <= self.limit if self.most else figure >= self.limit
        return f"bar {'≤' if self.most else '≥'} {self.limit:g}: {'met' if met else 'falls short'}"


def thousands(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


def median_and_range(values: Sequence[float], form: str = ".2f") -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def print_ratios(what: str, ours: Sequence[float], peers: Sequence[float], bar: Bar | None) -> None:
    """Ratios of figures that were taken side by side, round by round."""
    ratios = [own / peer for own, peer in zip(ours, peers, strict=True)]
    verdict = f"   {bar.verdict(median(ratios))}" if bar else ""
    print(f"    {what}: {median_and_range(ratios)}{verdict}")
