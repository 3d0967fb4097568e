"""The shapes of faces: components, averageness, asymmetry, sexual dimorphism, each beside the scores of the faces."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.averageness import AVERAGENESS
from featurestore.errors import PrerequisiteError
from featurestore.group_differences import FEWEST, PERMUTATIONS, SEED
from reports.render.json import NOT_IN_JSON
from reports.stats.bootstrap import Estimate, Names, Reals, by_person, correlations, means, resamples
from reports.stats.shapes.faces import landmarks_of
from reports.stats.shapes.procrustes import asymmetries
from reports.stats.shapes.regression import (
    Change,
    Prediction,
    around,
    explained_shape,
    length,
    predicted_score,
)
from reports.stats.shapes.space import SEXES, SHOWN, ShapeSpace, upright

OPTIONAL = {"person": pl.col("image_id"), "score": pl.lit(None), "sex": pl.lit(None)}
"""Column of faces -> what stands for it where it is missing."""


@dataclass(frozen=True)
class Component:
    """A principal component of shape: its share of this sample's variance, and its correlation with the score."""

    share: Estimate
    correlation: Estimate | None


@dataclass(frozen=True)
class Asymmetry:
    """Bilateral asymmetry, of landmarks that each face has on both sides.

    size                      mean Procrustes distance of a face from its mirror image
    fluctuating               the same less the mean difference: what is left of each face's own
    directional               length of the mean difference of faces from their mirror images, without bias
    directional_p             of a permutation test in which faces are mirrored at random
    of_faces, of_sides, own   shares of the Procrustes sum of squares: differences between faces made symmetric,
                              directional and fluctuating asymmetry; they add up to 1
    """

    size: Estimate
    fluctuating: Estimate
    directional: Estimate
    directional_p: float
    of_faces: float
    of_sides: float
    own: float


@dataclass(frozen=True)
class Dimorphism:
    """The vector from the mean of women to that of men.

    women, men  people
    distance    its length without bias, a Procrustes distance
    change      how much of the variance of shapes sex explains
    """

    women: int
    men: int
    distance: Estimate
    change: Change


@dataclass(frozen=True)
class ShapeAnalysis:
    """What `shape_analysis` finds. Scores of two traits are never pooled, so there is at most one a face.

    dimensions   components that hold all but a hundred-thousandth of the variance; `components` has the first of them
    averageness  mean distance of faces from the mean face
    change       of shape with the score, None without scores
    predictions  what -> how well it tells the score
    faces        a row a face: image_id, averageness, asymmetry, fluctuating_asymmetry, masculinity, pc1 to pc10
    space        the shapes themselves
    measured     the faces as they came
    """

    images: int
    people: int
    landmarks: int
    dimensions: int
    components: tuple[Component, ...]
    averageness: Estimate
    asymmetry: Asymmetry
    dimorphism: Dimorphism | None
    change: Change | None
    predictions: Mapping[str, Prediction]
    faces: pl.DataFrame = field(repr=False, metadata=NOT_IN_JSON)
    measured: pl.DataFrame = field(repr=False, metadata=NOT_IN_JSON)
    space: ShapeSpace = field(repr=False, metadata=NOT_IN_JSON)
    trait: str | None = None


