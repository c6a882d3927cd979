"""`make bench [ARGS=name]`: runs the benchmark programs of this folder, each printing ratios measured in one run."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> int:
    names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_"))
    chosen = sys.argv[1:] or names
    unknown = [name for name in chosen if name not in names]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(names) or 'none yet'}", file=sys.stderr)
        return 1
    for name in chosen:
        print(f"== {name}")
        importlib.import_module(f"bench.{name}").main()
    if not chosen:
        print("no benchmarks yet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
