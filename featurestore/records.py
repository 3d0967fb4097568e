"""The records that rooms hand to each other, so that neighbours on one floor need not know each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.regions import sub_score_of
from featurestore.scale import MODEL_SCALE, Scale


@dataclass(frozen=True, eq=False)
class FaceBatch:
    """n faces as models see them; whether they came from DuckDB or from one photo is not known here.

    image_ids          n ids
    feature_names      F names, the columns of `features`
    feature_regions    F regions out of `FEATURE_REGIONS`, aligned with `feature_names`
    features           (n, F) float64, z-scored with the training rows' statistics; NaN where not measurable
    shapes             (n, 2M) float32, Procrustes-aligned landmarks of the mesh: M x then M y, unit size
    embeddings         (n, E) float32 of the whole face from the CNN encoder; E may be 0
    region_embeddings  region -> (n, P) float32 from the encoder's maps in that region alone; may be empty
    networks           channels of each of the encoder's networks; matters to fits alone, may be empty where it has one
    faces              (n, S, S, 3) uint8 RGB, eyes levelled, cropped by the face; None where no model needs it
    scores             (n,) float64 on `MODEL_SCALE`; NaN where unknown
    histograms         (n, H) float64, shares of the raters who gave each of `RATINGS`; NaN where unknown
    """

    image_ids: tuple[str, ...]
    feature_names: tuple[str, ...]
    feature_regions: tuple[str, ...]
    features: NDArray[np.float64]
    shapes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    region_embeddings: Mapping[str, NDArray[np.float32]]
    faces: NDArray[np.uint8] | None
    scores: NDArray[np.float64]
    histograms: NDArray[np.float64]
    networks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FaceBatch:
        """The given rows, as indices or as a mask, in that order."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            image_ids=tuple(self.image_ids[i] for i in index),
            features=self.features[index],
            shapes=self.shapes[index],
            embeddings=self.embeddings[index],
            region_embeddings={region: values[index] for region, values in self.region_embeddings.items()},
            faces=None if self.faces is None else self.faces[index],
            scores=self.scores[index],
            histograms=self.histograms[index],
        )

    def windows_of(self, region: str) -> list[NDArray[np.float32]]:
        """What each of the encoder's networks shows of a region, (n, P) each."""
        values = self.region_embeddings[region]
        ends = np.cumsum(self.networks)[:-1] * values.shape[1] // max(sum(self.networks), 1)
        return np.split(values, ends, axis=1)

    def columns_of(self, region: str) -> NDArray[np.int64]:
        """Indices of the columns of `features` that the sub-score of a region sees."""
        return np.array([i for i, r in enumerate(self.feature_regions) if sub_score_of(r) == region], dtype=np.int64)


