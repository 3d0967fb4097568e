"""Runs: what was trained, how it went, and its predictions of every image."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.regions import REGIONS
from featurestore.calibration import LEVEL, Calibration, Ends
from featurestore.errors import PrerequisiteError
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.next_step import before_training, train_all
from featurestore.records import Epoch, Evaluation
from featurestore.scale_maps import ScaleMaps, data_set_of
from featurestore.sql_text import next_time
from featurestore.store import Store
from featurestore.traits import target_of
from featurestore.used_versions import of_manifest

EXTERNAL = "outside"
"""The role of predictions by `kallos evaluate`: of a data set that the run was not trained on."""

FACE_ALONE = "face_alone"
"""The role of predictions by `kallos evaluate --face-alone`: of test photos with all but the face in grey."""

TRAINING_CODE = "training_code"
"""The setting that is the version of the code that trains: another version gives other models."""

GROUP = "concat_ws('/', data_set, subset)"
"""SQL of what a run on several data sets calls a subset."""

RESULTS = (
    "predictions",
    "evaluations",
    "sub_scores",
    "sub_score_weights",
    "combiners",
    "combined_members",
    "intervals",
    "selections",
    "scale_maps",
)
"""Tables of what a finished run gives. One whose model was lost is trained again, and gives them again."""


@dataclass(frozen=True)
class Run:
    """One training of one model on one fold. `run_id` is readable: scut-5fold-1-b-1f2e3d4c."""

    run_id: str
    model: str
    protocol: str
    fold: int
    weights: str
    encoder: str | None
    manifest_id: str
    config: Mapping[str, Any]
    folder: Path


def id_of(
    model: str,
    protocol: str,
    fold: int,
    config: Mapping[str, Any],
    manifest_id: str,
    encoder: str | None,
    maps: ScaleMaps,
) -> str:
    """The id of a run with these settings on these rows; on which machine it is trained, and how, is no part of it."""
    identity = {name: value for name, value in config.items() if name not in (TRAINING_CODE, "computing", "fits")}
    linked = [maps.as_dict()] if maps.maps else []
    content = json.dumps([config[TRAINING_CODE], identity, manifest_id, encoder, *linked], sort_keys=True)
    return f"{protocol}-{fold}-{model}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def begin(store: Store, run: Run) -> None:
    """Record a run as running. Begun again after an interruption, it keeps the history of its epochs."""
    with store.transaction():
        for table in ("runs", *RESULTS):
            store.execute(f"DELETE FROM {table} WHERE run_id = $run_id", run_id=run.run_id)
        target = target_of(store, run.protocol)
        low, high = target.scale or (None, None)
        row = asdict(run) | {"trait": target.trait, "scale_low": low, "scale_high": high}
        uses = of_manifest(store, run.manifest_id, run.encoder)
        row |= {"uses": None if uses is None else json.dumps(uses, sort_keys=True)}
        row |= {"config": json.dumps(dict(run.config), sort_keys=True), "folder": run.folder.name}
        types = {"encoder": pl.String, "uses": pl.String, "scale_low": pl.Float64, "scale_high": pl.Float64}
        store.append("runs", pl.DataFrame([row | {"status": "running"}], schema_overrides=types))
        started = next_time("runs", "started_at")
        store.execute(f"UPDATE runs SET started_at = {started} WHERE run_id = $run_id", run_id=run.run_id)


def recorded_config(store: Store, run_id: str) -> Mapping[str, Any]:
    """The settings that a run was begun with; none of a run that is not known."""
    config = store.value("SELECT max(config) FROM runs WHERE run_id = $run_id", run_id=run_id)
    return dict(json.loads(config)) if config else {}


def record_fits(store: Store, run: Run, fits: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to a run's settings its fits: part, 0 for that of all rows -> `machine.origin` and the penalty it chose."""
    config = json.dumps({**recorded_config(store, run.run_id), "fits": fits}, sort_keys=True)
    store.execute("UPDATE runs SET config = $config WHERE run_id = $run_id", config=config, run_id=run.run_id)


