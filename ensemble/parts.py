"""The parts that a prediction needs, from the runs of a store or from a bundle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from ensemble.training_photos import TrainingPhotos
from extractors.outputs import EMBEDDING
from extractors.recipes import Uses
from featurestore import normalization, runs, scale_maps, used_versions
from featurestore.calibration import Ends
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import before_training, train_all
from featurestore.normalization import Normalization
from featurestore.outputs import found_encoder
from featurestore.recalibration import Recalibration
from featurestore.records import Comparison, Origin
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMap, ScaleMaps
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from models.registry import BUNDLED, ENSEMBLE
from models.untrusted import as_bundle_error, read_json

TRAINED_ON = ("data_sets", "protocol", "fold", "manifest_id", "runs", "weights", "encoder")


@dataclass(frozen=True)
class Parts:
    """Folders of saved models and what they were trained on.

    target          the trait that they predict, and the scale that it was rated on
    folders         of the ensemble, its members, the other trained models, and the encoder
    normalization   statistics of the training rows
    versions        extractor -> version that the models were trained on
    uses            what the models use of them; None where it was not recorded, as in a bundle of format 3
    trained_on      data set, protocol, fold, manifest, licence and each member's weights
    evaluations     model -> its figures on the test rows
    photos          those of the training rows
    maps            from shared scores to those of each data set, where they were trained on several
    data_set        of these the one whose scores are given; None for the first, whose scores are the shared ones
    comparisons     of the ensemble with simpler models, if any
    recalibration   to the scores of `data_set`, where `kallos validate` fitted it to raters that no model learnt from
    """

    target: Target
    folders: Mapping[str, Path]
    normalization: Normalization
    versions: Mapping[str, str]
    uses: Uses | None
    trained_on: Mapping[str, object]
    evaluations: Mapping[str, Mapping[str, float]]
    photos: TrainingPhotos
    maps: ScaleMaps = field(default_factory=ScaleMaps)
    data_set: str | None = None
    comparisons: tuple[Comparison, ...] = ()
    recalibration: Recalibration | None = None

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Those that the models were trained on, the reference first."""
        return tuple(self.maps.maps or cast(Mapping[str, object], self.trained_on["data_sets"]))

    def scored_for(self, data_set: str | None) -> Self:
        """These parts, giving the scores of that data set.

        Raises UsageError where they were not trained on it, PrerequisiteError where an earlier kallos did not link
        the scales of several.
        """
        known = self.data_sets
        if data_set is not None and data_set not in known:
            raise UsageError(
                f"The models were not trained on {data_set!r}: choose a data set from {', '.join(known)}, or run "
                "`kallos validate --help` with photos that its raters rated."
            )
        if data_set is not None and len(known) > 1 and not self.maps.maps:
            raise PrerequisiteError(
                f"An earlier kallos trained the models, and did not link the scales of {', '.join(known)}: run "
                "`kallos train all` again, or leave the data set out."
            )
        return replace(self, data_set=data_set)

    @property
    def output(self) -> ScaleMap | None:
        """The map to the scores that are given; None for those of the one data set that the models were trained on."""
        if self.recalibration:
            return self.recalibration.map
        return self.maps.maps[self.data_set or self.maps.reference] if self.maps.reference else None

    @property
    def gives_own_scores(self) -> bool:
        """Whether the scores that are given are those that the models combine, on no other data set's scale."""
        if self.recalibration:
            return False
        return not self.maps.maps or self.data_set in (None, self.maps.reference)

    def output_ends(self, scores: NDArray[np.float64], ends: Ends) -> Ends:
        """Ends of the intervals (n,) of the scores that are given."""
        if self.recalibration:
            return self.recalibration.ends(scores, ends)
        return (self.output.from_shared(ends[0]), self.output.from_shared(ends[1])) if self.output else ends

    @property
    def scale(self) -> Scale | None:
        """That of the scores that are given; None where an earlier kallos trained on several scales."""
        return self.output.scale if self.output else self.target.scale

    @property
    def origin(self) -> Origin:
        """The training data and models behind a score."""
        trained_on: Mapping[str, Any] = self.trained_on
        return Origin(
            model=self.run_ids[ENSEMBLE],
            data_sets=tuple(map(str, trained_on["data_sets"])),
            trait=self.target.trait,
            scale=self.scale,
            protocol=str(trained_on["protocol"]),
            fold=int(trained_on["fold"]),
            comparisons=self.comparisons,
            scored_for=self.data_set or self.maps.reference,
        )

    @property
    def run_ids(self) -> dict[str, str]:
        """model -> id of its run."""
        run_ids = self.trained_on["runs"]
        assert isinstance(run_ids, dict)
        return run_ids


