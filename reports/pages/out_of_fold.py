"""Figures on training photos, out of fold, of a fold whose test photos are too few to say how well a model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from featurestore.store import Store
from reports.render.layout import dim, number, plain_table, section
from reports.stats.bootstrap import METRICS, Estimate
from reports.stats.estimates import estimate_cell
from reports.stats.evaluated_runs import FEWEST_TESTED, EvaluatedRun, evaluated_rows


@dataclass(frozen=True)
class OutOfFold:
    """A run on its n training photos, each predicted by a fit that had not seen it.

    weights  member -> its weight, where the run combines members
    """

    name: str
    n: int
    figures: Mapping[str, Estimate]
    weights: Mapping[str, float]


def out_of_fold(store: Store, evaluated: Sequence[EvaluatedRun]) -> tuple[OutOfFold, ...]:
    """The runs with the lowest MAE first; none where there are enough test photos."""
    if min(len(run.truth) for run in evaluated) >= FEWEST_TESTED:
        return ()
    trained = [evaluated_rows(store, run.name, run.run, "out_of_fold") for run in evaluated]
    measured = []
    for run in filter(None, trained):
        weights = store.frame(
            "SELECT model, weight FROM combined_members WHERE run_id = $id ORDER BY weight DESC", id=run.run.run_id
        )
        measured.append(OutOfFold(run.name, len(run.truth), run.figures(), dict(weights.iter_rows())))
    return tuple(sorted(measured, key=lambda run: run.figures["mae"].value))


def render_out_of_fold(runs: Sequence[OutOfFold], tested: int) -> RenderableType:
    table = plain_table("model", "n", *METRICS.values())
    for run in runs:
        table.add_row(run.name, f"{run.n:,}", *(estimate_cell(run.figures[metric]) for metric in METRICS))
    combined = [
        f"New photos get the score of {run.name}, whose weights were found on these: "
        + ", ".join(f"{name} {number(weight, 2)}" for name, weight in run.weights.items())
        + "."
        for run in runs
        if run.weights
    ]
    few = (
        f"Fewer than {FEWEST_TESTED} test images ({tested:,}) are too few to go by: these are the training images, "
        "each predicted by a fit that had not seen it."
    )
    return section("Training images, out of fold", table, dim(" ".join([few, *combined])))
