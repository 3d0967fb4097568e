"""What a cell of a rating table holds: a number as people write it, a word for "no answer", a level in words."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MISSING_WORDS = frozenset(
    ["", "na", "n/a", "#n/a", "nan", "<na>", "null", "#null!", "none", "nil", "missing", ".", "-", "--", "?"]
)
"""Words that laboratories, R, pandas, SPSS and Excel write where there is no answer, in lower case."""

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_THOUSANDS = {".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"), ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")}
_COMMA_IS_CLEAR = re.compile(r"[+-]?(0*,\d+|\d+,(\d{1,2}|\d{4,})|\d{4,},\d+|\d{1,3}(\.\d{3})+,\d+)")
_COMMA_IS_OPEN = re.compile(r"[+-]?\d{1,3},\d{3}")
_NUMBER_FIRST = re.compile(r"([+-]?\d+(?:[.,]\d+)?)(?:\s*[-–—=:.)(\]]\s*|\s+)[^\W\d_].*")
_NUMBER_LAST = re.compile(r".*[^\W\d_].*\(([+-]?\d+(?:[.,]\d+)?)\)")


def plain(text: str) -> str:
    """The text with full-width forms, the digits of other scripts and typographic minus signs as ASCII."""
    folded = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in folded).strip()


def is_missing(text: str) -> bool:
    """Whether the cell means that there is no answer."""
    return text.strip().lower() in MISSING_WORDS


def is_number(text: str) -> bool:
    """Whether the cell is a number in one of the forms that `Numbers` reads, labelled levels not among them."""
    bare = plain(text).removesuffix("%").rstrip()
    return bool(_NUMBER.fullmatch(bare) or any(form.fullmatch(bare) for form in _THOUSANDS.values()))


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a table are written.

    decimal     "." or ","
    percent     whether every number carries a percent sign
    labelled    a cell that is a number with words, such as `7 - very attractive`; None when there is none
    levels      words from the lowest rating up, each worth one more than the one before; empty when they are numbers
    lowest      what the first level is worth
    """

    decimal: str
    percent: bool = False
    labelled: str | None = None
    levels: tuple[str, ...] = ()
    lowest: float = 1.0

    def read(self, text: str) -> float | None:
        """The number that a cell holds, None when it holds none."""
        if self.levels:
            level = " ".join(text.lower().split())
            return self.lowest + self.levels.index(level) if level in self.levels else None
        bare = plain(text)
        if self.percent != bare.endswith("%"):
            return None
        bare = bare.removesuffix("%").rstrip()
        if worded := _NUMBER_FIRST.fullmatch(bare) or _NUMBER_LAST.fullmatch(bare):
            bare = worded[1]
        if self.decimal == "," or _THOUSANDS["."].fullmatch(bare):
            other = "." if self.decimal == "," else ","
            if other in bare and not _THOUSANDS[self.decimal].fullmatch(bare):
                return None
            bare = bare.replace(other, "").replace(",", ".")
        if not _NUMBER.fullmatch(bare) or "," in bare:
            return None
        number = float(bare)
        return number if abs(number) < float("inf") else None


class AmbiguousNumbersError(ValueError):
    """`1,299` and nothing else: thousands or decimals."""


def how_written(texts: Iterable[str], decimal: str | None, levels: Sequence[str], lowest: float) -> Numbers:
    """How these cells (without the missing ones) write their numbers.

    `decimal` and `levels` are what the user stated. Raises AmbiguousNumbersError, with an example, when the comma may
    part decimals or thousands.
    """
    if levels:
        return Numbers(".", levels=tuple(" ".join(level.lower().split()) for level in levels), lowest=lowest)
    cells = [plain(text) for text in texts]
    bare = [cell.removesuffix("%").rstrip() for cell in cells]
    if decimal is None:
        open_cell = next((cell for cell in bare if _COMMA_IS_OPEN.fullmatch(cell)), None)
        if any(_COMMA_IS_CLEAR.fullmatch(cell) for cell in bare):
            decimal = ","
        elif open_cell and not any(re.fullmatch(r"[+-]?\d[\d,]*\.\d+", cell) for cell in bare):
            raise AmbiguousNumbersError(open_cell)
        else:
            decimal = "."
    labelled = next((cell for cell in bare if _NUMBER_FIRST.fullmatch(cell) or _NUMBER_LAST.fullmatch(cell)), None)
    return Numbers(decimal, bool(cells) and all(cell.endswith("%") for cell in cells), labelled)
