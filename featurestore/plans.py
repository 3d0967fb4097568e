"""Plans of analysis, fixed before the data are looked at: the table `plans`.

A plan is a TOML file. Some of its keys can be compared with what was done, see CHECKED; all others are for readers.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from featurestore.errors import DataError
from featurestore.store import Store

COEFFICIENTS = (
    *("icc_1", "icc_2", "icc_3", "icc_1k", "icc_2k", "icc_3k"),
    *("cronbach", "krippendorff_ordinal", "krippendorff_interval", "retest"),
)
"""Of agreement, by the keys of `reports.stats.raters.agreement`."""

CHECKED: Mapping[str, tuple[type, ...]] = {
    "data_set": (str,),
    "trait": (str,),
    "photos": (int,),
    "raters": (int,),
    "ratings_per_photo": (int,),
    **dict.fromkeys(COEFFICIENTS, (float, int)),
    "protocol": (str,),
    "models": (list,),
}
"""Key -> types of its value. Numbers are the fewest or the least; photos are those with a score."""


@dataclass(frozen=True)
class Plan:
    """A plan as it was fixed.

    sha256   of the file's text
    checked  its keys that are compared with what was done
    ratings, scored, runs   single ratings and scored images of the data set, and runs, that the store had then
    """

    fixed_at: str
    sha256: str
    data_set: str
    text: str
    checked: Mapping[str, Any]
    ratings: int
    scored: int
    runs: int


def read(text: str) -> dict[str, Any]:
    """The keys of a plan. Raises DataError for what is no plan, and for a number that nothing is compared with."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"The plan is not TOML ({error}): docs/studies/study.md shows one.") from error
    if "data_set" not in content:
        raise DataError('The plan does not say which data set it is about: add a line such as data_set = "study".')
    for key, value in content.items():
        kinds = CHECKED.get(key)
        if kinds and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise DataError(f"The plan has {key} = {value!r}: give {' or '.join(kind.__name__ for kind in kinds)}.")
        if not kinds and isinstance(value, int | float):
            raise DataError(
                f"The plan has {key} = {value!r}, which nothing is compared with: say it in words, or use one of "
                f"{', '.join(CHECKED)}."
            )
    return content


def fix(store: Store, text: str) -> Plan:
    """Record a plan with its hash, the date, and what the store held then; the plan that is fixed already stays."""
    data_set = read(text)["data_set"]
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    fixed = of_data_set(store, data_set)
    if not fixed or fixed[-1].sha256 != sha256:
        store.execute(
            """
            INSERT INTO plans
            SELECT greatest(now()::TIMESTAMP, (SELECT max(fixed_at) + INTERVAL 1 MICROSECOND FROM plans)), $sha256,
                   $data_set, $text, (SELECT count(*) FROM ratings WHERE starts_with(image_id, $prefix)),
                   (SELECT count(DISTINCT image_id) FROM scores WHERE starts_with(image_id, $prefix)),
                   (SELECT count(*) FROM runs)""",
            sha256=sha256,
            data_set=data_set,
            text=text,
            prefix=f"{data_set}/",
        )
    return of_data_set(store, data_set)[-1]


def of_data_set(store: Store, data_set: str) -> list[Plan]:
    """The plans of a data set, the first first."""
    rows = store.frame(
        "SELECT strftime(fixed_at, '%Y-%m-%d %H:%M:%S') AS fixed_at, sha256_of_text AS sha256, data_set, text, "
        "ratings, scored, runs FROM plans WHERE data_set = $data_set ORDER BY plans.fixed_at",
        data_set=data_set,
    ).to_dicts()
    return [
        Plan(**row, checked={key: value for key, value in read(row["text"]).items() if key in CHECKED}) for row in rows
    ]