@dataclass(frozen=True)
class Evaluation:
    """How predictions of n scores agree with the raters' mean."""

    n: int
    mae: float
    rmse: float
    pearson: float
    spearman: float

    @classmethod
    def from_scores(cls, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Evaluation:
        """Compare two (n,) arrays. A constant side has no correlation: NaN, not an error."""
        error = predicted - truth
        return cls(
            n=len(truth),
            mae=float(np.abs(error).mean()),
            rmse=float(np.sqrt((error**2).mean())),
            pearson=_correlation(truth, predicted),
            spearman=_correlation(*(pl.Series(scores).rank().to_numpy() for scores in (truth, predicted))),
        )


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 1e-12 else float("nan")


@dataclass(frozen=True)
class Epoch:
    """One line of a training history; the metrics are on the fold's val rows, or on training rows held out from it."""

    epoch: int
    epochs: int
    train_loss: float
    mae: float
    rmse: float
    pearson: float
    seconds: float

    @classmethod
    def from_scores(
        cls,
        epoch: int,
        epochs: int,
        loss: float,
        truth: NDArray[np.float64],
        predicted: NDArray[np.float64],
        *,
        began: float,
    ) -> Epoch:
        """An epoch that began at that time of `time.monotonic`, and predicts the (n,) held-out scores so now."""
        metrics = Evaluation.from_scores(truth, MODEL_SCALE.clip(predicted))
        return cls(epoch, epochs, loss, metrics.mae, metrics.rmse, metrics.pearson, time.monotonic() - began)


@dataclass(frozen=True)
class Comparison:
    """A model beside a simpler one, on n photos of the model that both predict.

    beside       "mean", which always predicts the mean score of the training photos, or "ridge", the linear floor
    mae          mean absolute error of the model, in points of `MODEL_SCALE`
    mae_beside   that of the simpler one
    low, high    ends of the 95 % interval of mae - mae_beside, from paired resamples of the photos
    out_of_fold  whether the photos are its training photos, predicted out of fold: there are too few test photos
    """

    beside: str
    n: int
    mae: float
    mae_beside: float
    low: float
    high: float
    out_of_fold: bool = False

    @property
    def better(self) -> bool:
        """Whether the model is better beyond chance; few photos show little."""
        return self.high < 0


@dataclass(frozen=True)
class Origin:
    """The model that a score comes from, and what it was trained on.

    model        id of its run
    trait        what the raters were asked about
    scale        that of the scores; None where an earlier kallos trained on several scales
    comparisons  how it does on its own photos beside simpler ones
    scored_for   the data set whose raters' scores are given, where there are several
    """

    model: str
    data_sets: tuple[str, ...]
    trait: str
    scale: Scale | None
    protocol: str
    fold: int
    comparisons: tuple[Comparison, ...]
    scored_for: str | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """The score of one photo, and what it is made up of.

    It estimates how the pool of raters behind the training data would rate the photograph, not a person's
    worth. Sub-scores have no labels of their own: they are attributions of Model B.

    photo       its path; `The photo` when what was given was no file
    score       combined score on `MODEL_SCALE`
    low, high   ends of its 90 % prediction interval; None where the training photos were too few for one
    members     each model's own score
    combined_by member of the combiner -> its weight; empty where the scores are those of another data set than the
                models combine: the parts do not add up there
    correction  the combiner's, 0 there too
    bias        taken off for a group with a calibration of its own
    sub_scores  region -> sub-score on `MODEL_SCALE`
    weights     region -> weight of that sub-score in Model B; they sum to one
    features    name -> raw value of each feature, in the unit of the catalogue
    landmarks   (P, 3) float32: x, y, z in pixels of the upright photo
    notes       remarks such as "3 faces, the largest was taken: the 2nd from the left"
    versions    what computed it: extractors, models, bundle
    origin      the model, and what it was trained on
    in_training whether the model was trained on a photo with the very same bytes
    """

    photo: Path
    score: float
    low: float | None
    high: float | None
    members: Mapping[str, float]
    combined_by: Mapping[str, float]
    correction: float
    bias: float
    sub_scores: Mapping[str, float]
    weights: Mapping[str, float]
    features: Mapping[str, float]
    landmarks: NDArray[np.float32]
    notes: tuple[str, ...]
    versions: Mapping[str, str]
    origin: Origin
    in_training: bool


@dataclass(frozen=True)
class Sight:
    """A face in a video.

    frame    the frame's number from 0
    seconds  its time
    face     number of the face, from 1, which it keeps from frame to frame; None where none was found
    """

    frame: int
    seconds: float
    face: int | None


@dataclass(frozen=True)
class RegionParts:
    """What a region adds to B's score: average + the sum of `features` + windows = contribution.

    contribution  sub-score times weight
    average       the same of a face whose inputs are all the training mean
    features      feature -> how far it moves the contribution away from that
    windows       how far all that the encoder shows of the region does
    """

    contribution: float
    average: float
    features: Mapping[str, float]
    windows: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a photo got its score.

    The members of the prediction, weighted by `combined_by`, + correction - bias, clipped to the scale, is the score;
    the contributions of the regions add up to the score of `regions_of`, and `features` to that of `features_of` before
    it is clipped to it.

    regions_of   the model that gives sub-scores
    regions      region -> its parts of that model's score
    features_of  the model that attributes its score to features; None where there is none
    features     feature -> what it adds to that model's score, `shape` and `average` among them
    z            feature -> standard deviations above the training mean; NaN where not measured
    """

    prediction: Prediction
    regions_of: str
    regions: Mapping[str, RegionParts]
    features_of: str | None
    features: Mapping[str, float]
    z: Mapping[str, float]
