"""`kallos rate`: what is known of one person's eye, and how it grew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import RenderableType

from featurestore.records import Evaluation
from featurestore.scale import MODEL_SCALE, Scale
from models.one_rater import Faces, OneRater, Prior
from reports.render.json import NOT_IN_JSON
from reports.render.layout import dim, number, page, plain_table, plural, section
from reports.render.plots import Lines

FEWEST = 3
"""Ratings from which on there is a correlation."""

STEPS = (5, 10, 20, 50, 100, 200, 500, 1000)
SHOWN = 5
Z90 = 1.645
"""Standard deviations to either end of a 90 % interval."""


@dataclass(frozen=True, eq=False)
class OneRaterReport:
    """The model of one person.

    run_id        the ensemble, whose scores it starts from
    rated         ratings given
    raters        other raters that its prior was learnt from
    pearson       correlation of each rating with what the model gives that face without it; None for few ratings
    pool_pearson  the same of the pool's score
    noise         standard deviation of a rating about what the model would give after endless ratings, on the scale
    grew          ratings, pearson, pool_pearson after the first of them
    next_photo    the face whose rating would tell most; None when all are rated
    faces         every face: image_id, rating (null where none), pool, score, low, high (90 % of further ratings),
                  gain (see `OneRater.gains`); on the scale, but gain
    model         what was fitted
    """

    rater: str
    trait: str
    scale: Scale
    run_id: str
    rated: int
    raters: int
    pearson: float | None
    pool_pearson: float | None
    noise: float
    grew: tuple[tuple[int, float | None, float | None], ...]
    next_photo: str | None
    faces: pl.DataFrame = field(repr=False, metadata=NOT_IN_JSON)
    model: OneRater = field(repr=False, metadata=NOT_IN_JSON)


@dataclass(frozen=True, eq=False)
class RatedFaces:
    """All N faces, and which of them a person rated: rows of them and ratings on the scale, in the order of rating."""

    image_ids: Sequence[str]
    faces: Faces
    rows: NDArray[np.int64]
    ratings: NDArray[np.float64]


def data(rater: str, trait: str, scale: Scale, run_id: str, prior: Prior, given: RatedFaces) -> OneRaterReport:
    learnt, ratings = given.faces.take(given.rows), scale.to_models(given.ratings)
    model = OneRater.fit(prior, learnt, ratings)
    steps = [n for n in STEPS if n < len(ratings)]
    earlier = [OneRater.fit(prior, learnt.take(np.arange(n)), ratings[:n]) for n in steps]
    grew = tuple((len(m.left_out), *_agreement(m, learnt, ratings)) for m in (*earlier, model))
    faces = _faces(model, scale, given)
    unrated = faces.filter(pl.col("rating").is_null()).sort("gain", descending=True)
    return OneRaterReport(
        rater=rater,
        trait=trait,
        scale=scale,
        run_id=run_id,
        rated=len(ratings),
        raters=prior.raters,
        pearson=grew[-1][1],
        pool_pearson=grew[-1][2],
        noise=float(scale.errors_from_models(model.noise)),
        grew=grew,
        next_photo=unrated["image_id"][0] if len(unrated) else None,
        faces=faces,
        model=model,
    )


def _faces(model: OneRater, scale: Scale, given: RatedFaces) -> pl.DataFrame:
    score, sd = model.predict(given.faces)
    width = Z90 * np.hypot(sd, model.noise)
    rating = np.full(len(given.faces), np.nan)
    rating[given.rows] = given.ratings
    ends = {"score": score, "low": score - width, "high": score + width}
    columns = {
        "image_id": given.image_ids,
        "rating": rating,
        "pool": scale.from_models(given.faces.pool),
        **{name: scale.from_models(MODEL_SCALE.clip(values)) for name, values in ends.items()},
        "gain": model.gains(given.faces),
    }
    return pl.DataFrame(columns).with_columns(pl.col("rating").fill_nan(None))


def _agreement(model: OneRater, learnt: Faces, ratings: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The model's correlation with the ratings that it was fitted on, each left out in turn, and the pool's."""
    count = len(model.left_out)
    if count < FEWEST:
        return None, None
    scores = (model.left_out, learnt.pool[:count])
    own, pool = (Evaluation.from_scores(ratings[:count], each).pearson for each in scores)
    return (None if np.isnan(own) else own), (None if np.isnan(pool) else pool)


def render(report: OneRaterReport) -> RenderableType:
    figures = plain_table("", "correlation with your ratings")
    figures.add_row("your model, each rating left out in turn", number(report.pearson, 2))
    figures.add_row("the pool's model", number(report.pool_pearson, 2))
    about = (
        f"It starts from {report.run_id} and from how {plural(report.raters, 'rater')} of the store differ from it. "
        f"Two of three ratings of yours lie within {number(report.noise, 2)} points of what it would give for good."
    )
    known = [(n, own, pool) for n, own, pool in report.grew if own is not None and pool is not None]
    counts, own, pool = np.array(known).reshape(-1, 3).T
    curves = {"your model": (counts, own), "the pool's": (counts, pool)}
    return page(
        report.rater,
        f"{plural(report.rated, 'rating')} of {report.trait} on {report.scale.words}",
        figures,
        dim(about),
        Lines(curves, "ratings", "correlation") if len(known) > 1 else None,
        section("Where you differ most from the pool", _differing(report)) if report.rated else None,
    )


def _differing(report: OneRaterReport) -> RenderableType:
    ordered = report.faces.with_columns(difference=pl.col("score") - pl.col("pool")).sort("difference", descending=True)
    shown = pl.concat([ordered.head(SHOWN), ordered.tail(SHOWN)]).select("image_id", "score", "pool", "rating")
    rows = ((image_id, *(number(value, 1) for value in values)) for image_id, *values in shown.iter_rows())
    return plain_table("face", "you", "the pool", "your rating", rows=rows)