def shape_analysis(faces: pl.DataFrame) -> ShapeAnalysis:
    """Shapes of faces: a row a face, with `image_id` and lists `x` and `y` of its landmarks, y down, in any unit.

    Optional columns: `score` (one a face, null where there is none), `sex` (female, male or null), and `person`, the
    same for photos of one person, who count as one. Generalised Procrustes analysis without sliding semilandmarks;
    intervals are of 1,000 resamples of the people, around the mean face and the components of this sample.
    Raises UsageError for other landmarks, PrerequisiteError for fewer than 20 people.
    """
    given = faces.with_columns(**{name: column for name, column in OPTIONAL.items() if name not in faces.columns})
    people = given["person"].to_numpy().astype(np.str_)
    if len(np.unique(people)) < FEWEST:
        raise PrerequisiteError(
            f"Shapes of fewer than {FEWEST} people say little of others: add photos, `kallos ingest --help` shows how."
        )
    score = given["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    sex = given["sex"].cast(pl.String).to_list()
    space, counts = ShapeSpace.of(landmarks_of(faces)), resamples(people)
    has_score = np.isfinite(score)
    if len(np.unique(people[has_score])) < FEWEST or np.ptp(score[has_score]) == 0:
        has_score[:] = False
    asymmetry, own_asymmetry = _asymmetry(space, people, counts)
    columns = {AVERAGENESS: space.aligned.distances, **own_asymmetry}
    sexes = np.array([each or "" for each in sex])
    dimorphism = _dimorphism(space, sexes, people)
    if dimorphism:
        # places on the line from the mean woman, 0, to the mean man, 1
        women, men = (space.scores[sexes == each].mean(axis=0) for each in SEXES)
        columns["masculinity"] = (space.scores - women) @ (men - women) / ((men - women) ** 2).sum()
    change = None
    if has_score.any():
        shapes, scores = (by_person(values[has_score], people[has_score]) for values in (space.scores, score))
        change = explained_shape(shapes, scores, space.variance)
    table = {"image_id": faces["image_id"], "score": pl.Series(score).fill_nan(None), "sex": pl.Series(sex)}
    components = {f"pc{i + 1}": column for i, column in enumerate(space.scores.T[:SHOWN])}
    return ShapeAnalysis(
        len(faces),
        len(np.unique(people)),
        len(space.aligned.mean),
        space.scores.shape[1],
        _components(space, score, has_score, counts),
        Estimate.from_resamples(columns[AVERAGENESS].mean(), means(counts, columns[AVERAGENESS])),
        asymmetry,
        dimorphism,
        change,
        _predictions(space, columns, sexes, score, has_score, people),
        pl.DataFrame({**table, **columns, **components}),
        faces,
        space,
    )


def _components(space: ShapeSpace, score: Reals, has_score: NDArray[np.bool_], counts: Reals) -> tuple[Component, ...]:
    """The first ones. Resamples have components of their own, within the plane of twice as many of this sample's."""
    few = space.scores[:, : 2 * SHOWN]
    products = (few[:, :, None] * few[:, None]).reshape(len(few), -1)
    drawn = counts.sum(axis=1, keepdims=True)
    mean, all_means = counts @ few / drawn, counts @ space.scores / drawn
    spread = (counts @ products / drawn).reshape(-1, few.shape[1], few.shape[1]) - mean[:, :, None] * mean[:, None]
    left_out = max(space.variance - float(space.sds @ space.sds), 0.0)
    whole = means(counts, (space.scores**2).sum(axis=1)) - (all_means**2).sum(axis=1) + left_out
    shares = np.linalg.eigvalsh(spread)[:, ::-1] / whole[:, None]
    found = []
    for number, sd in enumerate(space.sds[:SHOWN]):
        r = None
        if has_score.any():
            own, given = space.scores[has_score, number], score[has_score]
            resampled = correlations(counts[:, has_score], given, own)
            r = Estimate.from_resamples(np.corrcoef(own, given)[0, 1], resampled)
        found.append(Component(around(float(sd**2 / space.variance), shares[:, number]), r))
    return tuple(found)


def _asymmetry(space: ShapeSpace, people: Names, counts: Reals) -> tuple[Asymmetry, dict[str, Reals]]:
    """For all, and of each face."""
    differences, symmetric = asymmetries(space.aligned.shapes, upright(space.topology), space.mirror)
    mean = differences.mean(axis=0)
    own = np.linalg.norm(differences - mean, axis=1)
    size = np.linalg.norm(differences, axis=1)
    # of a face and its mirror image, each of which lies half of the difference from the symmetric shape
    between = symmetric - symmetric.mean(axis=0)
    squares = np.array([2 * (between**2).sum(), len(own) * (mean**2).sum() / 2, (own**2).sum() / 2])
    of_people = by_person(differences, people)
    flips = np.random.default_rng(SEED).choice((-1.0, 1.0), (PERMUTATIONS, len(of_people)))
    observed = np.linalg.norm(of_people.mean(axis=0))
    reached = (np.linalg.norm(flips @ of_people / len(of_people), axis=1) >= observed * (1 - 1e-12)).sum()
    drawn = counts @ differences / counts.sum(axis=1, keepdims=True)
    square = (mean**2).sum() - _noise(of_people)
    found = Asymmetry(
        Estimate.from_resamples(size.mean(), means(counts, size)),
        Estimate.from_resamples(own.mean(), means(counts, own)),
        length(square, (drawn**2).sum(axis=1)),
        float((1 + reached) / (1 + PERMUTATIONS)),
        *(squares / squares.sum()).tolist(),
    )
    return found, {"asymmetry": size, "fluctuating_asymmetry": own}


def _dimorphism(space: ShapeSpace, sexes: Names, people: Names) -> Dimorphism | None:
    """None where either sex has too few people."""
    known = np.isin(sexes, SEXES)
    shapes = by_person(space.scores[known], people[known])
    is_man = by_person((sexes[known] == "male").astype(np.float64), people[known]) > 0.5
    if min(is_man.sum(), (~is_man).sum()) < FEWEST:
        return None
    # women and men are drawn apart: a resample has as many of each
    women, men = (
        resamples(np.arange(len(some)).astype(np.str_), stream) @ some / len(some)
        for stream, some in enumerate((shapes[~is_man], shapes[is_man]))
    )
    vector = shapes[is_man].mean(axis=0) - shapes[~is_man].mean(axis=0)
    square = (vector**2).sum() - _noise(shapes[is_man]) - _noise(shapes[~is_man])
    distance = length(square, ((men - women) ** 2).sum(axis=1))
    change = explained_shape(shapes, is_man.astype(np.float64), space.variance)
    return Dimorphism(int((~is_man).sum()), int(is_man.sum()), distance, change)


def _noise(vectors: Reals) -> float:
    """What chance adds to the squared length of the mean of (n, ...) vectors."""
    return float(vectors.var(axis=0, ddof=1).sum() / len(vectors))


def _predictions(
    space: ShapeSpace,
    columns: Mapping[str, Reals],
    sexes: Names,
    score: Reals,
    has_score: NDArray[np.bool_],
    people: Names,
) -> dict[str, Prediction]:
    """What -> how well it tells the score. Masculinity is asked within each sex: between them it is sex itself."""
    tried = {"whole shape": (space.scores, has_score)}
    for name in (AVERAGENESS, "asymmetry", "fluctuating_asymmetry"):
        tried[name.replace("_", " ")] = columns[name][:, None], has_score
    if "masculinity" in columns:
        for sex, people_of_sex in zip(SEXES, ("women", "men"), strict=True):
            tried[f"masculinity of {people_of_sex}"] = columns["masculinity"][:, None], has_score & (sexes == sex)
    found = {}
    for name, (predictors, rows) in tried.items():
        given = by_person(score[rows], people[rows])
        if len(given) >= FEWEST and np.ptp(given) > 0:
            found[name] = predicted_score(by_person(predictors[rows], people[rows]), given)
    return found
