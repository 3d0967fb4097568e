"""A model of one person's eye: how it agrees with ratings that it has not seen, by the number of those it learnt from.

    python -m benchmarks.one_rater --store kallos.duckdb --protocol scut-5fold --fold 1

Each rater of the store is the person in turn, unknown to the prior, which is learnt from the others. What the person
rates are training rows, whose pool's scores are out of fold; what is held out are the person's ratings of the test
rows. Faces to rate come in random order (mean of the draws) or by largest gain, as `kallos rate` asks. With `--choose`
nobody looks at a test row: half of the training rows are held out instead; settings were chosen so.

The retest is the correlation of the first and the second answer of a rater who was asked again, over training and test
rows; a model that knew the rater's usual answer to each face would agree with single ratings as its square root.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer import fold_parser
from featurestore.records import Evaluation
from featurestore.store import Store
from kallos.workflows.pool_faces import PoolFaces
from models.one_rater import Faces, OneRater, Prior
from reports.pages.one_rater import Z90

SIZES = (0, 5, 10, 20, 50, 100, 200)
Array = NDArray[np.float64]


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument("--draws", type=int, default=5, help="random orders of the faces")
    parser.add_argument("--choose", action="store_true", help="hold out training rows instead of the test rows")
    arguments = parser.parse_args()
    with Store.open(arguments.store, read_only=True) as store:
        pool = PoolFaces.read(store, arguments.protocol, arguments.fold)
        retest = _retests(store, pool)
    learns, tested = pool.trained, ~pool.trained
    if arguments.choose:
        held_out = pool.trained & (np.random.default_rng(0).random(len(pool.trained)) < 0.5)
        learns, tested = pool.trained & ~held_out, held_out
    began = time.monotonic()
    found = {rater: _one(pool, place, learns, tested, arguments.draws) for place, rater in enumerate(pool.raters)}
    print(f"{pool.run_id}, {len(found)} raters, {tested.sum():,} photos held out, {arguments.draws} random orders")
    _print_sizes(found)
    _print_raters(found, retest)
    print(f"{time.monotonic() - began:.0f} s")


def _one(
    pool: PoolFaces, place: int, learns: NDArray[np.bool_], tested: NDArray[np.bool_], draws: int
) -> dict[str, Array]:
    """Figures of one rater by size: PC at random, PC by gain, coverage at random; and PC of the others' mean."""
    own, others = pool.ratings[place], np.delete(pool.ratings, place, axis=0)
    prior = Prior.learn(pool.faces.take(learns), others[:, learns])
    can_rate, held_out = (np.flatnonzero(rows & np.isfinite(own)) for rows in (learns, tested))
    shown, answers = pool.faces.take(can_rate), own[can_rate]
    unseen, truth = pool.faces.take(held_out), own[held_out]
    orders = [np.random.default_rng([place, draw]).permutation(len(can_rate)) for draw in range(draws)]
    at_random = np.array([_grown(prior, shown, answers, order, unseen, truth) for order in orders]).mean(axis=0)
    by_gain = _grown(prior, shown, answers, _by_gain(prior, shown, answers), unseen, truth)
    beside = Evaluation.from_scores(truth, np.nanmean(others[:, held_out], axis=0)).pearson
    return {"random": at_random[0], "gain": by_gain[0], "covered": at_random[1], "others": np.array([beside])}


def _grown(
    prior: Prior, shown: Faces, answers: Array, order: Sequence[int] | NDArray[np.int64], unseen: Faces, truth: Array
) -> tuple[list[float], list[float]]:
    """PC with the truth, and the share of it within 90 % intervals, by size."""
    agreement, covered = [], []
    for size in SIZES:
        rows = np.asarray(order[:size], dtype=np.int64)
        model = OneRater.fit(prior, shown.take(rows), answers[rows])
        score, sd = model.predict(unseen)
        agreement.append(Evaluation.from_scores(truth, score).pearson)
        covered.append(float((np.abs(truth - score) <= Z90 * np.hypot(sd, model.noise)).mean()))
    return agreement, covered


def _by_gain(prior: Prior, shown: Faces, answers: Array) -> list[int]:
    """The faces as `kallos rate` asks for them, one after the other."""
    order: list[int] = []
    while len(order) < max(SIZES):
        gains = OneRater.fit(prior, shown.take(np.array(order, dtype=np.int64)), answers[order]).gains(shown)
        gains[order] = -np.inf
        order.append(int(gains.argmax()))
    return order


def _retests(store: Store, pool: PoolFaces) -> dict[str, tuple[float, int]]:
    """rater -> correlation of both answers to faces that were shown twice, and how many these are."""
    rows = store.frame(
        "SELECT rater_id, corr(first_rating, rating), count(*) FROM ratings "
        "WHERE trait = $trait AND first_rating IS NOT NULL GROUP BY rater_id",
        trait=pool.trait,
    )
    return {rater: (r, n) for rater, r, n in rows.iter_rows()}


def _print_sizes(found: dict[str, dict[str, Array]]) -> None:
    random, gain, covered = (np.array([one[name] for one in found.values()]) for name in ("random", "gain", "covered"))
    print("\nratings   random order                       gained by   by gain   more than at random        covered")
    for i, size in enumerate(SIZES):
        more, better = random[:, i] - random[:, 0], gain[:, i] - random[:, i]
        print(
            f"{size:>7}   {random[:, i].mean():.3f}, {_with_interval(more)} {(more > 0).sum():>9}   "
            f"{gain[:, i].mean():.3f}     {_with_interval(better)}   {covered[:, i].mean():.3f}"
        )
    for size in SIZES[3:]:
        same = np.interp(random[:, SIZES.index(size)].mean(), gain.mean(axis=0), SIZES)
        print(f"as good as {size} at random: {same:.0f} by gain")


def _with_interval(values: Array) -> str:
    """The mean over raters and its 95 % interval."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.3f} [{values.mean() - half:+.3f}, {values.mean() + half:+.3f}]"


def _print_raters(found: dict[str, dict[str, Array]], retest: dict[str, tuple[float, int]]) -> None:
    print("\n| rater | " + " | ".join(f"{size}" for size in SIZES) + " | others' mean | retest (n) |")
    print("|---" * (len(SIZES) + 3) + "|")
    for rater, one in found.items():
        r, n = retest.get(rater, (np.nan, 0))
        figures = " | ".join(f"{value:.2f}" for value in (*one["random"], *one["others"]))
        print(f"| {rater} | {figures} | {r:.2f} ({n}) |")
    every = np.array([[*one["random"], *one["others"]] for one in found.values()]).mean(axis=0)
    known = np.array([retest[rater][0] for rater in found if rater in retest])
    mean = f"{np.nanmean(known):.2f}" if len(known) else "–"
    print("| mean | " + " | ".join(f"{value:.3f}" for value in every) + f" | {mean} |")


if __name__ == "__main__":
    main()
