"""`kallos evaluate --face-alone`: what becomes of scores when everything around the face is painted grey."""

from dataclasses import dataclass

import numpy as np
from rich.console import RenderableType

from featurestore.runs import FACE_ALONE, Run
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from reports.render.layout import dim, page, plain_table, plural
from reports.stats.bootstrap import Estimate, figures
from reports.stats.estimates import BRACKETS, estimate_cell
from reports.stats.evaluated_runs import evaluated_rows

NAME = "face_alone"
COLUMNS = ("change", "size of change", "correlation", "PC of the photo", "PC of the face alone")
READING = (
    "Everything outside the contour of the face was painted grey: hair, ears, neck, clothes and background. Change is "
    f"the mean of the score of the face alone - that of the whole photo, on {MODEL_SCALE}; its size is the mean "
    "without sign; correlation is between the two scores; PC is with the raters' mean score. A photo in grey is unlike "
    f"every training photo, which is part of the change. {BRACKETS}"
)


@dataclass(frozen=True)
class FaceAloneModel:
    """One model on n test photos with everything around the face in grey, beside the same photos as they are.

    change       mean of score in grey - score of the photo
    size         mean of its absolute value
    correlation  Pearson's, of both scores
    before       Pearson's, of the photo's score with the raters' mean score
    after        the same of the score in grey
    """

    name: str
    run_id: str
    n: int
    change: Estimate
    size: Estimate
    correlation: Estimate
    before: Estimate
    after: Estimate

    @property
    def figures(self) -> tuple[Estimate, ...]:
        """In the order of COLUMNS."""
        return self.change, self.size, self.correlation, self.before, self.after


@dataclass(frozen=True)
class FaceAloneReport:
    """Models on test photos of their fold, the ensemble first."""

    protocol: str
    fold: int
    models: tuple[FaceAloneModel, ...]


def of_run(store: Store, run: Run) -> FaceAloneModel | None:
    """None where it was not evaluated."""
    grey, tested = (evaluated_rows(store, run.model, run, role) for role in (FACE_ALONE, "test"))
    if grey is None or tested is None:
        return None
    before = tested.predicted[np.isin(tested.image_ids, grey.image_ids)]
    change = grey.predicted - before
    pairs = ((before, grey.predicted), (grey.truth, before), (grey.truth, grey.predicted))
    return FaceAloneModel(
        run.model,
        run.run_id,
        len(before),
        Estimate.of_mean(change, grey.people),
        Estimate.of_mean(np.abs(change), grey.people),
        *(figures(x, y, grey.people)["pearson"] for x, y in pairs),
    )


def render(report: FaceAloneReport) -> RenderableType:
    table = plain_table("model", *COLUMNS)
    for model in report.models:
        table.add_row(model.name, estimate_cell(model.change, sign=True), *map(estimate_cell, model.figures[1:]))
    return page(
        "Face alone",
        f"{plural(report.models[0].n, 'test photo')} of {report.protocol}, fold {report.fold}",
        table,
        dim(READING),
    )
