"""A table from a file as text: its headings, its cells, and what a survey tool records of each column."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.ingest.cells import is_missing, is_number

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
STATISTICS = {".sav": "read_sav", ".zsav": "read_sav", ".dta": "read_dta"}
MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte order marks and the encoding that each announces, longer ones first."""


@dataclass(frozen=True)
class Origin:
    """Where in a file the table is; what is None is found out.

    encoding        of a text file
    sheet           of a workbook
    header          whether the first row is headings
    """

    encoding: str | None = None
    sheet: str | None = None
    header: bool | None = None


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table as text.

    cells       every column is text; blank cells are NULL; headings are unique
    questions   heading -> what a survey tool wrote beneath it
    origin      where in the file it was found
    notes       how the file was read, each a phrase
    """

    source: Path
    cells: pl.DataFrame
    questions: Mapping[str, str]
    origin: Origin
    notes: tuple[str, ...]


def read_raw(source: Path, origin: Origin, is_photo: Callable[[str], bool]) -> RawTable:
    """Read csv, tsv, xlsx, xls, ods, sav, dta or Parquet; `is_photo` is whether a text names a photo.

    Raises InputError when the file is missing, DataError when it cannot be read or leaves a choice open.
    """
    if not source.is_file():
        raise InputError(f"There is no file {source}: check the path.")
    suffix = source.suffix.lower()
    if suffix in WORKBOOKS:
        rows, origin, notes = _workbook(source, origin)
    elif suffix in STATISTICS:
        rows, notes = _statistics(source, STATISTICS[suffix]), [f"{suffix[1:]} file"]
    elif suffix == ".parquet":
        rows, notes = _parquet(source), ["Parquet"]
    else:
        rows, origin, notes = _text(source, origin)
    return _structured(source, _clean(rows), origin, is_photo, notes)


def _text(source: Path, origin: Origin) -> tuple[pl.DataFrame, Origin, list[str]]:
    content = source.read_bytes()
    encoding = origin.encoding or next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise DataError(f"There is no encoding {encoding!r}: take one such as cp1252 or utf-16.") from error
    except UnicodeError as error:
        raise DataError(
            f"{source} is not {encoding} text: state how it is written, as with --encoding cp1252 "
            "(Excel in Western Europe), or save it as CSV in UTF-8."
        ) from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    separator = None
    if first.lower().startswith("sep=") and first[4:].strip("\n") in SEPARATORS:
        separator, text = first[4:], rest
    separator = separator or _separator(text)
    lines = text.split("\n")
    above = _rows_above(csv.reader(_sample(lines), delimiter=separator))
    notes = [f"{SEPARATORS[separator]} between columns", encoding.upper().removesuffix("-SIG")]
    notes += [_above(above)] if above else []
    try:
        rows = pl.read_csv("\n".join(lines[above:]).encode(), separator=separator, has_header=False, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} cannot be read as csv ({reason}): save it again as csv.") from error
    return rows, Origin(encoding, None, origin.header), notes


def _separator(text: str) -> str:
    """The separator that gives the most regular rows, then the most columns; of equals the comma gives way."""
    lines = [line for line in _sample(text[:100_000].split("\n")) if line.strip()]

    def regularity(separator: str) -> tuple[bool, float, int, bool]:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        except csv.Error:
            return (False, 0, 0, False)
        width, times = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (width > 1, times / max(1, len(lines)), width, separator != ",")

    return max(SEPARATORS, key=regularity)


def _sample(lines: Sequence[str]) -> list[str]:
    """The first lines, cut to a length that Python's csv module takes."""
    return [line[:100_000] for line in lines[:50]]


def _workbook(source: Path, origin: Origin) -> tuple[pl.DataFrame, Origin, list[str]]:
    try:
        book = fastexcel.read_excel(source)
        if origin.sheet and origin.sheet not in book.sheet_names:
            raise DataError(f"{source} has no sheet {origin.sheet!r}: it has {', '.join(book.sheet_names)}.")
        names = [origin.sheet] if origin.sheet else book.sheet_names
        sheets = {name: book.load_sheet(name, header_row=None, dtypes="string").to_polars() for name in names}
    except fastexcel.FastExcelError as error:
        raise DataError(f"{source} cannot be read as a workbook: save it again as xlsx.") from error
    filled = {name: sheet for name, sheet in sheets.items() if len(sheet) > 1}
    if len(filled) > 1:
        raise DataError(f"{source} has several sheets with rows: choose one with --sheet, of {', '.join(filled)}.")
    if not filled:
        raise DataError(f"{source} has no rows: it needs a sheet with headings and one row an image or a rating.")
    name, sheet = filled.popitem()
    above = _rows_above(sheet.head(50).iter_rows())
    notes = [f"sheet {name}"] + ([_above(above)] if above else [])
    return sheet.slice(above), Origin(None, name, origin.header), notes


def _statistics(source: Path, reader: str) -> pl.DataFrame:
    """What SPSS or Stata stored: numbers as numbers, not as their labels; user-missing values are NULL."""
    import pyreadstat

    try:
        frame, _ = getattr(pyreadstat, reader)(str(source), output_format="polars")
    except (pyreadstat.ReadstatError, ValueError, OSError) as error:
        raise DataError(f"{source} cannot be read ({error}): save it again, or as csv.") from error
    return _beneath_headings(frame)


