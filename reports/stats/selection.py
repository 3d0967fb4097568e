"""What a report is about: a data set, a fold, or runs; the newest, where nothing is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import before_extract, before_training, train_all
from featurestore.runs import Run, latest, load
from featurestore.store import Store
from featurestore.training_sets import check_fold


@dataclass(frozen=True)
class Selection:
    """`data_set` narrows the reports on data; protocol, fold and runs those on models; the lineage is of one image.

    trait   what was rated, for reports on features where photos were rated on several traits
    photos  whether a page may show photos of the data set
    """

    data_set: str | None = None
    protocol: str | None = None
    fold: int | None = None
    runs: tuple[str, ...] = ()
    image: str | None = None
    trait: str | None = None
    photos: bool = False


def chosen_data_sets(store: Store, selection: Selection) -> list[str]:
    """Names of the data sets. Raises PrerequisiteError when there is none, UsageError for an unknown one."""
    known = store.frame("SELECT data_set FROM data_sets ORDER BY data_set")["data_set"].to_list()
    if not known:
        raise before_extract(store, "The store has no data set yet")
    if selection.data_set is None:
        return known
    if selection.data_set not in known:
        raise UsageError(f"There is no data set {selection.data_set!r}: choose from {', '.join(known)}.")
    return [selection.data_set]


def chosen_runs(store: Store, selection: Selection) -> list[Run]:
    """The finished runs that are named, else the newest of each model on the chosen fold.

    Without a fold, it is that of the newest run. Raises PrerequisiteError when there is no such run.
    """
    if selection.runs:
        return [_finished(store, run_id) for run_id in dict.fromkeys(selection.runs)]
    protocol, fold = _fold(store, selection)
    return [load(store, run_id) for _, run_id in sorted(latest(store, protocol, fold).items())]


def run_names(models: Sequence[str], run_ids: Sequence[str]) -> list[str]:
    """What to call each run: its model where that is unique, else its id."""
    return [m if models.count(m) == 1 else run_id for m, run_id in zip(models, run_ids, strict=True)]


def no_run(store: Store, selection: Selection) -> PrerequisiteError:
    """The error that names the command to run first."""
    return before_training(store, "There is no trained run yet", train_all(store, selection.protocol, selection.fold))


def _finished(store: Store, run_id: str) -> Run:
    run = load(store, run_id)
    status = store.value("SELECT status FROM runs WHERE run_id = $run_id", run_id=run_id)
    if status == "pooled":
        raise PrerequisiteError(
            f"The run {run_id!r} was trained on scores of several traits at once, by an earlier kallos: "
            "`kallos train --help` says how to train on a --protocol of one trait."
        )
    if status != "done":
        again = train_all(store, run.protocol, run.fold)
        raise PrerequisiteError(f"The run {run_id!r} is not finished: run the same command again, such as `{again}`.")
    return run


def _fold(store: Store, selection: Selection) -> tuple[str, int]:
    if selection.protocol is not None:
        check_fold(store, selection.protocol, selection.fold or 1)
    newest = store.frame(
        "SELECT protocol, fold FROM runs WHERE status = 'done' "
        "AND protocol = coalesce($protocol, protocol) AND fold = coalesce($fold, fold) "
        "ORDER BY started_at DESC LIMIT 1",
        protocol=selection.protocol,
        fold=selection.fold,
    ).rows()
    if not newest:
        raise no_run(store, selection)
    protocol, fold = newest[0]
    return protocol, fold
