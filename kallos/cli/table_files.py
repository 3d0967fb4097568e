"""Output of a command's table: into files, or as csv to stdout."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from extractors.errors import InputError
from featurestore.errors import UsageError
from kallos.cli.console import plain
from kallos.cli.outputs import STDOUT, wrote
from reports.render.layout import plural
from reports.render.table_files import Labels, csv_text, write_table


@dataclass(frozen=True)
class TableOut:
    """The files that --csv, --parquet and --sav name."""

    csv: Path | None
    parquet: Path | None
    sav: Path | None

    def __post_init__(self) -> None:
        """Raises InputError or UsageError for an invalid path, before any other work."""
        for kind, file in self._files():
            if file == STDOUT and kind != "csv":
                raise UsageError(f"--{kind} needs a file: only --csv can write to stdout.")
            if file.is_dir() or not file.parent.is_dir():
                problem = f"{file} is a folder" if file.is_dir() else f"There is no folder {file.parent}"
                raise InputError(f"{problem}: give a file for --{kind} in a folder that exists.")

    def __bool__(self) -> bool:
        return any(self._files())

    def write(self, table: pl.DataFrame, labels: Labels | None = None) -> None:
        """Write each file, with a message. Raises as `write_table`."""
        for kind, file in self._files():
            if file == STDOUT:
                plain(csv_text(table))
            else:
                write_table(file, kind, table, labels)
                wrote(file, f": {plural(len(table), 'row')}")

    def _files(self) -> list[tuple[str, Path]]:
        named = {"csv": self.csv, "parquet": self.parquet, "sav": self.sav}
        return [(kind, file) for kind, file in named.items() if file]
