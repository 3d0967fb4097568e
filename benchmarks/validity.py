"""Error rates and power of the verdicts of `kallos validate`, on simulated raters: python -m benchmarks.validity

Every rater rates every photo, some are lenient. Predictions are calibrated, and their ranks correlate as stated with
what infinitely many raters would say. With --store, samples are drawn of real test photos and of their real raters.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from featurestore.opening import open_store
from reports.stats.rater_noise import rater_noise
from reports.stats.validity import Validity, photos_needed, validity

VERDICTS = ("use", "recalibrate", "undecided", "do not use")
SD = 0.6
"""Of photos, on the scale of models."""

LENIENCE = 0.5
RATERS = 6
NOISES = {0.9: "well", 2.0: "badly"}
"""Standard deviation of a rating's noise -> how well six raters agree: reliabilities of .73 and .35."""


def sample(
    random: np.random.Generator, n: int, correlation: float, raters: int = RATERS, noise: float = 0.9
) -> pl.DataFrame:
    """A study of n photos as `validity` reads it."""
    pearson = 2 * np.sin(np.pi * correlation / 6)
    opinion = random.normal(size=n)
    model_opinion = pearson * opinion + np.sqrt(1 - pearson**2) * random.normal(size=n)
    lenience = random.normal(0, LENIENCE, raters)
    ratings = 3 + SD * opinion[:, None] + random.normal(0, noise, (n, raters)) + lenience
    long = pl.DataFrame(
        {
            "image_id": np.repeat(np.arange(n), raters).astype(str),
            "rater_id": np.tile(np.arange(raters), n).astype(str),
            "rating": ratings.ravel(),
        }
    )
    predicted = 3 + lenience.mean() + pearson * SD * model_opinion
    reach = 1.645 * np.sqrt((1 - pearson**2) * SD**2 + noise**2 / raters)
    columns = {"image_id": np.arange(n).astype(str), "score": ratings.mean(axis=1), "predicted": predicted}
    frame = pl.DataFrame(columns | {"low": predicted - reach, "high": predicted + reach})
    return frame.join(rater_noise(long), on="image_id", maintain_order="left")


def verdicts(studies: int, n: int, correlation: float, seed: int, noise: float = 0.9) -> Counter[str]:
    """How often each verdict is given."""
    random = np.random.default_rng(seed)
    return Counter(validity(sample(random, n, correlation, noise=noise)).verdict for _ in range(studies))


def validities(predictions: pl.DataFrame, ratings: pl.DataFrame, studies: int, n: int, raters: int) -> list[Validity]:
    """Of studies of n photos and some of their raters; `predictions` has image_id, predicted, low and high on 1-5."""
    random, found = np.random.default_rng(n), []
    names = ratings["rater_id"].unique().sort().to_numpy()
    photos = predictions.join(ratings.select("image_id").unique(), on="image_id").sort("image_id")
    for _ in range(studies):
        chosen = photos[np.sort(random.choice(len(photos), n, replace=False))]
        study_ratings = ratings.filter(pl.col("rater_id").is_in(random.choice(names, raters, replace=False)))
        study_ratings = study_ratings.join(chosen.select("image_id"), on="image_id")
        scores = study_ratings.group_by("image_id").agg(score=pl.col("rating").mean())
        found.append(validity(chosen.join(scores, on="image_id").join(rater_noise(study_ratings), on="image_id")))
    return found


def on_real_raters(store: Path, studies: int) -> None:
    """A line a design, on the test photos of fold 1 of SCUT-FBP5500 that have single ratings."""
    with open_store(store, read_only=True) as opened:
        run = opened.frame(
            "SELECT max_by(run_id, started_at) AS run_id FROM runs "
            "WHERE model = 'ensemble' AND protocol = 'scut-5fold' AND fold = 1 AND status = 'done'"
        ).item()
        predictions = opened.frame(
            "SELECT image_id, score AS predicted, low, high FROM predictions WHERE run_id = $run AND role = 'test'",
            run=run,
        )
        ratings = opened.frame("SELECT image_id, rater_id, rating FROM ratings")
    lines(predictions, ratings, studies)


def lines(predictions: pl.DataFrame, ratings: pl.DataFrame, studies: int) -> None:
    """Verdicts by photos and raters, the mean correlations, and that with all raters."""
    scores = ratings.group_by("image_id").agg(score=pl.col("rating").mean())
    every = predictions.join(scores, on="image_id").join(rater_noise(ratings), on="image_id")
    whole = validity(every)
    print(f"all {whole.n:,} photos and raters: {whole.spearman.value:.3f}, corrected {whole.corrected.value:.3f}\n")
    print("| photos | raters | Spearman | reliability | corrected | use | recalibrate | undecided | do not use |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for n in (30, 60, 120):
        for raters in (3, 10):
            found = validities(predictions, ratings, studies, n, raters)
            means = (
                np.mean([each.spearman.value for each in found]),
                np.mean([each.reliability.value for each in found if each.reliability]),
                np.mean([each.corrected.value for each in found]),
            )
            counts = Counter(each.verdict for each in found)
            shares = (f"{100 * counts[name] / studies:.0f} %" for name in VERDICTS)
            print(f"| {n} | {raters} | {' | '.join(f'{mean:.2f}' for mean in means)} | {' | '.join(shares)} |")


def main() -> None:
    """A line a design: the share of studies with each verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    studies = options.studies
    if options.store:
        on_real_raters(options.store, studies)
        return
    print("| raters agree | true correlation | photos | use | recalibrate | undecided | do not use |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for noise, agree in NOISES.items():
        for correlation in (0.2, 0.5, 0.7, 0.85):
            for n in (30, 60, 120):
                counts = verdicts(studies, n, correlation, seed=n, noise=noise)
                shares = (counts[name] / studies for name in VERDICTS)
                print(f"| {agree} | {correlation:g} | {n} | {' | '.join(f'{100 * s:.1f} %' for s in shares)} |")
    print("\n| true correlation | photos for 80 % power, reliability .9 | .7 | .4 |\n|--:|--:|--:|--:|")
    for correlation in (0.0, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9):
        needed = (photos_needed(correlation, reliability) for reliability in (0.9, 0.7, 0.4))
        print(f"| {correlation:g} | {' | '.join(f'{n:,}' if n else '–' for n in needed)} |")


if __name__ == "__main__":
    main()
