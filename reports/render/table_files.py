"""Tables as files for other programs: csv, Parquet, and sav for SPSS.

Parquet keeps lists. In csv and sav a list of up to SHORT elements becomes a column an element, `histogram_1` to
`histogram_5`; a longer one, and whatever else is nested, becomes JSON text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from extractors.errors import InputError
from featurestore.errors import UsageError

SHORT = 20
"""Elements of a list that get a column each: the points of most scales that people rate on."""

BOM = b"\xef\xbb\xbf"
"""Excel takes a csv without it for the machine's own code page; R, Polars, pandas and DuckDB read past it."""

SAV_NAME, SAV_LABEL, SAV_TEXT = 64, 256, 32767
"""Bytes that SPSS has for a variable's name, its label and a value."""

SAV_RESERVED = {"ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"}
EXACT = 2**53
"""Whole numbers up to here are exact in SPSS, which has no others than float64."""

Labels = Mapping[str, str]
"""Column -> what it is, in a sentence."""


def write_table(file: Path, kind: str, table: pl.DataFrame, labels: Labels | None = None) -> None:
    """Write a table as one of KINDS, in place of what the file held before.

    Raises InputError where the file cannot be written, UsageError for values that the kind cannot hold.
    """
    content = KINDS[kind](table, labels or {})
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): choose another place.") from error


def csv_text(table: pl.DataFrame) -> str:
    """Commas between values, a point in numbers, nothing for a missing value, TRUE and FALSE as in R."""
    truths = pl.col(pl.Boolean).cast(pl.String).str.to_uppercase()
    numbers = pl.col(pl.Float32, pl.Float64).fill_nan(None)
    return flattened(table).with_columns(truths, numbers).write_csv()


def bytes_as_hex(table: pl.DataFrame) -> pl.DataFrame:
    """The same with bytes as hexadecimal text. Raises UsageError for bytes within lists."""
    for name, kind in table.schema.items():
        if kind.is_nested() and "Binary" in str(kind):
            raise UsageError(f"The column {name} holds bytes within lists, which only --parquet can write.")
    return table.with_columns(pl.col(pl.Binary).bin.encode("hex"))


def flattened(table: pl.DataFrame) -> pl.DataFrame:
    """The same without lists and without anything else that is nested."""
    columns: dict[str, pl.Series] = {}
    taken = set(table.columns)
    for column in bytes_as_hex(table):
        for name, values in _flat(column):
            columns[_free(name, taken) if name != column.name else name] = values
    return pl.DataFrame(columns)


def _flat(column: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    """A column, or the columns that it is flattened into, by name."""
    if isinstance(column.dtype, pl.Array) and len(column.dtype.shape) == 1:
        column = column.arr.to_list()
    if not column.dtype.is_nested():
        yield column.name, column
        return
    longest = 0
    if isinstance(column.dtype, pl.List) and not column.dtype.inner.is_nested():
        longest = max(column.list.len().drop_nulls(), default=0)
    if 0 < longest <= SHORT:
        for place in range(longest):
            yield f"{column.name}_{place + 1}", column.list.get(place, null_on_oob=True)
        return
    text = column.to_frame("value").to_struct().struct.json_encode()
    # polars writes an object with one entry: {"value": ...}
    yield column.name, text.str.slice(9, text.str.len_chars() - 10).set(column.is_null(), None)


def _free(name: str, taken: set[str]) -> str:
    """The name, or one like it, that no other column has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _csv(table: pl.DataFrame, _: Labels) -> bytes:
    return BOM + csv_text(table).encode()


def _parquet(table: pl.DataFrame, _: Labels) -> bytes:
    file = BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def _sav(table: pl.DataFrame, labels: Labels) -> bytes:
    """With variable labels, and value labels for what is true or false."""
    import pyreadstat

    flat = _spss_values(flattened(table))
    names = _sav_names(flat.columns)
    # a name that SPSS cannot hold is worth a label
    texts = [labels.get(old, "" if old == new else old) for old, new in zip(flat.columns, names, strict=True)]
    flat.columns = names
    truths = [name for name in names if flat.schema[name] == pl.Boolean]
    nominal = [name for name in names if flat.schema[name] in (pl.Boolean, pl.String)]
    with TemporaryDirectory(prefix="kallos-") as folder:
        file = Path(folder) / "table.sav"
        pyreadstat.write_sav(
            flat,
            file,
            column_labels={name: _cut(label, SAV_LABEL) for name, label in zip(names, texts, strict=True) if label},
            variable_value_labels={name: {1: "yes", 0: "no"} for name in truths},
            variable_measure={name: "nominal" if name in nominal else "scale" for name in names},
            row_compress=True,
        )
        return file.read_bytes()


KINDS: Mapping[str, Callable[[pl.DataFrame, Labels], bytes]] = {"csv": _csv, "parquet": _parquet, "sav": _sav}


def _spss_values(flat: pl.DataFrame) -> pl.DataFrame:
    """Numbers as float64, finite or missing; whole numbers that float64 cannot hold, and all else, as text."""
    columns = []
    for column in flat:
        kind = column.dtype
        if kind.is_numeric() or kind == pl.Null:
            numbers = column.cast(pl.Float64)
            exact = kind.is_float() or not (numbers.abs() > EXACT).any()
            column = numbers.set(~numbers.is_finite(), None) if exact else column.cast(pl.String)
        elif isinstance(kind, pl.Datetime):
            column = column.dt.replace_time_zone(None)
        elif not kind.is_temporal() and kind != pl.Boolean:
            column = column.cast(pl.String)
        if column.dtype == pl.String and (column.str.len_bytes() > SAV_TEXT).any():
            raise UsageError(f"SPSS cannot hold texts as long as those of {column.name}: ask for --parquet instead.")
        columns.append(column)
    return pl.DataFrame(columns)


def _sav_names(names: Sequence[str]) -> list[str]:
    """Names that SPSS can hold: letters, digits and `_` after a letter, no word of its own, and none twice."""
    valid: list[str] = []
    taken = set(SAV_RESERVED)
    for name in names:
        letters = re.sub(r"\W+", "_", name).strip("_") or "column"
        name = stem = _cut(letters if letters[0].isalpha() else f"v{letters}", SAV_NAME)
        number = 1
        while name.upper() in taken:
            number += 1
            name = f"{_cut(stem, SAV_NAME - 5)}_{number}"
        taken.add(name.upper())
        valid.append(name)
    return valid


def _cut(text: str, size: int) -> str:
    """As much of a text as `size` bytes hold."""
    return text.encode()[:size].decode(errors="ignore")
