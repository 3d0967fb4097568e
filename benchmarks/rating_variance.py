"""`python -m benchmarks.rating_variance`: variance components beside lme4's, on the same ratings, one after the other.

Without a file, ratings of 5,500 images by 60 raters are drawn: complete, with 40 % blanks, and a tenth given twice.
With `--ratings FILE`, a csv of SCUT-FBP5500's columns, it is these: the final ratings, then first ones as well. Rscript
with lme4 has to be installed. Seconds are of one processor core, from a frame in memory to variances.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from reports.stats.raters.ratings import Ratings
from reports.stats.raters.variance_components import reml

IMAGES, RATERS = 5500, 60
SCUT = {"Filename": "image_id", "Rater": "rater_id", "Rating": "rating", "original Rating": "first_rating"}
LME4 = """
suppressPackageStartupMessages(library(lme4))
answers <- read.csv(commandArgs(trailingOnly = TRUE)[1], stringsAsFactors = TRUE)
parts <- if (anyDuplicated(answers[c("image_id", "rater_id")]))
  rating ~ 1 + (1 | image_id) + (1 | rater_id) + (1 | image_id:rater_id) else
  rating ~ 1 + (1 | image_id) + (1 | rater_id)
seconds <- sum(system.time(model <- lmer(parts, answers))[c("user.self", "sys.self")])
of <- as.data.frame(VarCorr(model))
of <- setNames(of$vcov, of$grp)
cat(seconds, of["image_id"], of["rater_id"], of["image_id:rater_id"], of["Residual"])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ratings", type=Path, help="csv with Rater, Filename, Rating, original Rating")
    arguments = parser.parse_args()
    row = "{:16}{:8}{:>9}{:>10}{:>10}{:>16}{:>20}".format
    print(row("ratings", "by", "seconds", "image", "rater", "image x rater", "error or residual"))
    for name, frame in (_scut(arguments.ratings) if arguments.ratings else _drawn()).items():
        for by, fitted in (("kallos", _ours), ("lme4", _by_lme4)):
            seconds, *parts = fitted(frame)
            cells = ("–" if np.isnan(part) else f"{part:.5f}" for part in parts)
            print(row(name, by, f"{seconds:.2f}", *cells), flush=True)


def _scut(file: Path) -> Mapping[str, pl.DataFrame]:
    ratings = pl.read_csv(file).select(pl.col(old).alias(new) for old, new in SCUT.items())
    return {"final": ratings.drop("first_rating"), "final and first": ratings}


def _drawn() -> Mapping[str, pl.DataFrame]:
    random, shape = np.random.default_rng(0), (IMAGES, RATERS)
    face, rater, taste = random.normal(3, 0.6, (IMAGES, 1)), random.normal(0, 0.4, RATERS), random.normal(0, 0.4, shape)
    one, two = (np.rint(face + rater + taste + random.normal(0, 0.4, shape)).clip(1, 5) for _ in range(2))
    image, by = (places.ravel().astype(str) for places in np.indices(shape))
    complete = pl.DataFrame({"image_id": image, "rater_id": by, "rating": one.ravel()})
    again = pl.Series(np.where(random.random(shape) < 0.1, two, np.nan).ravel()).fill_nan(None)
    return {
        "complete": complete,
        "40 % blank": complete.filter(pl.Series(random.random(len(complete)) > 0.4)),
        "a tenth twice": complete.with_columns(first_rating=again),
    }


def _ours(frame: pl.DataFrame) -> list[float]:
    began = time.process_time()
    ratings = Ratings.of(frame)
    found = reml(ratings)
    seconds = time.process_time() - began
    parts = (found.both, found.error) if ratings.repeats else (np.nan, found.residual)
    return [seconds, found.image, found.rater, *parts]


def _by_lme4(frame: pl.DataFrame) -> list[float]:
    first = [frame.select("image_id", "rater_id", rating="first_rating")] if "first_rating" in frame.columns else []
    answers = pl.concat([frame.select("image_id", "rater_id", "rating"), *first]).drop_nulls()
    with TemporaryDirectory() as folder:
        script, file = Path(folder) / "fit.R", Path(folder) / "answers.csv"
        script.write_text(LME4)
        answers.write_csv(file)
        run = subprocess.run(["Rscript", "--vanilla", script, file], check=True, capture_output=True, text=True)
    return [float("nan") if word == "NA" else float(word) for word in run.stdout.split()]


if __name__ == "__main__":
    main()
