"""`python -m benchmarks.rating_intervals`: how often 95 % intervals of agreement and taste hold the truth.

Ratings are drawn with known variance components, and intervals are asked of each draw.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from rich.console import Console
from rich.table import Table

from reports.stats.bootstrap import Estimate
from reports.stats.raters.coefficients import icc_1, icc_2_and_3
from reports.stats.raters.ratings import Ratings
from reports.stats.raters.variance import variance_of
from reports.stats.raters.variance_components import Components
from tests.rating_tables import drawn

TRUTH = Components(0.5, 0.3, 0.4, 0.3)
SHAPES = ((30, 6), (100, 10), (60, 25), (60, 60))
"""Images, raters."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=500)
    draws = parser.parse_args().draws
    figures = ("ICC(1)", "ICC(2)", "ICC(3)", "b1", "b2", "image", "rater")
    table = Table("images", "raters", "blank", *figures, title=f"% of {draws:,} intervals that hold the truth")
    for shape in SHAPES:
        for blank in (0.0, 0.4):
            held = _held(np.random.default_rng(1), shape, blank, draws)
            table.add_row(*map(str, shape), f"{blank:.0%}", *(f"{100 * held[name] / draws:.1f}" for name in figures))
    Console(highlight=False, width=120).print(table)


def _held(random: np.random.Generator, shape: tuple[int, int], blank: float, draws: int) -> Counter[str]:
    image, rater, both, error = TRUTH.image, TRUTH.rater, TRUTH.both, TRUTH.error
    own = Components(image, 0, 0, rater + both + error)
    truth = {
        "ICC(1)": image / (image + rater + both + error),
        "ICC(2)": image / (image + rater + both + error),
        "ICC(3)": image / (image + both + error),
        "b1": both / (both + image),
        "b2": (both + rater) / (both + rater + image),
        "image": image,
        "rater": rater,
    }
    held: Counter[str] = Counter()
    for _ in range(draws):
        once = Ratings.final(drawn(random, shape, TRUTH, blank))
        found: dict[str, Estimate] = dict(zip(("ICC(2)", "ICC(3)"), icc_2_and_3(once), strict=True))
        # raters of one's own for each image: their levels are error
        found["ICC(1)"] = icc_1(Ratings.of(drawn(random, shape, own, blank)))
        variance = variance_of(drawn(random, shape, TRUTH, blank, again=0.3))
        found |= {"b1": variance.b1.most, "b2": variance.b2.most}
        found |= {name: variance.parts[name].variance for name in ("image", "rater")}
        held.update(name for name, estimate in found.items() if estimate.low <= truth[name] <= estimate.high)
    return held


if __name__ == "__main__":
    main()