def record_epoch(store: Store, run: Run, part: int, epoch: Epoch) -> None:
    """One line of the history of one cross-fitted model; an epoch that is trained again replaces its line."""
    line = asdict(epoch) | {"run_id": run.run_id, "part": part}
    line.pop("epochs")
    with store.transaction():
        statement = "DELETE FROM training_history WHERE run_id = $run_id AND part = $part AND epoch = $epoch"
        store.execute(statement, run_id=run.run_id, part=part, epoch=epoch.epoch)
        store.append("training_history", pl.DataFrame([line]))


def record_predictions(
    store: Store,
    run: Run,
    role: str,
    image_ids: tuple[str, ...],
    predicted: NDArray[np.float64],
    truth: NDArray[np.float64],
    interval: Ends | None = None,
) -> Evaluation:
    """Store the predictions of one role (out_of_fold or test), low and high ends with them, and how well they agree."""
    rows = {"run_id": run.run_id, "image_id": image_ids, "role": role, "score": predicted}
    store.append("predictions", pl.DataFrame(rows | _ends(interval)))
    evaluation = Evaluation.from_scores(truth, predicted)
    store.append("evaluations", pl.DataFrame([asdict(evaluation) | {"run_id": run.run_id, "role": role}]))
    return evaluation


def replace_predictions(
    store: Store,
    run_id: str,
    role: str,
    image_ids: tuple[str, ...],
    predicted: NDArray[np.float64],
    interval: Ends | None = None,
    *,
    prefix: str = "",
) -> None:
    """Store a run's predictions in a role, in place of its earlier ones of images whose ids begin with the prefix."""
    rows = {"run_id": run_id, "image_id": image_ids, "role": role, "score": predicted}
    scope = "run_id = $run_id AND role = $role AND starts_with(image_id, $prefix)"
    store.sync("predictions", pl.DataFrame(rows | _ends(interval)), scope, run_id=run_id, role=role, prefix=prefix)


def _ends(interval: Ends | None) -> dict[str, NDArray[np.float64]]:
    return dict(zip(("low", "high"), interval, strict=True)) if interval else {}


