"""The columns of a rating table while their roles are found: what the user stated, and what is left to decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from featurestore.errors import DataError
from featurestore.ingest.cells import Numbers, is_missing, is_number
from featurestore.ingest.headings import normal
from featurestore.ingest.photo_names import PhotoNames
from featurestore.ingest.reading import RawTable

_SAMPLE = 2000
"""Distinct cells of a column that are examined."""


@dataclass(frozen=True)
class TableOptions:
    """What the user states of a table; None and empty where it is to be detected.

    score_columns   headings of ratings or scores; of several each is a trait
    rater_columns   headings, or patterns such as `R*`: columns of one rater's ratings each
    trait           what was rated, where the table does not name it
    scale           lowest and highest rating that a rater could give
    missing         numbers and words that mean "no answer", besides the usual words
    levels          words from the lowest rating up
    decimal         "." or ","
    """

    image_column: str | None = None
    score_columns: Sequence[str] = ()
    rater_column: str | None = None
    rater_columns: Sequence[str] = ()
    trait_column: str | None = None
    trait: str | None = None
    session_column: str | None = None
    photo_attributes: Sequence[str] = ()
    rater_attributes: Sequence[str] = ()
    scale: tuple[float, float] | None = None
    missing: Sequence[str] = ()
    levels: Sequence[str] = ()
    decimal: str | None = None


class Columns:
    """A table's columns; `left` are those without a role, `remarks` are phrases on what was decided and why."""

    def __init__(self, table: RawTable, names: PhotoNames, options: TableOptions) -> None:
        self.table, self.names, self.options = table, names, options
        self.left = list(table.cells.columns)
        self.remarks: list[str] = []

    def take(self, column: str) -> str:
        """The column, which has a role now."""
        if column in self.left:
            self.left.remove(column)
        return column

    def find(self, heading: str, option: str) -> str:
        """The column of a stated heading. Raises DataError when there is none, or two but for letters' case."""
        columns = self.table.cells.columns
        alike = [c for c in columns if c == heading] or [c for c in columns if c.lower() == heading.strip().lower()]
        if len(alike) == 1:
            return alike[0]
        if alike:
            raise self.several(alike, "the column", f"--{option}")
        raise DataError(
            f"{self.table.source} has no column {heading!r} for --{option}; its columns are {self.listed()}."
        )

    def usual(self, headings: frozenset[str]) -> list[str]:
        """The columns without a role whose heading is among these."""
        return [column for column in self.left if normal(column) in headings]

    def one_of(self, stated: str | None, headings: frozenset[str], option: str) -> str | None:
        """The stated column, else the only one with a usual heading; several that pair one to one are one."""
        if stated is not None:
            return self.take(self.find(stated, option))
        found = self.usual(headings)
        if len(found) > 1 and not self._one_to_one(found):
            raise self.several(found, f"the {option.removesuffix('-column')}", f"--{option}")
        return self.take(found[0]) if found else None

    def _one_to_one(self, columns: Sequence[str]) -> bool:
        distinct = self.table.cells.select(columns).drop_nulls().unique()
        return len(distinct) > 0 and all(distinct[column].n_unique() == len(distinct) for column in columns)

    def differs(self, column: str, within: str) -> str | None:
        """The first photo or rater within which the column has several values, None when there is none."""
        groups = self.table.cells.select(owner=within, value=column).drop_nulls().group_by("owner")
        several = groups.agg(pl.col("value").n_unique()).filter(pl.col("value") > 1)
        return min(several["owner"], default=None)

    def answers(self, column: str) -> list[str]:
        """Distinct cells that are not missing, up to a number that shows what a column holds."""
        codes = set(self.options.missing)
        cells = self.table.cells[column].drop_nulls().unique(maintain_order=True).head(_SAMPLE)
        return [text for text in cells if not is_missing(text) and text not in codes]

    def share(self, column: str, test: Callable[[str], bool]) -> float:
        """Share of the distinct answers that pass a test."""
        texts = self.answers(column)
        return sum(map(test, texts)) / len(texts) if texts else 0.0

    def is_numeric(self, column: str) -> bool:
        """Whether most answers are numbers, or numbers with words such as `7 - very attractive`."""
        numbers = Numbers(".")
        return self.share(column, lambda text: is_number(text) or numbers.read(text) is not None) >= 0.5

    def has_words(self, column: str) -> bool:
        """Whether some answers are not numbers."""
        return not all(map(is_number, self.answers(column)))

    def is_photo(self, label: str) -> bool:
        """Whether a label names a photo, or several."""
        return bool(self.names.find(label).photos)

    def is_numbered_photo(self, label: str) -> bool:
        """Whether a label is the number in a photo's name."""
        return self.names.by_number(label.removesuffix(".0")) is not None

    def several(self, columns: Sequence[str], what: str, option: str) -> DataError:
        """The refusal of a choice between columns."""
        return DataError(
            f"{self.table.source} has several columns that may be {what} ({', '.join(columns)}): choose with {option}."
        )

    def listed(self) -> str:
        """The headings, as a message names them."""
        columns = self.table.cells.columns
        return ", ".join(columns[:40]) + (f" and {len(columns) - 40} more" if len(columns) > 40 else "")