def _parquet(source: Path) -> pl.DataFrame:
    try:
        return _beneath_headings(pl.read_parquet(source))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{source} cannot be read as Parquet: save it again, or as csv.") from error


def _beneath_headings(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as text, its headings as the first row; whole numbers have no decimal point."""
    texts = {}
    for place, column in enumerate(frame.iter_columns()):
        if column.dtype.is_float():
            values = [None if v is None or v != v else f"{v:.15g}" for v in column.to_list()]
        elif column.dtype.is_nested():
            values = [None] * len(column)
        else:
            values = column.cast(pl.String, strict=False).to_list()
        texts[f"column_{place}"] = [column.name, *values]
    return pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))


def _rows_above(rows: Iterable[Sequence[str | None]]) -> int:
    """How many rows stand above the table: titles and blank rows, with at most one cell filled."""
    filled = [sum(bool(cell and cell.strip()) for cell in row) for row in rows]
    if max(filled, default=0) < 2:
        return 0
    return next(place for place, cells in enumerate(filled) if cells > 1)


def _above(rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''} above the headings not used"


def _clean(rows: pl.DataFrame) -> pl.DataFrame:
    """Cells without spaces around them or Excel's leading apostrophe; blank ones NULL; no empty rows or columns."""
    stripped = pl.all().str.strip_chars().str.strip_chars("\ufeff\u200b").str.replace(r"^'([^']+)$", "${1}")
    cells = rows.select(stripped.str.strip_chars().replace("", None))
    cells = cells.filter(~pl.all_horizontal(pl.all().is_null())) if cells.width else cells
    return cells.select(name for name in cells.columns if cells[name].null_count() < len(cells))


def _structured(
    source: Path, rows: pl.DataFrame, origin: Origin, is_photo: Callable[[str], bool], notes: list[str]
) -> RawTable:
    """Headings and questions apart from the body."""
    if rows.is_empty():
        raise DataError(f"{source} has no rows: it needs headings and one row an image or a rating.")
    header = origin.header if origin.header is not None else not _is_body(rows, is_photo)
    if header:
        headings = [heading or f"column {place}" for place, heading in enumerate(rows.row(0), start=1)]
    else:
        headings = [f"column {place}" for place in range(1, rows.width + 1)]
        notes = [*notes, "no headings: columns are numbered"]
    unique = []
    for place, heading in enumerate(headings, start=1):
        unique.append(f"{heading} (column {place})" if heading in unique else heading)
    body = rows.rename(dict(zip(rows.columns, unique, strict=True))).slice(int(header))
    extra = _question_rows(body, is_photo) if header else 0
    if extra:
        notes = [*notes, f"{extra} more heading row{'s' if extra > 1 else ''} of a survey tool"]
    questions = {}
    for heading in body.columns:
        texts = [text for text in body[heading].head(extra) if text and not _import_id(text)]
        questions[heading] = " ".join(texts)
    if len(body) == extra:
        raise DataError(f"{source} has no rows: it needs one row an image or a rating beneath its headings.")
    return RawTable(source, body.slice(extra), questions, Origin(origin.encoding, origin.sheet, header), tuple(notes))


def _is_body(rows: pl.DataFrame, is_photo: Callable[[str], bool]) -> bool:
    """Whether the first row is a row like the next ones: it names a photo where they do, or is all numbers but that."""
    first = rows.row(0)
    for place, cell in enumerate(first):
        if cell and is_photo(cell):
            beneath = rows[1:20].to_series(place).drop_nulls().to_list()
            return len(rows) == 1 or (bool(beneath) and sum(map(is_photo, beneath)) > len(beneath) / 2)
    return False


def _question_rows(body: pl.DataFrame, is_photo: Callable[[str], bool]) -> int:
    """How many rows beneath the headings, two at most, are a survey tool's texts and no answers."""
    head = body.head(3).rows()
    if marked := [place for place, row in enumerate(head) if any(cell and _import_id(cell) for cell in row)]:
        return marked[-1] + 1
    for extra in (2, 1):
        if len(body) > extra + 1 and all(_is_question(body, place, extra, is_photo) for place in range(extra)):
            return extra
    return 0


def _is_question(body: pl.DataFrame, place: int, extra: int, is_photo: Callable[[str], bool]) -> bool:
    """Whether this row has words, and no number, in the columns that have numbers only beneath it."""
    row = body.row(place)
    if any(cell and is_photo(cell) for cell in row):
        return False
    words = 0
    for cell, heading in zip(row, body.columns, strict=True):
        if cell is None or is_missing(cell):
            continue
        beneath = [text for text in body[heading][extra:].drop_nulls().head(500) if not is_missing(text)]
        if beneath and all(map(is_number, beneath)):
            if is_number(cell):
                return False
            words += 1
    return words > 0


def _import_id(text: str) -> bool:
    """Whether the cell is the mark that Qualtrics writes beneath its question texts."""
    if not text.startswith("{"):
        return False
    try:
        return "ImportId" in json.loads(text)
    except ValueError:
        return False