def record_sub_scores(
    store: Store, run: Run, image_ids: tuple[str, ...], sub_scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> None:
    """Store (n, 8) sub-scores, and the (K, 8) weights of K cross-fitted models, in the order of REGIONS."""
    for region, values in zip(REGIONS, sub_scores.T, strict=True):
        rows = {"run_id": run.run_id, "image_id": image_ids, "region": region, "sub_score": values}
        store.append("sub_scores", pl.DataFrame(rows))
    for part, region_weights in enumerate(weights, start=1):
        rows = {"run_id": run.run_id, "region": REGIONS, "weight": region_weights, "part": part}
        store.append("sub_score_weights", pl.DataFrame(rows))


def record_combiner(
    store: Store, run: Run, parameters: Mapping[str, float], members: Sequence[Mapping[str, Any]]
) -> None:
    """Store a combiner's parameters, as columns of `combiners`, and its members, as columns of `combined_members`."""
    store.append("combiners", pl.DataFrame([{"run_id": run.run_id, **parameters}]))
    store.append("combined_members", pl.DataFrame([{"run_id": run.run_id, **member} for member in members]))


def record_intervals(store: Store, run: Run, calibrations: Mapping[str | None, Calibration]) -> None:
    """Store a run's calibrations by subset, that for everyone under None."""
    rows = [{"run_id": run.run_id, "subset": name, **asdict(c), "level": LEVEL} for name, c in calibrations.items()]
    widths = pl.List(pl.Float64)
    types = {"subset": pl.String(), "scores": widths, "half_widths": widths}
    store.append("intervals", pl.DataFrame(rows, schema_overrides=types))


def calibrations(store: Store, run_id: str) -> dict[str | None, Calibration]:
    """A run's calibrations by subset, first that for everyone, under None; none of a run without intervals."""
    query = "SELECT subset, n, bias, scores, half_widths FROM intervals WHERE run_id = $id ORDER BY subset NULLS FIRST"
    rows = store.frame(query, id=run_id).rows()
    return {name: Calibration(n, bias, tuple(scores), tuple(widths)) for name, n, bias, scores, widths in rows}


def subsets(store: Store, image_ids: tuple[str, ...]) -> list[str | None]:
    """The subset of each image, None where it has none; of several data sets as data set/subset."""
    several = len({data_set_of(image_id) for image_id in image_ids}) > 1
    name = f"if($several, {GROUP}, subset)"
    known = store.mapping(f"SELECT image_id, {name} FROM {GROUPED_IMAGES}", several=several)
    return [known[image_id] for image_id in image_ids]


def finish(store: Store, run: Run, seconds: float) -> None:
    """Mark a run as done; only done runs are reported, combined and exported."""
    store.execute(
        "UPDATE runs SET status = 'done', seconds = $seconds WHERE run_id = $run_id", seconds=seconds, run_id=run.run_id
    )


def discard(store: Store, run: Run) -> None:
    """Remove a run that could not start, so that it does not stand there as running."""
    store.execute("DELETE FROM runs WHERE run_id = $run_id AND status = 'running'", run_id=run.run_id)


def is_done(store: Store, run_id: str) -> bool:
    """Whether that run was trained to its end, and its model still lies beside the store."""
    rows = store.frame("SELECT folder FROM runs WHERE run_id = $run_id AND status = 'done'", run_id=run_id)
    return bool(len(rows)) and (store.runs_folder / rows.item()).is_dir()


def latest(store: Store, protocol: str, fold: int) -> dict[str, str]:
    """model -> run_id of its newest finished run on that fold."""
    query = (
        "SELECT model, max_by(run_id, started_at) FROM runs "
        "WHERE protocol = $protocol AND fold = $fold AND status = 'done' GROUP BY model"
    )
    return store.mapping(query, protocol=protocol, fold=fold)


def bundled(store: Store, ensemble: Run, models: Collection[str]) -> dict[str, Run]:
    """model -> run of all that goes with an ensemble: the very members that it combines, and the newest of `models`."""
    newest = {
        model: run_id for model, run_id in latest(store, ensemble.protocol, ensemble.fold).items() if model in models
    }
    run_ids = newest | ensemble.config["members"] | {ensemble.model: ensemble.run_id}
    return {model: load(store, run_id) for model, run_id in run_ids.items()}


def load(store: Store, run_id: str) -> Run:
    """A recorded run. Raises PrerequisiteError when there is none of that id."""
    rows = store.frame(
        "SELECT run_id, model, protocol, fold, weights, encoder, manifest_id, config, folder "
        "FROM runs WHERE run_id = $run_id",
        run_id=run_id,
    ).to_dicts()
    if not rows and not store.value("SELECT count(*) FROM runs"):
        raise before_training(store, "There is no trained run yet", train_all(store))
    if not rows:
        raise PrerequisiteError(f"There is no run {run_id!r}: `kallos report training` lists the runs.")
    row = rows[0]
    return Run(**row | {"config": json.loads(row["config"]), "folder": store.runs_folder / row["folder"]})


def training_photos(store: Store, run_id: str) -> list[str]:
    """The sha256 of the training photos of a run, as the store has them now: erased ones are gone."""
    return store.column(
        "SELECT DISTINCT sha256 FROM predictions JOIN images USING (image_id) "
        "WHERE run_id = $run_id AND role = 'out_of_fold' ORDER BY sha256",
        run_id=run_id,
    )


def predictions(store: Store, run_id: str, role: str) -> pl.DataFrame:
    """image_id and score of one run and role, by image_id."""
    query = "SELECT image_id, score FROM predictions WHERE run_id = $run_id AND role = $role ORDER BY image_id"
    return store.frame(query, run_id=run_id, role=role)
