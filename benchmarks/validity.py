"""Error rates and power of the verdicts of `kallos validate`, on simulated raters: python -m benchmarks.validity

Every rater rates every photo, some are lenient. Predictions are calibrated, and their ranks correlate as stated with
what infinitely many raters would say.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import polars as pl

from reports.stats.rater_noise import rater_noise
from reports.stats.validity import photos_needed, validity

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
    said = pearson * opinion + np.sqrt(1 - pearson**2) * random.normal(size=n)
    lenience = random.normal(0, LENIENCE, raters)
    ratings = 3 + SD * opinion[:, None] + random.normal(0, noise, (n, raters)) + lenience
    long = pl.DataFrame(
        {
            "image_id": np.repeat(np.arange(n), raters).astype(str),
            "rater_id": np.tile(np.arange(raters), n).astype(str),
            "rating": ratings.ravel(),
        }
    )
    predicted = 3 + lenience.mean() + pearson * SD * said
    reach = 1.645 * np.sqrt((1 - pearson**2) * SD**2 + noise**2 / raters)
    columns = {"image_id": np.arange(n).astype(str), "score": ratings.mean(axis=1), "predicted": predicted}
    frame = pl.DataFrame(columns | {"low": predicted - reach, "high": predicted + reach})
    return frame.join(rater_noise(long), on="image_id", maintain_order="left")


def verdicts(studies: int, n: int, correlation: float, seed: int, noise: float = 0.9) -> Counter[str]:
    """How often each verdict is given."""
    random = np.random.default_rng(seed)
    return Counter(validity(sample(random, n, correlation, noise=noise)).verdict for _ in range(studies))


def main() -> None:
    """A line a design: the share of studies with each verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500)
    studies = parser.parse_args().studies
    print("| raters agree | true correlation | photos | use | recalibrate | undecided | do not use |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for noise, agree in NOISES.items():
        for correlation in (0.2, 0.5, 0.7, 0.85):
            for n in (30, 60, 120):
                given = verdicts(studies, n, correlation, seed=n, noise=noise)
                shares = (given[name] / studies for name in ("use", "recalibrate", "undecided", "do not use"))
                print(f"| {agree} | {correlation:g} | {n} | {' | '.join(f'{100 * s:.1f} %' for s in shares)} |")
    print("\n| true correlation | photos for 80 % power, reliability .9 | .7 | .4 |\n|--:|--:|--:|--:|")
    for correlation in (0.0, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9):
        needed = (photos_needed(correlation, reliability) for reliability in (0.9, 0.7, 0.4))
        print(f"| {correlation:g} | {' | '.join(f'{n:,}' if n else '–' for n in needed)} |")


if __name__ == "__main__":
    main()
