"""`make bench-neighbours`: steps of the demo's Model A, alone and beside a busy process, by threads and processes.

OpenMP's threads wait for each other after each operation: they spin, or sleep (`OMP_WAIT_POLICY=passive`). Fits of
several parts can also run side by side, each in a process with fewer threads. Every setting runs in turn, in processes
of its own; the neighbour is one that never waits. Where other work runs on the machine, `--first` has steps and
neighbour go first, which takes root: nearly as if the machine had nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

EPOCH = 240
"""Photos of an epoch of a part in `kallos demo`: 400 portraits, a fifth of them for the test, a quarter left out."""

BUSY = "while True: pass"
TOGETHER = 'for fit in $(seq "$1"); do "${@:2}" & done; wait'
FIRST = "echo -20 > /proc/self/autogroup; "
"""Linux shares processors among sessions, each process within its own: steps and neighbour are a session each."""


@dataclass(frozen=True)
class Setting:
    """How fits run: what their threads do while they wait, threads of each, and fits at once."""

    name: str
    environment: tuple[tuple[str, str], ...]
    threads: int
    fits: int


def settings(cores: int) -> list[Setting]:
    """All that is tried on so many cores."""
    passive = (("OMP_WAIT_POLICY", "passive"),)
    return [
        Setting("spin", (), cores, 1),
        Setting("spin for some .05 ms", (("GOMP_SPINCOUNT", "10000"),), cores, 1),
        Setting("sleep", passive, cores, 1),
        Setting("sleep", passive, 1, 1),
        Setting("sleep", passive, 1, cores),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of steps for each setting, alone and beside")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--first", action="store_true", help="go before all other work on the machine")
    parser.add_argument("--one", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _steps(arguments.one, arguments.seconds)
        return
    table = Table("threads wait", "threads", "fits at once", "", "seconds an epoch", "processor seconds an epoch")
    for setting in settings(arguments.cores):
        for beside in (False, True):
            with _neighbour(arguments.first) if beside else nullcontext():
                wall, processor = _epoch(setting, arguments.seconds, arguments.first)
            where = "beside a busy process" if beside else "alone"
            row = (setting.name, str(setting.threads), str(setting.fits), where, f"{wall:.1f}", f"{processor:.1f}")
            table.add_row(*row)
            print(*row, sep=", ", flush=True)
    Console(highlight=False).print(table)


def _epoch(setting: Setting, seconds: float, first: bool) -> tuple[float, float]:
    """Wall and processor seconds that an epoch takes; of fits at once, the time divided by their number."""
    command = [sys.executable, "-m", "benchmarks.neighbours", "--one", str(setting.threads), "--seconds", str(seconds)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    process = _session([str(setting.fits), *command], environment | dict(setting.environment), first)
    answers = [line.split() for line in process.communicate()[0].splitlines()]
    photos, wall, processor = (sum(float(answer[i]) for answer in answers) for i in range(3))
    return EPOCH * wall / photos / setting.fits, EPOCH * processor / photos


def _steps(threads: int, seconds: float) -> None:
    """Prints photos, wall seconds and processor seconds of training steps, after one that is not counted."""
    import torch

    from kallos.cli.demo import BATCH_SIZE, IMAGE_SIZE
    from models.image.computing import usual
    from models.image.model import AppearanceConfig
    from models.image.train import starting_backbone, trial_step

    config = AppearanceConfig(weights="none", image_size=IMAGE_SIZE, batch_size=BATCH_SIZE)
    torch.set_num_threads(threads)
    step = trial_step(config, starting_backbone(config), usual("float32"), BATCH_SIZE)
    step()
    began, processor, photos = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        step()
        photos += BATCH_SIZE
    print(photos, time.perf_counter() - began, time.process_time() - processor)


@contextmanager
def _neighbour(first: bool) -> Iterator[None]:
    process = _session(["1", sys.executable, "-c", BUSY], dict(os.environ), first)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _session(command: list[str], environment: dict[str, str], first: bool) -> subprocess.Popen[str]:
    script = f"{FIRST if first else ''}{TOGETHER}"
    shell = ["bash", "-c", script, "bash", *command]
    return subprocess.Popen(shell, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


if __name__ == "__main__":
    main()
