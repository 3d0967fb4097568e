"""Reading label files: text, csv, score lists and workbooks, with errors that name the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fastexcel
import polars as pl

from extractors.errors import InputError
from featurestore.errors import DataError


def read_csv(path: Path) -> pl.DataFrame:
    """A csv with a header.

    Raises InputError when the file is missing, DataError when it is no csv in UTF-8.
    """
    try:
        return pl.read_csv(read_text(path).encode())
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as csv ({reason}): save it again as csv.") from error


def read_sheets(path: Path, preferred: str) -> pl.DataFrame:
    """The sheet of the preferred name where there is one, else all sheets of a workbook beneath each other.

    Raises InputError when the file is missing, DataError when it is no workbook.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}: check the path.")
    try:
        workbook = fastexcel.read_excel(path)
        names = [preferred] if preferred in workbook.sheet_names else workbook.sheet_names
        sheets = [workbook.load_sheet(name).to_polars() for name in names]
    except fastexcel.FastExcelError as error:
        raise DataError(f"{path} cannot be read as a workbook: save it again as xlsx.") from error
    if not sheets:
        raise DataError(f"{path} has no sheets: save it again as xlsx.")
    return pl.concat(sheets, how="diagonal_relaxed")


@contextmanager
def columns_of(path: Path) -> Iterator[None]:
    """Around what takes a file's columns apart: words where numbers should be are a DataError that names the file."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} has columns of another kind ({reason}): take the file of the release.") from error


def read_text(path: Path) -> str:
    """A text file. Raises InputError when it is missing, DataError when it is not UTF-8."""
    if not path.is_file():
        raise InputError(f"There is no file {path}: check the path.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as CSV in UTF-8.") from error


def read_score_list(path: Path) -> pl.DataFrame:
    """Lines `<image> <score>` as a frame (image, score); the image's name may hold spaces.

    Raises InputError when the file is missing, DataError for a line of another form.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            image, score = line.rsplit(maxsplit=1)
            rows.append((image.strip(), float(score)))
        except ValueError as error:
            raise DataError(f"Line {number} of {path} is not `<image> <score>`: correct it.") from error
    return pl.DataFrame(rows, schema={"image": pl.String, "score": pl.Float64}, orient="row")
