"""A model of one person's eye: how it agrees with ratings that it has not seen, by the number of those it learnt from.

    python -m benchmarks.one_rater --store kallos.duckdb --protocol scut-5fold --fold 1

Each rater of the store is the person in turn, unknown to the prior, which is learnt from the others. What the person
rates are training rows, whose pool's scores are out of fold; what is held out are the person's ratings of the test
rows. Faces to rate come in random order (mean of the draws) or by largest gain, as `kallos rate` asks. `--choose`
compares settings and looks at no test row: half of the training rows are held out, and every third rater is the person.

The retest is the correlation of the first and the second answer of a rater who was asked again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer import fold_parser
from featurestore.opening import open_store
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
    with open_store(arguments.store, read_only=True) as store:
        pool = PoolFaces.read(store, arguments.protocol, arguments.fold)
        retest = _retests(store, pool)
    began = time.monotonic()
    if arguments.choose:
        _choose(pool, arguments.draws)
    else:
        rows = Rows(pool.trained, ~pool.trained)
        found = {rater: _one(pool, place, rows, arguments.draws) for place, rater in enumerate(pool.raters)}
        print(f"{pool.run_id}, {len(found)} raters, {rows.tested.sum():,} photos held out, {arguments.draws} orders")
        _print_sizes(found)
        _print_raters(found, retest)
    print(f"{time.monotonic() - began:.0f} s")


@dataclass(frozen=True)
class Rows:
    """(N,) which faces a person may rate, and which are held out."""

    learnt: NDArray[np.bool_]
    tested: NDArray[np.bool_]


def _choose(pool: PoolFaces, draws: int) -> None:
    """PC by size on held-out training rows, for numbers of components and priors."""
    held_out = pool.trained & (np.random.default_rng(0).random(len(pool.trained)) < 0.5)
    rows = Rows(pool.trained & ~held_out, held_out)
    print(f"{'':<34}" + "".join(f"{size:>7}" for size in SIZES))
    for count in (8, 16, 32):
        some = replace(pool, faces=Faces(pool.faces.pool, pool.faces.components[:, :count]))
        for name, raters in {"other raters'": len(pool.raters), "the typical one": 0}.items():
            people = {place: Person.of(some, place, rows, raters) for place in range(0, len(pool.raters), 3)}
            found = np.mean([person.at_random(place, draws)[0] for place, person in people.items()], axis=0)
            label = f"{count} components, prior {name}"
            print(f"{label:<34}" + "".join(f"{figure:>7.4f}" for figure in found), flush=True)


@dataclass(frozen=True)
class Person:
    """One rater as somebody new: the prior of the others, the faces that can be rated and those held out."""

    prior: Prior
    shown: Faces
    answers: Array
    unseen: Faces
    truth: Array
    others: Array

    @classmethod
    def of(cls, pool: PoolFaces, place: int, rows: Rows, raters: int) -> Person:
        """`raters` is of how many others the prior is learnt."""
        own, others = pool.ratings[place], np.delete(pool.ratings, place, axis=0)
        can_rate, held_out = (np.flatnonzero(some & np.isfinite(own)) for some in (rows.learnt, rows.tested))
        return cls(
            prior=Prior.learn(pool.faces.take(rows.learnt), others[:raters, rows.learnt]),
            shown=pool.faces.take(can_rate),
            answers=own[can_rate],
            unseen=pool.faces.take(held_out),
            truth=own[held_out],
            others=np.nanmean(others[:, held_out], axis=0),
        )

    def at_random(self, seed: int, draws: int) -> Array:
        """(2, sizes): what `grown` gives, mean over random orders."""
        orders = [np.random.default_rng([seed, draw]).permutation(len(self.shown)) for draw in range(draws)]
        return np.mean([self.grown(order) for order in orders], axis=0)

    def grown(self, order: Sequence[int] | NDArray[np.int64]) -> Array:
        """(2, sizes): PC with the truth, and the share of it within 90 % intervals."""
        figures = []
        for size in SIZES:
            rows = np.asarray(order[:size], dtype=np.int64)
            model = OneRater.fit(self.prior, self.shown.take(rows), self.answers[rows])
            score, sd = model.predict(self.unseen)
            inside = np.abs(self.truth - score) <= Z90 * np.hypot(sd, model.noise)
            figures.append((Evaluation.from_scores(self.truth, score).pearson, inside.mean()))
        return np.array(figures).T

    def by_gain(self) -> list[int]:
        """The faces as `kallos rate` asks for them, one after the other."""
        order: list[int] = []
        while len(order) < max(SIZES):
            rows = np.array(order, dtype=np.int64)
            gains = OneRater.fit(self.prior, self.shown.take(rows), self.answers[rows]).gains(self.shown)
            gains[rows] = -np.inf
            order.append(int(gains.argmax()))
        return order


def _one(pool: PoolFaces, place: int, rows: Rows, draws: int) -> dict[str, Array]:
    """Figures of one rater by size: PC at random, PC by gain, coverage at random; and PC of the others' mean."""
    person = Person.of(pool, place, rows, len(pool.raters))
    agreement, covered = person.at_random(place, draws)
    of_others = Evaluation.from_scores(person.truth, person.others).pearson
    by_gain = person.grown(person.by_gain())[0]
    return {"random": agreement, "gain": by_gain, "covered": covered, "others": np.array([of_others])}


def _retests(store: Store, pool: PoolFaces) -> dict[str, float]:
    """rater -> correlation of both answers to faces that were shown twice."""
    rows = store.frame(
        "SELECT rater_id, corr(first_rating, rating) FROM ratings "
        "WHERE trait = $trait AND first_rating IS NOT NULL GROUP BY rater_id",
        trait=pool.trait,
    )
    return dict(rows.iter_rows())


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


def _print_raters(found: dict[str, dict[str, Array]], retest: dict[str, float]) -> None:
    print("\n| rater | " + " | ".join(f"{size}" for size in SIZES) + " | others' mean | retest |")
    print("|---" * (len(SIZES) + 3) + "|")
    for rater, one in sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0])):
        figures = " | ".join(f"{value:.2f}" for value in (*one["random"], *one["others"]))
        print(f"| {rater} | {figures} | {f'{retest[rater]:.2f}' if rater in retest else '–'} |")
    every = np.array([[*one["random"], *one["others"]] for one in found.values()]).mean(axis=0)
    correlations = [retest[rater] for rater in found if rater in retest]
    mean = f"{np.mean(correlations):.2f}" if correlations else "–"
    print("| mean | " + " | ".join(f"{value:.3f}" for value in every) + f" | {mean} |")


if __name__ == "__main__":
    main()