def parts_of_store(store: Store, protocol: str | None = None, fold: int | None = None) -> Parts:
    """The newest finished runs of a fold; by default of the fold that was combined last.

    Raises PrerequisiteError when no ensemble has been trained there.
    """
    if protocol is None or fold is None:
        protocol, fold = last_combined(store, protocol, fold)
    latest = runs.latest(store, protocol, fold)
    if ENSEMBLE not in latest:
        problem = f"Fold {fold} of {protocol} has no trained {ENSEMBLE}"
        raise before_training(store, problem, train_all(store, protocol, fold))
    chosen = runs.bundled(store, runs.load(store, latest[ENSEMBLE]), BUNDLED)
    combined = chosen[ENSEMBLE]
    versions_json, statistics_id = store.frame(
        "SELECT versions, statistics_id FROM manifests WHERE manifest_id = $id", id=combined.manifest_id
    ).row(0)
    versions, embedding = json.loads(versions_json), f"{EMBEDDING}{combined.encoder}"
    folders = {model: run.folder for model, run in chosen.items()}
    if missing := [folder for folder in folders.values() if not folder.is_dir()]:
        raise PrerequisiteError(
            f"A trained model is not in {missing[0]}: put the folder {store.runs_folder.name} back beside the "
            f"store, or run `{train_all(store, protocol, fold)}`."
        )
    folders["encoder"] = found_encoder(store, str(combined.encoder), versions[embedding])
    return Parts(
        target=target_of_run(store, combined.run_id),
        folders=folders,
        normalization=normalization.read(store, statistics_id),
        versions={k: v for k, v in versions.items() if not k.startswith(EMBEDDING) or k == embedding},
        uses=used_versions.of_run(store, combined.run_id),
        trained_on=_trained_on(store, protocol, fold, chosen),
        evaluations=_evaluations(store, chosen),
        photos=TrainingPhotos.from_hashes(runs.training_photos(store, combined.run_id), combined.manifest_id),
        maps=scale_maps.of_run(store, combined.run_id),
    )


def last_combined(store: Store, protocol: str | None, fold: int | None) -> tuple[str, int]:
    """Protocol and fold of the ensemble that was trained last. Raises PrerequisiteError when there is none."""
    rows = store.frame(
        "SELECT protocol, fold FROM runs WHERE model = $ensemble AND status = 'done' "
        "AND protocol = coalesce($protocol, protocol) AND fold = coalesce($fold, fold) "
        "ORDER BY started_at DESC LIMIT 1",
        ensemble=ENSEMBLE,
        protocol=protocol,
        fold=fold,
    ).rows()
    if not rows:
        raise before_training(store, "There is no trained ensemble yet", train_all(store, protocol, fold))
    return rows[0][0], rows[0][1]


def _trained_on(store: Store, protocol: str, fold: int, chosen: Mapping[str, runs.Run]) -> dict[str, object]:
    data_sets = store.frame(
        "SELECT DISTINCT data_set, licence FROM splits JOIN images USING (image_id) JOIN data_sets USING (data_set) "
        "WHERE protocol = $protocol ORDER BY data_set",
        protocol=protocol,
    )
    return {
        "data_sets": dict(data_sets.iter_rows()),
        "protocol": protocol,
        "fold": fold,
        "manifest_id": chosen[ENSEMBLE].manifest_id,
        "runs": {model: run.run_id for model, run in chosen.items()},
        "weights": {model: run.weights for model, run in chosen.items()},
        "encoder": chosen[ENSEMBLE].encoder,
    }


def _evaluations(store: Store, chosen: Mapping[str, runs.Run]) -> dict[str, dict[str, float]]:
    rows = store.frame(
        "SELECT run_id, n, mae, rmse, coalesce(pearson, 'nan') AS pearson, coalesce(spearman, 'nan') AS spearman "
        "FROM evaluations WHERE role = 'test'"
    )
    figures = rows.rows_by_key("run_id", named=True, unique=True)
    return {model: figures[run.run_id] for model, run in chosen.items() if run.run_id in figures}


def save_normalization(fitted: Normalization, path: Path) -> None:
    """Write a normalization as JSON; floats survive the round trip bit for bit."""
    content = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(fitted).items()}
    path.write_text(json.dumps(content, indent=1))


def load_normalization(path: Path) -> Normalization:
    """Read what `save_normalization` wrote. Raises BundleError when the file holds something else."""
    content = read_json(path)
    with as_bundle_error(path):
        read = Normalization(
            name=content["name"],
            features=tuple(content["features"]),
            regions=tuple(content["regions"]),
            mean=np.array(content["mean"], dtype=np.float64),
            sd=np.array(content["sd"], dtype=np.float64),
            mean_shape=np.array(content["mean_shape"], dtype=np.float32),
        )
        if not len(read.features) == len(read.regions) == len(read.mean) == len(read.sd) or not (read.sd > 0).all():
            raise ValueError("its lists have different lengths")
        return read
