"""The data of a run's model card: what it is, its training data, and how well it does, from the store."""

from collections.abc import Mapping
from dataclasses import dataclass

from featurestore import scale_maps
from featurestore.calibration import Calibration
from featurestore.duplicates import leaks, searched
from featurestore.runs import EXTERNAL, Run, bundled, calibrations, load
from featurestore.scale_maps import ScaleMaps
from featurestore.selections import Seen, seen_by_choices
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from models.registry import BUNDLED, ENSEMBLE, MODELS, rank
from reports.pages import face_alone, subscores
from reports.pages.face_alone import FaceAloneModel
from reports.pages.groups import Groups, groups_of_run
from reports.pages.subscores import SubScoreRun
from reports.stats.bootstrap import Estimate
from reports.stats.evaluated_runs import FEWEST_TESTED, EvaluatedRun, evaluated_rows, gain_in_pearson
from reports.stats.selection import Selection

ROLES = ("test", "out_of_fold")


@dataclass(frozen=True)
class Performance:
    """How a run does on n rows. `coverage` is the share within their interval, None where the run gives none."""

    n: int
    figures: Mapping[str, Estimate]
    coverage: Estimate | None


@dataclass(frozen=True)
class CardRun:
    """One run of the card.

    fits      cross-fitted models, each without a part of the rows
    refitted  whether new photos are predicted by one more fit on all rows, instead of by the mean of those
    started   day, in UTC
    roles     test and out_of_fold, where it predicted such rows
    external  data set that it was not trained for -> how it does there
    """

    run: Run
    fits: int
    refitted: bool
    started: str
    seconds: float | None
    roles: Mapping[str, Performance]
    external: Mapping[str, Performance]


@dataclass(frozen=True)
class Combined:
    """The weights of members and the correction; on the judged rows the gain in PC on the best of them out of fold."""

    weights: Mapping[str, float]
    correction: float
    best: str
    gain: Estimate


@dataclass(frozen=True)
class ModelCard:
    """A run, and for an ensemble all that goes into a bundle with it; the run itself comes first.

    judged_on     role of the rows by which it is judged: test, or out_of_fold where fewer than 20 are tested
    licences      data set of the protocol -> its terms
    leak          (tested, leaked) images of the fold, None where near-duplicates were not searched for
    calibrations  by subset, that for everyone under None; none of a run without intervals
    width         mean width of the intervals on the test rows
    sub_scores    of the model that gives them, where it is among the runs
    choices       behind the runs, those that looked at most of their test photos first
    face_alone    of the runs that `kallos evaluate --face-alone` was run for
    maps          from shared scores to those of each data set, where it was trained on several
    """

    target: Target
    runs: tuple[CardRun, ...]
    judged_on: str
    licences: Mapping[str, str | None]
    rows: int
    row_hash: str
    features: int
    leak: tuple[int, int] | None
    groups: Groups | None
    calibrations: Mapping[str | None, Calibration]
    width: float | None
    combined: Combined | None
    sub_scores: SubScoreRun | None
    choices: tuple[Seen, ...]
    face_alone: tuple[FaceAloneModel, ...]
    maps: ScaleMaps

    @property
    def main(self) -> CardRun:
        return self.runs[0]


def data(store: Store, run_id: str) -> ModelCard:
    """Raises PrerequisiteError when there is no such run or it is not finished."""
    run = load(store, run_id)
    chosen = bundled(store, run, BUNDLED) if run.model == ENSEMBLE else {run.model: run}
    ordered = sorted(chosen.values(), key=lambda member: (member.run_id != run_id, rank(member.model)))
    evaluated = {
        member.model: {role: evaluated_rows(store, member.model, member, role) for role in ROLES} for member in ordered
    }
    main = evaluated[run.model]["test"]
    judged_on = "test" if main is None or len(main.truth) >= FEWEST_TESTED else "out_of_fold"
    judged = {model: by_role[judged_on] for model, by_role in evaluated.items()}
    rows, row_hash, features = store.frame(
        "SELECT row_count, row_hash, len(features) FROM manifests WHERE manifest_id = $id", id=run.manifest_id
    ).row(0)
    licences = store.frame(
        "SELECT DISTINCT data_set, licence FROM splits JOIN images USING (image_id) JOIN data_sets USING (data_set) "
        "WHERE protocol = $protocol ORDER BY data_set",
        protocol=run.protocol,
    )
    leaked = {(protocol, fold): (tested, count) for protocol, fold, tested, count in leaks(store).iter_rows()}
    return ModelCard(
        target=target_of_run(store, run_id),
        runs=tuple(_card_run(store, member, evaluated[member.model]) for member in ordered),
        judged_on=judged_on,
        licences=dict(licences.iter_rows()),
        rows=rows,
        row_hash=row_hash,
        features=features,
        leak=leaked.get((run.protocol, run.fold), (0, 0)) if searched(store) else None,
        groups=groups_of_run(rows_of_main) if (rows_of_main := judged[run.model]) else None,
        calibrations=calibrations(store, run_id),
        width=main.width if main else None,
        combined=_combined(store, run_id, judged) if run.model == ENSEMBLE else None,
        sub_scores=_sub_scores(store, chosen),
        choices=seen_by_choices(store, [member.run_id for member in ordered]),
        face_alone=tuple(model for member in ordered if (model := face_alone.of_run(store, member))),
        maps=scale_maps.of_run(store, run_id),
    )


def _card_run(store: Store, run: Run, roles: Mapping[str, EvaluatedRun | None]) -> CardRun:
    fits, started, seconds = store.frame(
        "SELECT (SELECT count(DISTINCT part) FROM training_history h WHERE h.run_id = r.run_id), "
        "strftime(started_at, '%Y-%m-%d'), seconds FROM runs r WHERE run_id = $id",
        id=run.run_id,
    ).row(0)
    others = store.frame(
        "SELECT DISTINCT data_set FROM predictions JOIN images USING (image_id) "
        "WHERE run_id = $id AND role = $role ORDER BY data_set",
        id=run.run_id,
        role=EXTERNAL,
    )["data_set"]
    external = {name: evaluated_rows(store, run.model, run, EXTERNAL, name) for name in others}
    refitted = run.model in MODELS and MODELS[run.model].refitted
    return CardRun(run, fits, refitted, started, seconds, _performances(roles), _performances(external))


def _performances(by_name: Mapping[str, EvaluatedRun | None]) -> dict[str, Performance]:
    return {name: Performance(len(rows.truth), rows.figures(), rows.coverage) for name, rows in by_name.items() if rows}


def _combined(store: Store, run_id: str, judged: Mapping[str, EvaluatedRun | None]) -> Combined | None:
    correction = store.value("SELECT max(correction) FROM combiners WHERE run_id = $id", id=run_id)
    rows = store.frame("SELECT model, weight FROM combined_members WHERE run_id = $id ORDER BY pearson DESC", id=run_id)
    weights = dict(rows.iter_rows())
    name = next(iter(weights), "")
    best, combined = judged.get(name), judged[ENSEMBLE]
    if correction is None or best is None or combined is None:
        return None
    return Combined(weights, correction, name, gain_in_pearson(combined, best))


def _sub_scores(store: Store, chosen: Mapping[str, Run]) -> SubScoreRun | None:
    """Of the run's own sub-scores, and for an ensemble of those of the model that it combines."""
    run = next((chosen[name] for name, spec in MODELS.items() if spec.regions and name in chosen), None)
    has = run and store.value("SELECT count(*) FROM sub_scores WHERE run_id = $id", id=run.run_id)
    return subscores.data(store, Selection(runs=(run.run_id,))).runs[0] if run and has else None
