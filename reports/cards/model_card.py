"""The data of a run's model card: what it is, its training data, and how well it does, from the store."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from featurestore import scale_maps
from featurestore.duplicates import leaks, searched
from featurestore.records import Evaluation
from featurestore.runs import EXTERNAL, Run, bundled, load
from featurestore.scale_maps import ScaleMaps
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from models.registry import BUNDLED, ENSEMBLE, MODELS, rank
from reports.pages import face_alone, subscores
from reports.pages.face_alone import FaceAloneModel
from reports.pages.groups import Groups, compare_groups
from reports.pages.subscores import SubScoreRun
from reports.stats.bootstrap import Estimate, correlations, figures, resamples
from reports.stats.evaluated_runs import EvaluatedRun, evaluated_rows
from reports.stats.selection import Selection


@dataclass(frozen=True)
class Performance:
    """How a run does on n rows. `coverage` is the share within their interval, None where the run gives none."""

    n: int
    figures: Mapping[str, Estimate]
    coverage: Estimate | None


@dataclass(frozen=True)
class CardRun:
    """One run of the card.

    fits     cross-fitted models
    started  day, in UTC
    roles    test and out_of_fold, where it predicted such rows
    external data set that it was not trained for -> how it does there
    """

    run: Run
    fits: int
    started: str
    seconds: float | None
    roles: Mapping[str, Performance]
    external: Mapping[str, Performance]


@dataclass(frozen=True)
class Calibration:
    """A row of `intervals`; `subset` is None for everyone."""

    subset: str | None
    n: int
    bias: float
    half_width: float
    level: float


@dataclass(frozen=True)
class CombinedMember:
    """A row of `combined_members`."""

    model: str
    weight: float
    pearson: float


@dataclass(frozen=True)
class Combined:
    """A row of `combiners` with its members, and the gain in PC on the best of them alone on the test rows."""

    members: tuple[CombinedMember, ...]
    correction: float
    pearson: float
    best: str
    gain: Estimate


@dataclass(frozen=True)
class ModelCard:
    """A run, and for an ensemble all that goes into a bundle with it; the run itself comes first.

    licences    data set of the protocol -> its terms
    leak        (tested, leaked) images of the fold, None where near-duplicates were not searched for
    width       mean width of the intervals on the test rows
    sub_scores  of the model that gives them, where it is among the runs
    face_alone  of the runs that `kallos evaluate --face-alone` was run for
    maps        from shared scores to those of each data set, where it was trained on several
    """

    target: Target
    runs: tuple[CardRun, ...]
    licences: Mapping[str, str | None]
    rows: int
    row_hash: str
    features: int
    leak: tuple[int, int] | None
    groups: Groups | None
    calibrations: tuple[Calibration, ...]
    width: Estimate | None
    combined: Combined | None
    sub_scores: SubScoreRun | None
    face_alone: tuple[FaceAloneModel, ...]
    maps: ScaleMaps

    @property
    def main(self) -> CardRun:
        """The run that the card is about."""
        return self.runs[0]


def data(store: Store, run_id: str) -> ModelCard:
    """Raises PrerequisiteError when there is no such run or it is not finished."""
    run = load(store, run_id)
    chosen = bundled(store, run, BUNDLED) if run.model == ENSEMBLE else {run.model: run}
    ordered = sorted(chosen.values(), key=lambda member: (member.run_id != run_id, rank(member.model)))
    tested = {member.model: evaluated_rows(store, member.model, member, "test") for member in ordered}
    main = tested[run.model]
    rows, row_hash, features = store.frame(
        "SELECT row_count, row_hash, len(features) FROM manifests WHERE manifest_id = $id", id=run.manifest_id
    ).row(0)
    licences = store.frame(
        "SELECT DISTINCT data_set, licence FROM splits JOIN images USING (image_id) JOIN data_sets USING (data_set) "
        "WHERE protocol = $protocol ORDER BY data_set",
        protocol=run.protocol,
    )
    return ModelCard(
        target=target_of_run(store, run_id),
        runs=tuple(_card_run(store, member, tested[member.model]) for member in ordered),
        licences=dict(licences.iter_rows()),
        rows=rows,
        row_hash=row_hash,
        features=features,
        leak=_leak(store, run) if searched(store) else None,
        groups=compare_groups(main.truth, main.predicted, main.subsets, main.low, main.high) if main else None,
        calibrations=_calibrations(store, run_id),
        width=_width(main) if main else None,
        combined=_combined(store, run_id, tested) if run.model == ENSEMBLE else None,
        sub_scores=_sub_scores(store, chosen),
        face_alone=tuple(model for member in ordered if (model := face_alone.of_run(store, member))),
        maps=scale_maps.of_run(store, run_id),
    )


def _card_run(store: Store, run: Run, tested: EvaluatedRun | None) -> CardRun:
    fits, started, seconds = store.frame(
        "SELECT (SELECT count(DISTINCT part) FROM training_history h WHERE h.run_id = r.run_id), "
        "strftime(started_at, '%Y-%m-%d'), seconds FROM runs r WHERE run_id = $id",
        id=run.run_id,
    ).row(0)
    roles = {"test": tested, "out_of_fold": evaluated_rows(store, run.model, run, "out_of_fold")}
    others = store.frame(
        "SELECT DISTINCT data_set FROM predictions JOIN images USING (image_id) "
        "WHERE run_id = $id AND role = $role ORDER BY data_set",
        id=run.run_id,
        role=EXTERNAL,
    )["data_set"]
    external = {name: evaluated_rows(store, run.model, run, EXTERNAL, name) for name in others}
    return CardRun(run, fits, started, seconds, _performances(roles), _performances(external))


def _leak(store: Store, run: Run) -> tuple[int, int]:
    by_fold = {(protocol, fold): (tested, leaked) for protocol, fold, tested, leaked in leaks(store).iter_rows()}
    return by_fold.get((run.protocol, run.fold), (0, 0))


def _performances(by_name: Mapping[str, EvaluatedRun | None]) -> dict[str, Performance]:
    return {
        name: Performance(len(rows.truth), figures(rows.truth, rows.predicted), _coverage(rows))
        for name, rows in by_name.items()
        if rows
    }


def _coverage(rows: EvaluatedRun) -> Estimate | None:
    if rows.low is None or rows.high is None:
        return None
    return Estimate.of_mean(((rows.low <= rows.truth) & (rows.truth <= rows.high)).astype(np.float64))


def _width(rows: EvaluatedRun) -> Estimate | None:
    return None if rows.low is None or rows.high is None else Estimate.of_mean(rows.high - rows.low)


def _calibrations(store: Store, run_id: str) -> tuple[Calibration, ...]:
    rows = store.frame(
        "SELECT subset, n, bias, half_width, level FROM intervals WHERE run_id = $id ORDER BY subset NULLS FIRST",
        id=run_id,
    )
    return tuple(Calibration(*row) for row in rows.iter_rows())


def _combined(store: Store, run_id: str, tested: Mapping[str, EvaluatedRun | None]) -> Combined | None:
    combiner = store.frame("SELECT correction, pearson FROM combiners WHERE run_id = $id", id=run_id).to_dicts()
    rows = store.frame(
        "SELECT model, weight, pearson FROM combined_members WHERE run_id = $id ORDER BY pearson DESC", id=run_id
    )
    members = tuple(CombinedMember(*row) for row in rows.iter_rows())
    best, combined = tested.get(members[0].model) if members else None, tested[ENSEMBLE]
    if not combiner or best is None or combined is None:
        return None
    counts, predicted = resamples(len(best.truth)), np.stack([best.predicted, combined.predicted])
    alone, together = correlations(counts, best.truth, predicted)
    best_pearson, combined_pearson = (
        Evaluation.from_scores(rows.truth, rows.predicted).pearson for rows in (best, combined)
    )
    gain = Estimate.from_resamples(combined_pearson - best_pearson, together - alone)
    return Combined(members=members, **combiner[0], best=members[0].model, gain=gain)


def _sub_scores(store: Store, chosen: Mapping[str, Run]) -> SubScoreRun | None:
    """Of the run's own sub-scores, and for an ensemble of those of the model that it combines."""
    run = next((chosen[name] for name, spec in MODELS.items() if spec.regions and name in chosen), None)
    has = run and store.value("SELECT count(*) FROM sub_scores WHERE run_id = $id", id=run.run_id)
    return subscores.data(store, Selection(runs=(run.run_id,))).runs[0] if run and has else None
