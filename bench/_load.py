"""The load generator of `bench/load`, compiled on first use and driven over its standard input."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench._processes import BenchError, Process
from bench._servers import DOMAIN, FIRST_NUMBER, SECRET, Server

SOURCE = Path(__file__).parent / "load"
SOURCE_PORTS = 2048
LAYOUTS = 60
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Result:
    """One command's outcome, as the generator counts it (`load/register_load.c`). `generator_cpu` is a share of its
    core: near 1 the generator, not the server, limits the rate."""

    done: int
    failed: int
    lost: int
    replies: int
    rechallenged: int
    sent_again: int
    stray: int
    seconds: float
    generator_cpu: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    error: str


@dataclass(frozen=True, slots=True)
class Sample:
    """`cpu_us` is what the server's processes used for each operation."""

    result: Result
    cpu_us: float

    @property
    def per_second(self) -> float:
        return self.result.done / self.result.seconds


def compile_load(folder: Path) -> Path:
    program = folder / "register_load"
    sources = sorted(str(path) for path in SOURCE.glob("*.c"))
    try:
        subprocess.run(["cc", "-O2", "-o", str(program), *sources], check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"the load generator needs a C compiler (apt-get install gcc libc6-dev): {error}") from None
    return program


class Load:
    """The devices of one server: they keep their nonces, counts and source ports from command to command."""

    def __init__(self, server: Server, process: Process, aors: int) -> None:
        self.server = server
        self.aors = aors
        self._process = process
        self._read()

    def _read(self) -> str:
        line: str = self._process.popen.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise BenchError(f"the load generator ended: {self._process.last_words}")
        return line

    def run(
        self, mode: str, seconds: float, window: int = 64, layouts: int | str = LAYOUTS, rate: float = 1.0
    ) -> Result:
        """Raises BenchError when any operation went wrong: such a figure means nothing."""
        pipe = self._process.popen.stdin
        pipe.write(f"{mode} seconds={seconds} window={window} layouts={layouts} rate={rate:.0f}\n")  # type: ignore[union-attr]
        pipe.flush()  # type: ignore[union-attr]
        result = Result(**json.loads(self._read()))
        if result.failed or result.lost or not result.done:
            raise BenchError(
                f"{self.server.name}, {mode}: {result.done} done, {result.failed} failed, {result.lost} lost"
                f" ({result.error}) {self.server.last_words}"
            )
        return result

    def fill(self, seconds: float, window: int = 64) -> Result:
        """Registers every AoR."""
        result = self.run("fill", seconds, window)
        if result.done < self.aors:
            raise BenchError(f"{self.server.name}: {result.done} of {self.aors} registered in {seconds:.0f} s")
        return result

    def measure(self, mode: str, seconds: float, window: int = 64, layouts: int | str = LAYOUTS) -> Sample:
        before = self.server.cpu_seconds()
        result = self.run(mode, seconds, window, layouts)
        return Sample(result, (self.server.cpu_seconds() - before) / result.done * 1e6)


@contextmanager
def load_on(server: Server, program: Path, core: int, aors: int) -> Iterator[Load]:
    log = server.folder / "load.log"
    process = Process(
        [str(program), f"127.0.0.1:{server.port}", str(aors), str(FIRST_NUMBER), DOMAIN, SECRET, str(SOURCE_PORTS)],
        core,
        log,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Load(server, process, aors)
    finally:
        process.stop()
