"""`make bench-store`: every system, every width, repeats interleaved; tables to stdout, to JSON and to the docs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill

from rich.console import Console

from benchmarks.store import figures, workload
from benchmarks.store.figures import Measured
from benchmarks.store.worker import SYSTEMS

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = {"LanceDB": ".venv-bench-lancedb", "Feast": ".venv-bench-feast", "Pixeltable": ".venv-bench-pixeltable"}
"""Peers whose pins conflict with kallos's; every other system runs in kallos's own environment."""

LIMIT = 900
"""Seconds that one stage of one repeat may take."""

WIDTH = 119
"""Of a line of the documents."""

MARK = "<!-- Everything below is written by `make bench-store`. -->"


def main() -> None:
    arguments = _arguments()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    measurements = {features: _measure(arguments, features) for features in arguments.features}
    machine = _machine(arguments)
    report = {
        str(features): {name: asdict(m) for name, m in systems.items()} for features, systems in measurements.items()
    }
    arguments.json.write_text(json.dumps(machine | {"widths": report}, indent=1))
    console = Console(width=None if sys.stdout.isatty() else 140)
    for features, systems in measurements.items():
        for grid in figures.grids(features, systems):
            console.print(grid.rich())
        for line in figures.remarks(systems):
            console.print(line, highlight=False)
    if arguments.docs:
        page = arguments.docs.read_text().split(MARK)[0]
        arguments.docs.write_text(page + _section(measurements, machine))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="kallos's store beside its peers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--features", type=int, nargs="+", default=[60, 1000])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench-store", help="where the stores are made")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-store" / "figures.json")
    parser.add_argument("--docs", type=Path, help="page whose figures are replaced")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, features: int) -> dict[str, Measured]:
    """All repeats at one width; a system that failed is not tried again."""
    data = workload.make(arguments.folder, features)
    # ratios need their references
    chosen = [name for name in SYSTEMS if name in {*arguments.systems, figures.FLOOR, "DuckDB"}]
    systems = {name: Measured() for name in chosen}
    for repeat in range(arguments.repeats):
        for name, measured in systems.items():
            if measured.failed is None:
                print(f"{features} features, repeat {repeat + 1}: {name}", file=sys.stderr)
                _repeat(name, data, measured, arguments.folder)
    return systems


def _repeat(name: str, data: Path, measured: Measured, folder: Path) -> None:
    """Both stages of one system in a new folder."""
    interpreter = ROOT / ENVIRONMENTS[name] / "bin" / "python" if name in ENVIRONMENTS else Path(sys.executable)
    if not interpreter.exists():
        measured.failed = f"not installed: {ENVIRONMENTS[name]} is missing"
        return
    store = Path(tempfile.mkdtemp(dir=folder))
    for stage in ("write", "use"):
        command = [str(interpreter), "-m", "benchmarks.store.worker", name, str(data), str(store), stage]
        result = _result_of(command, folder / "errors.log")
        for operation, seconds in result.get("seconds", {}).items():
            measured.seconds.setdefault(operation, []).extend(seconds)
        measured.versions |= result.get("versions", {})
        measured.recall = result.get("recall", measured.recall)
        measured.failed = result.get("failed")
        if measured.failed:
            break
    shutil.rmtree(store)


def _result_of(command: list[str], log: Path) -> dict:
    """The JSON that a worker prints last; what it writes to stderr is kept in a log."""
    with log.open("a") as errors:
        try:
            worker = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, timeout=LIMIT, text=True)
        except subprocess.TimeoutExpired:
            return {"failed": f"not done after {LIMIT} s"}
    if worker.returncode != 0:
        return {"failed": f"it ended with exit code {worker.returncode}, see {log.name}"}
    return json.loads(worker.stdout.splitlines()[-1])


def _machine(arguments: argparse.Namespace) -> dict[str, object]:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {model.split(': ')[1]}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "load": round(os.getloadavg()[2], 1),
        "repeats": arguments.repeats,
    }


def _section(measurements: dict[int, dict[str, Measured]], machine: dict[str, object]) -> str:
    """Command, date, machine, versions and figures as Markdown."""
    versions = {name: measured.versions for systems in measurements.values() for name, measured in systems.items()}
    used = (f"{name}: {', '.join(map(' '.join, packages.items()))}" for name, packages in versions.items())
    blocks = [
        MARK,
        fill(
            f"`make bench-store`, {machine['date']}, {machine['machine']}, load average over the last 15 minutes "
            f"{machine['load']}, {machine['repeats']} interleaved repeats.",
            WIDTH,
        ),
        fill("Versions. " + "; ".join(used) + ".", WIDTH),
    ]
    for features, systems in measurements.items():
        blocks += [grid.markdown() for grid in figures.grids(features, systems)]
        blocks += [f"- {line}" for line in figures.remarks(systems)]
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    main()
