"""Groups of photos: which group a photo is in, which photos show one person, and whether groups differ.

Whether groups differ is decided by a permutation test. Its null hypothesis is that all groups have the same figure.
People, with all their photos, are dealt to the groups anew, PERMUTATIONS times; each time the difference of every two
groups is divided by its standard error, and the largest is kept. The p value of two groups is the share of these
largest differences that are at least theirs, so that it is corrected for having looked at all of them (Westfall & Young
1993, maxT). Dividing by standard errors lets groups differ in size and spread (Janssen 1997, Chung & Romano 2013).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from featurestore.store import Store

DUPLICATE_GROUPS = """(
        SELECT image_id, group_id FROM near_duplicates UNION SELECT other_id, group_id FROM near_duplicates
    )"""
"""Of each image with near-duplicates, in a query: the group that it is in with them."""

GROUPED_IMAGES = f"""(
    SELECT images.* REPLACE (
        if(count(subset) OVER (PARTITION BY data_set) > 0, subset, nullif(concat_ws('_', ethnicity, sex), '')) AS subset
    ), coalesce(group_id, sha256, image_id) AS person
    FROM images LEFT JOIN {DUPLICATE_GROUPS} USING (image_id))"""
"""`images` in a query, where ethnicity and sex are the subset of a data set that names none, and `person` is the same
for photos that are known to show one person: copies, and the near-duplicates that `kallos duplicates` found."""

FEWEST = 20
"""People in a group that is compared."""

LEVEL = 0.05
"""The highest p value at which two groups are said to differ."""

PERMUTATIONS = 999
SEED = 0
AT_ONCE = 1_000_000
"""People in permutations that are held at once: 8 MB."""

Array = NDArray[np.float64]
Names = NDArray[np.str_]
Estimate = Callable[[Array, NDArray[np.int64]], tuple[Array, Array]]
"""Of (..., g, k) means in groups of (g,) people: (..., g) figures, and the squares of their standard errors."""


@dataclass(frozen=True)
class Difference:
    """Two groups, the one with the higher figure first, and the p value of their difference."""

    highest: str
    lowest: str
    p: float

    @property
    def supported(self) -> bool:
        """Whether the groups may be said to differ."""
        return self.p <= LEVEL


def people_in(store: Store, image_ids: Sequence[str]) -> list[str]:
    """The person in each image, as far as the store knows: the same name for photos that show one."""
    known = store.mapping(f"SELECT image_id, person FROM {GROUPED_IMAGES}")
    return [known[image_id] for image_id in image_ids]


def people_of(groups: Names, people: Names) -> dict[str, int]:
    """Group -> number of people, by name, of n photos."""
    return {str(name): len(np.unique(people[groups == name])) for name in np.unique(groups)}


def mean_differences(values: Array, groups: Names, people: Names) -> list[Difference]:
    """Every two groups by the mean of (n,) values, clearest difference first; groups below FEWEST take no part.

    Several photos of one person count as one, with their mean.
    """
    if not len(values):
        return []
    samples = _by_group((values - values.mean())[np.newaxis], groups, people)
    return _differences({name: np.stack([means, means**2]) for name, (means,) in samples.items()}, _mean)


def correlation_differences(one: Array, other: Array, groups: Names, people: Names) -> list[Difference]:
    """The same by Pearson's correlation of two (n,) arrays.

    Both are standardised within each group before people are dealt to groups, as groups of one correlation may differ
    in level and spread. A group in which either does not vary has no correlation and takes no part.
    """
    rows = {}
    for name, sample in _by_group(np.stack([one, other]), groups, people).items():
        if np.ptp(sample, axis=1).min() > 0:
            x, y = (sample - sample.mean(axis=1, keepdims=True)) / sample.std(axis=1, keepdims=True)
            rows[name] = np.stack([x, y, x**2, y**2, x * y])
    return _differences(rows, _fisher)


def differing_groups(values: Array, groups: Sequence[str | None], people: Sequence[str]) -> frozenset[str]:
    """The groups whose mean of (n,) values differs from that of another, as far as the test supports it.

    `groups` and `people` have n names; a row without a group takes no part.
    """
    known = np.array([group is not None for group in groups], dtype=np.bool_)
    names = np.array([group or "" for group in groups])
    tests = mean_differences(values[known], names[known], np.array(people, dtype=np.str_)[known])
    return frozenset(name for test in tests if test.supported for name in (test.highest, test.lowest))


def _by_group(columns: Array, groups: Names, people: Names) -> dict[str, Array]:
    """Group -> (k, its people): the means of k columns over the photos of each person; small groups are left out."""
    large = [name for name, number in people_of(groups, people).items() if number >= FEWEST]
    samples = {}
    for name in large:
        inside = groups == name
        person, photos = np.unique(people[inside], return_inverse=True, return_counts=True)[1:]
        samples[name] = np.stack([np.bincount(person, column) / photos for column in columns[:, inside]])
    return samples


def _differences(rows: dict[str, Array], estimate: Estimate) -> list[Difference]:
    """Of (k, its people) rows of each group."""
    if len(rows) < 2:
        return []
    columns = np.concatenate(list(rows.values()), axis=1).T
    sizes = np.array([sample.shape[1] for sample in rows.values()])
    found_means = np.stack([sample.mean(axis=1) for sample in rows.values()])
    figures, squares = estimate(found_means, sizes)
    found = _in_standard_errors(figures, squares)
    largest = _in_standard_errors(*estimate(_dealt_means(columns, sizes), sizes)).max(axis=1)
    # a difference that equals that of a permutation, up to rounding, is no rarer than it
    reached = (largest[:, np.newaxis] >= found * (1 - 1e-9)).sum(axis=0)
    by_name = dict(zip(rows, figures, strict=True))
    pairs = [sorted(pair, key=by_name.__getitem__) for pair in combinations(rows, 2)]
    return [
        Difference(pairs[i][1], pairs[i][0], (1 + int(reached[i])) / (1 + PERMUTATIONS))
        for i in np.argsort(-found, kind="stable")
    ]


def _dealt_means(columns: Array, sizes: NDArray[np.int64]) -> Array:
    """(PERMUTATIONS, g, k) means of (n, k) columns in groups that people were dealt to anew."""
    dealt = _dealt(tuple(sizes.tolist()))
    parts = -(-dealt.size // AT_ONCE)
    return np.concatenate([_means(part, columns, sizes) for part in np.array_split(dealt, parts)])


@lru_cache(maxsize=2)
def _dealt(sizes: tuple[int, ...]) -> NDArray[np.int16]:
    """(PERMUTATIONS, n) groups of the people; the figures of one report have the same."""
    places = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
    return np.random.default_rng(SEED).permuted(np.tile(places, (PERMUTATIONS, 1)), axis=1)


def _means(places: NDArray[np.int16], columns: Array, sizes: NDArray[np.int64]) -> Array:
    """(p, g, k) means of (n, k) columns; `places` (p, n) are the group of each person."""
    sums = [(places == group).astype(np.float64) @ columns for group in range(len(sizes))]
    return np.stack(sums, axis=1) / sizes[:, np.newaxis]


def _in_standard_errors(figures: Array, squares: Array) -> Array:
    """(..., pairs) absolute differences of every two of (..., g) figures, in the order of `combinations`."""
    i, j = np.triu_indices(figures.shape[-1], 1)
    distance, error = np.abs(figures[..., i] - figures[..., j]), np.sqrt(squares[..., i] + squares[..., j])
    return np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)


def _mean(means: Array, sizes: NDArray[np.int64]) -> tuple[Array, Array]:
    """Of means of a value and of its square."""
    mean, square = np.moveaxis(means, -1, 0)
    return mean, np.maximum(square - mean**2, 0) / (sizes - 1)


def _fisher(means: Array, sizes: NDArray[np.int64]) -> tuple[Array, Array]:
    """Fisher's z of the correlation (Fisher 1921), of means of x, y, x², y² and xy."""
    x, y, xx, yy, xy = np.moveaxis(means, -1, 0)
    correlation = (xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2))
    # a perfect correlation has no finite z
    z = np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))
    return z, np.broadcast_to(1 / (sizes - 3), z.shape)
