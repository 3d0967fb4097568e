"""`make faults`: kallos killed with SIGKILL at random moments of every command that writes, many times each.

After each kill the store must open and `kallos doctor --deep` must find nothing wrong. Typed again, the same command
must finish the work, and the store must then hold what it holds after a run that nobody killed. Where a kill came too
late, the work begins anew.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from ensemble.bundle import open_bundle
from featurestore.errors import StoreError
from featurestore.schema import SCHEMA_VERSION
from featurestore.store import Store
from featurestore.upkeep.health import examine
from featurestore.upkeep.invariants import examine_deeply

TRAINING = ("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", "64", "--epochs", "3")
OLD = Path(__file__).parent.parent / "tests" / "stores" / "schema_1.sql"
NOT_COMPARED = {
    # when and how long is another matter each time
    "store_info": ("created_at",),
    "migrations": ("applied_at",),
    "extractor_versions": ("activated_at",),
    "attempts": ("milliseconds",),
    "erasures": ("erased_at",),
    "runs": ("started_at", "seconds"),
    "training_history": ("seconds",),
}


@dataclass(frozen=True)
class Job:
    """A command, the state that it starts from, and what must be the same in the end."""

    name: str
    prepared: Path
    typed: tuple[str, ...]
    result: Callable[[Path], str]
    over: tuple[int, ...] = (0,)
    """Exit codes of work that is done: of a photo that is erased already, `erase` knows nothing any more."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30, help="of each command")
    parser.add_argument("--portraits", type=int, default=100)
    parser.add_argument("--only", help="one command")
    arguments = parser.parse_args()
    table = Table("command", "kills", "it takes, s", "killed after, s", "finished before", "damage")
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="kallos-faults-") as folder:
        for job in _jobs(Path(folder), arguments.portraits):
            if arguments.only in (None, job.name):
                found = _strike(job, Path(folder) / "work", arguments.kills)
                table.add_row(*found)
                print(*found, sep=" | ", file=sys.stderr, flush=True)
    console.print(table)


def _jobs(folder: Path, portraits: int) -> list[Job]:
    """Every state is the folder of a store with all that lies beside it; paths are relative to it."""
    states = {name: folder / name for name in ("empty", "ingested", "extracted", "trained", "older", "schema_1")}
    states["empty"].mkdir()
    _kallos(states["empty"], "ingest", "demo", "portraits", "--count", str(portraits), "--store", "drawn.duckdb")
    for file in states["empty"].glob("drawn*"):
        file.unlink()

    def then(before: str, after: str, *commands: tuple[str, ...]) -> None:
        shutil.copytree(states[before], states[after], symlinks=True)
        for command in commands:
            _kallos(states[after], *command)

    ingest = ("ingest", "demo", "portraits", "--count", str(portraits))
    then("empty", "ingested", ingest)
    then("ingested", "extracted", ("extract", "--weights", "none"))
    then("extracted", "trained", ("train", "all", *TRAINING), ("export", "bundle"))
    # values whose photos are gone, for compact to drop
    then("trained", "older")
    with Store.open(states["older"] / "kallos.duckdb") as store:
        store.execute("UPDATE images SET sha256 = md5(sha256) WHERE image_id < 'demo/P0040.jpg'")
    states["schema_1"].mkdir()
    with duckdb.connect(str(states["schema_1"] / "kallos.duckdb")) as connection:
        connection.execute(OLD.read_text(encoding="utf-8"))
    return [
        Job("ingest", states["empty"], ingest, _content),
        Job("export", states["trained"], ("export", "bundle"), _bundle),
        Job("compact", states["older"], ("compact",), _content),
        Job("erase", states["trained"], ("erase", "demo/P0007.jpg", "--receipt", "receipt.json"), _content, (0, 2)),
        Job("migrate", states["schema_1"], ("compact",), _content),
        Job("extract", states["ingested"], ("extract", "--weights", "none"), _content),
        Job("train", states["extracted"], ("train", "all", *TRAINING), _content),
    ]


def _kallos(folder: Path, *typed: str, over: tuple[int, ...] = (0,)) -> float:
    began = time.perf_counter()
    run = subprocess.run(_command(typed), cwd=folder, env=_environment(), capture_output=True, text=True)
    if run.returncode not in over:
        raise SystemExit(f"kallos {' '.join(typed)} failed with {run.returncode}:\n{run.stderr}")
    return time.perf_counter() - began


def _command(typed: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "kallos", *typed]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}


def _strike(job: Job, work: Path, kills: int) -> tuple[str, ...]:
    _reset(job, work)
    takes = _kallos(work, *job.typed)
    wanted = job.result(work)
    moments, struck, finished, damage = random.Random(7), [], 0, []
    _reset(job, work)
    for _ in range(kills):
        child = subprocess.Popen(
            _command(job.typed),
            cwd=work,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        moment = moments.uniform(0.3, takes)
        try:
            child.wait(moment)
            finished += 1
        except subprocess.TimeoutExpired:
            struck.append(moment)
        os.killpg(child.pid, signal.SIGKILL) if child.poll() is None else None
        child.wait()
        damage += _damage(job, work)
        if child.returncode in job.over:
            damage += [] if job.result(work) == wanted else ["another result"]
            _reset(job, work)
    _kallos(work, *job.typed, over=job.over)
    damage += [] if job.result(work) == wanted else ["another result in the end"]
    spread = f"{min(struck):.1f} to {max(struck):.1f}" if struck else "-"
    return job.name, str(len(struck)), f"{takes:.1f}", spread, str(finished), "; ".join(sorted(set(damage))) or "none"


def _reset(job: Job, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(job.prepared, work, symlinks=True)


def _damage(job: Job, work: Path) -> list[str]:
    """What is wrong after a kill; a store that is not there yet is not wrong."""
    store = work / "kallos.duckdb"
    if not store.exists() or (job.name == "migrate" and not _is_migrated(store)):
        return []
    try:
        symptoms = [*examine(store), *examine_deeply(store)]
    except StoreError as error:
        return [] if "is empty" in str(error) else [str(error)]
    found = [f"{symptom.what}: {symptom.said}" for symptom in symptoms if symptom.state == "fail"]
    if job.name == "export" and (work / "bundle").exists():
        open_bundle(work / "bundle")
    return found


def _is_migrated(store: Path) -> bool:
    """A store of an older version is whole as it is; only writing commands bring it up to date."""
    with duckdb.connect(str(store), read_only=True) as connection:
        return bool(connection.sql(f"SELECT schema_version = {SCHEMA_VERSION} FROM store_info").fetchall()[0][0])


def _content(work: Path) -> str:
    """Hash of every value of every table."""
    with Store.open(work / "kallos.duckdb", read_only=True) as store:
        tables = store.frame("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL")["table_name"]
        found = []
        for table in tables:
            left_out = ", ".join(NOT_COMPARED.get(table, ()))
            chosen = f"* EXCLUDE ({left_out})" if left_out else "*"
            query = f'SELECT count(*), sum(hash(t)::HUGEINT % 1000003) FROM (SELECT {chosen} FROM "{table}") t'
            found.append((table, *store.frame(query).row(0)))
    return repr(found)


def _bundle(work: Path) -> str:
    """Hash of every file of the bundle."""
    files = sorted(path for path in (work / "bundle").rglob("*") if path.is_file())
    return repr([(str(file.relative_to(work)), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])


if __name__ == "__main__":
    main()
