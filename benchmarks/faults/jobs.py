"""The commands that are disturbed: the state that each starts from, what it must come to, what must always hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ensemble.bundle import open_bundle
from featurestore.errors import StoreError
from featurestore.opening import open_store
from featurestore.schema import SCHEMA_VERSION
from featurestore.upkeep.health import examine
from featurestore.upkeep.invariants import examine_deeply

ROOT = Path(__file__).parent.parent.parent
OLD = ROOT / "tests" / "stores" / "schema_1.sql"
TRAINING = ("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", "64", "--epochs", "3")
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
    arguments: tuple[str, ...]
    result: Callable[[Path], str]
    over: tuple[int, ...] = (0,)
    """Exit codes of work that is done: of a photo that is erased already, `erase` knows nothing any more."""
    lasts: float | None = None
    """Seconds within which to stop what takes too long to wait for; it is never run to its end."""


def prepare(folder: Path, portraits: int) -> None:
    """Make the states in which commands begin: each is the folder of a store with all that lies beside it."""
    empty = folder / "empty"
    empty.mkdir()
    kallos(empty, "ingest", "demo", "portraits", "--count", str(portraits), "--store", "drawn.duckdb")
    for file in empty.glob("drawn*"):
        file.unlink()

    def then(before: str, after: str, *commands: tuple[str, ...]) -> None:
        shutil.copytree(folder / before, folder / after, symlinks=True)
        for command in commands:
            kallos(folder / after, *command)

    then("empty", "ingested", ("ingest", "demo", "portraits", "--count", str(portraits)))
    then("ingested", "extracted", ("extract", "--encoder", "mobilenet_v3_small", "--weights", "none"))
    then("extracted", "trained", ("train", "all", *TRAINING), ("export", "bundle"))
    # values whose photos are gone, for compact to drop
    then("trained", "older")
    with open_store(folder / "older" / "kallos.duckdb") as store:
        store.execute("UPDATE images SET sha256 = md5(sha256) WHERE image_id < 'demo/P0040.jpg'")
    (folder / "schema_1").mkdir()
    with duckdb.connect(str(folder / "schema_1" / "kallos.duckdb")) as connection:
        connection.execute(OLD.read_text(encoding="utf-8"))


def jobs(folder: Path, portraits: int) -> list[Job]:
    """The commands that write, on the states in `folder`; paths are relative to the state."""
    ingest = ("ingest", "demo", "portraits", "--count", str(portraits))
    erase = ("erase", "demo/P0007.jpg", "--receipt", "receipt.json")
    return [
        Job("ingest", folder / "empty", ingest, _content),
        Job("export", folder / "trained", ("export", "bundle"), _bundle),
        Job("compact", folder / "older", ("compact",), _content),
        Job("erase", folder / "trained", erase, _content, over=(0, 2)),
        Job("migrate", folder / "schema_1", ("compact",), _content),
        Job(
            "extract",
            folder / "ingested",
            ("extract", "--encoder", "mobilenet_v3_small", "--weights", "none"),
            _content,
        ),
        Job("train", folder / "extracted", ("train", "all", *TRAINING), _content),
        Job("benchmark", folder / "extracted", ("benchmark", "-p", "demo-5fold", *TRAINING), _content, lasts=60.0),
        Job("serve", folder / "trained", ("serve", "--bundle", "bundle", "--port", "7879"), _content, lasts=20.0),
    ]


def kallos(folder: Path, *arguments: str, over: tuple[int, ...] = (0,)) -> float:
    """Run a command that must be done; returns the seconds that it took."""
    began = time.perf_counter()
    run = subprocess.run(command(arguments), cwd=folder, env=environment(), capture_output=True, text=True)
    if run.returncode not in over:
        raise SystemExit(f"kallos {' '.join(arguments)} failed with {run.returncode}:\n{run.stderr}")
    return time.perf_counter() - began


def command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "kallos", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def reset(job: Job, work: Path) -> None:
    """Begin anew."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(job.prepared, work, symlinks=True)


def damage(job: Job, work: Path) -> list[str]:
    """What is wrong after a kill; a store that is not there yet is not wrong."""
    store = work / "kallos.duckdb"
    if not store.exists() or (job.name == "migrate" and not _is_migrated(store)):
        return []
    try:
        symptoms = [*examine(store), *examine_deeply(store)]
    except StoreError as error:
        return [] if "is empty" in str(error) else [str(error)]
    found = [f"{symptom.what}: {symptom.message}" for symptom in symptoms if symptom.state == "fail"]
    if job.name == "export" and (work / "bundle").exists():
        open_bundle(work / "bundle")
    return found


def _is_migrated(store: Path) -> bool:
    """A store of an older version is whole as it is; only writing commands bring it up to date."""
    with duckdb.connect(str(store), read_only=True) as connection:
        return bool(connection.sql(f"SELECT schema_version = {SCHEMA_VERSION} FROM store_info").fetchall()[0][0])


def _content(work: Path) -> str:
    """Hash of every value of every table."""
    with open_store(work / "kallos.duckdb", read_only=True) as store:
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
