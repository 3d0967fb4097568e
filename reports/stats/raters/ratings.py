"""Ratings as a table of images by raters, whose cells may be blank or hold several answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl

from featurestore.errors import UsageError
from reports.stats.bootstrap import Names, Reals

PAIR = ["image_id", "rater_id"]
COLUMNS: Mapping[str, type[pl.DataType]] = {
    **dict.fromkeys(PAIR, pl.String),
    **dict.fromkeys(("rating", "first_rating"), pl.Float64),
    "session": pl.String,
}
MOST_CELLS = 20_000_000
"""Images times raters: 160 MB an array, of which a fit holds some ten."""

ROUNDING = 1e-28
"""Part of the squares that rounding leaves of a difference of nothing."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Answers of r raters on m images.

    images   (m,) their names, in alphabetical order
    raters   (r,) theirs
    counts   (m, r) answers that a rater gave to an image; 0 where a cell is blank
    means    (m, r) of a cell's answers; 0 where it is blank
    squares  (m, r) sum of the squared deviations of a cell's answers from their mean
    """

    images: Names
    raters: Names
    counts: Reals
    means: Reals
    squares: Reals

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """Of a frame that `checked` takes; `first_rating` and every session are answers of their own.

        Raises UsageError as `checked` does, and for fewer than two raters, two images or three answers.
        """
        rows = checked(frame)
        long = pl.concat([rows.select(*PAIR, "rating"), rows.select(*PAIR, rating="first_rating").drop_nulls()])
        # sorted, because a mean depends on the order of its terms and that of the rows must not matter
        cells = (
            long.sort(*PAIR, "rating")
            .group_by(PAIR, maintain_order=True)
            .agg(count=pl.len(), mean=pl.col("rating").mean(), variance=pl.col("rating").var(0))
        )
        images, raters = (np.unique(cells[name].to_numpy().astype(np.str_)) for name in PAIR)
        if len(images) < 2 or len(raters) < 2 or len(long) < 3:
            raise UsageError(
                f"Agreement needs two raters and two images at least: these are {len(long)} of {len(images)} images by "
                f"{len(raters)} raters."
            )
        if len(images) * len(raters) > MOST_CELLS:
            raise UsageError(
                f"{len(images):,} images by {len(raters):,} raters are more than {MOST_CELLS:,} cells: take a part of "
                "the images or of the raters."
            )
        places = tuple(cells[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in PAIR)
        counts, means, squares = (np.zeros((len(images), len(raters))) for _ in range(3))
        counts[places] = cells["count"]
        means[places] = cells["mean"]
        squares[places] = cells["variance"] * cells["count"]
        return cls(images, raters, counts, means, squares)

    @classmethod
    def final(cls, frame: pl.DataFrame) -> Self:
        """Each rater once an image, as a score has them: the mean over sessions, without first answers.

        Raises UsageError as `of` does.
        """
        return cls.of(frame.drop("first_rating", strict=False)).once()

    @classmethod
    def of_images(cls, counts: Reals, means: Reals, squares: Reals) -> Self:
        """(m, 1): of each image the number of answers, their mean and their sum of squares; raters are not known."""
        columns = (values[:, np.newaxis] for values in (counts, means, squares))
        return cls(np.array([f"{i}" for i in range(len(counts))]), np.array(["all"]), *columns)

    @property
    def known(self) -> Reals:
        """(m, r) 1 where there is an answer, else 0."""
        return (self.counts > 0).astype(np.float64)

    @property
    def total(self) -> int:
        """Answers in all."""
        return int(self.counts.sum())

    @property
    def repeats(self) -> int:
        """Answers beyond the first of a cell."""
        return self.total - int(self.known.sum())

    @property
    def complete(self) -> bool:
        """Whether all cells have the same number of answers: then mean squares are independent (a balanced design)."""
        return bool((self.counts == self.counts[0, 0]).all())

    @property
    def unanimous(self) -> bool:
        """Whether all answers to an image are the same, but for rounding."""
        return bool(self.without_raters().squares.sum() <= ROUNDING * (self.counts * self.means**2).sum())

    @property
    def centre(self) -> float:
        """Mean of all answers."""
        return float((self.counts * self.means).sum() / self.total)

    def once(self) -> Self:
        """Each cell's answers as one, their mean."""
        return replace(self, counts=self.known, squares=np.zeros_like(self.squares))

    def turned(self) -> Self:
        """Images as raters and raters as images."""
        columns = map(np.ascontiguousarray, (self.counts.T, self.means.T, self.squares.T))
        return type(self)(self.raters, self.images, *columns)

    def without_raters(self) -> Self:
        """(m, 1): each image's answers as repeats of one another, whoever gave them."""
        counts = self.counts.sum(axis=1)
        means = (self.counts * self.means).sum(axis=1) / counts
        between = self.counts * (self.means - means[:, np.newaxis]) ** 2
        return self.of_images(counts, means, (self.squares + between).sum(axis=1))


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with a rating, as image_id, rater_id, rating, first_rating and session, null where the frame lacks one.

    Raises UsageError where a column is missing, or a rating has no finite number, no image or no rater.
    """
    if missing := ", ".join(name for name in (*PAIR, "rating") if name not in frame.columns):
        raise UsageError(f"The frame has no column {missing}: it needs image_id, rater_id and rating.")
    for name in (name for name in ("rating", "first_rating") if name in frame.columns):
        if not (frame[name].dtype.is_numeric() or frame[name].dtype == pl.Null):
            raise UsageError(f"The column {name} holds more than numbers: leave blanks empty.")
        if not frame[name].cast(pl.Float64).drop_nulls().is_finite().all():
            raise UsageError(f"The column {name} holds a number that is not finite: leave blanks empty.")
    long = frame.drop_nulls("rating")
    if long["image_id"].null_count() or long["rater_id"].null_count():
        raise UsageError("A rating has no image_id or no rater_id: name both, or drop its row.")
    absent = [name for name in COLUMNS if name not in frame.columns]
    return long.with_columns(pl.lit(None).alias(name) for name in absent).select(list(COLUMNS)).cast(pl.Schema(COLUMNS))


def is_enough(frame: pl.DataFrame) -> bool:
    """Whether there are two raters, two images and three ratings: what `Ratings.of` asks for."""
    return frame["image_id"].n_unique() > 1 and frame["rater_id"].n_unique() > 1 and len(frame) > 2


def by_group(frame: pl.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, object], pl.DataFrame]]:
    """Each group's values of the columns `by`, and its rows, in order; the whole frame where there are none.

    Raises UsageError where a column is missing.
    """
    if missing := ", ".join(name for name in by if name not in frame.columns):
        raise UsageError(f"The frame has no column {missing} to group by: it has {', '.join(frame.columns)}.")
    groups = frame.sort(*by, maintain_order=True).group_by(*by, maintain_order=True) if by else [((), frame)]
    for values, part in groups:
        yield dict(zip(by, values, strict=True)), part
