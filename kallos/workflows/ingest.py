"""Photos, ratings and splits into the store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from featurestore import normalization_statistics
from featurestore.errors import UsageError
from featurestore.ingest.dataset import DataSet, IngestSummary, write
from featurestore.ingest.further_table import added
from featurestore.ingest.table import TableReading
from featurestore.next_step import after_ingest
from featurestore.opening import open_store
from featurestore.outputs import NORMALIZED, active_versions
from kallos.importers.registry import IMPORTERS
from kallos.importers.spec import Importer
from kallos.workflows.progress import OnProgress, ignore


@dataclass(frozen=True)
class Ingested:
    """A summary of what was stored, and the next command; both empty after a dry run.

    reading  how a table was read, where it was one
    """

    summary: IngestSummary | None
    next_command: str
    reading: TableReading | None = None


def ingest(
    importer: str,
    source: str | Path,
    store: str | Path,
    *,
    on_progress: OnProgress = ignore,
    on_reading: Callable[[TableReading], None] = lambda _: None,
    **options: Any,
) -> Ingested:
    """Read a data set as `kallos ingest IMPORTER SOURCE` does, and store it.

    `options` are those of the command: `images="photos", scale=(1, 5)` for --images photos --scale 1 5. `on_reading`
    is called with how a table is read, before it is stored. Raises UsageError, InputError and DataError, which name the
    remedy.
    """
    if importer not in IMPORTERS:
        raise UsageError(f"There is no importer {importer!r}: choose from {', '.join(IMPORTERS)}.")
    spec = IMPORTERS[importer]
    context = {"store": Path(store), "on_progress": on_progress}
    context = {name: value for name, value in context.items() if name in spec.parameters}
    result = spec.read(Path(source), **_checked(spec, options), **context)
    if isinstance(result, DataSet):
        return _stored(spec, result, Path(store))
    on_reading(result)
    if result.dry_run:
        return Ingested(None, "", result)
    return _stored(spec, result.data_set, Path(store), result)


def _checked(spec: Importer, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with paths as Path. Raises UsageError for an unknown or a missing option."""
    _, *accepted = spec.arguments.values()
    if unknown := set(options) - {option.name for option in accepted}:
        names = ", ".join(option.name for option in accepted) or "none"
        raise UsageError(f"The importer {spec.name} has no option {min(unknown)!r}: it has {names}.")
    if missing := [o.name for o in accepted if o.default is o.empty and o.name not in options]:
        raise UsageError(f"The importer {spec.name} needs {', '.join(missing)}.")
    kinds = {option.name: get_args(option.annotation)[0] for option in accepted}
    paths = {name for name, kind in kinds.items() if Path in (kind, *get_args(kind))}
    return {name: Path(value) if name in paths and value is not None else value for name, value in options.items()}


def _stored(spec: Importer, data_set: DataSet, store: Path, reading: TableReading | None = None) -> Ingested:
    owner = IMPORTERS.get(data_set.name)
    if owner and owner.owns_its_name and owner is not spec:
        raise UsageError(f"{data_set.name} is the name of a data set with its own importer: choose another --name.")
    with open_store(store) as opened:
        summary = write(opened, added(opened, data_set) if data_set.adds else data_set)
        if active_versions(opened).keys() >= set(NORMALIZED):
            # roles may have changed: no photo stays normalised by what is a test row now
            normalization_statistics.fit(opened)
        return Ingested(summary, after_ingest(opened, data_set.name), reading)
