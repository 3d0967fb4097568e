"""A study to cite: its plan of analysis, fixed beforehand, and its report with the data behind every figure."""

import shutil
from collections.abc import Iterator
from importlib.resources import files
from itertools import count
from pathlib import Path

from extractors.errors import InputError
from featurestore import plans
from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.plans import Plan
from kallos.workflows.report import Report
from reports.pages.study import StudyReport
from reports.render.figures import Figure, write
from reports.render.markdown import document, page
from reports.render.plots import Plot
from reports.render.table_files import KINDS, write_table
from reports.stats.study_tables import LABELS

SCRIPT = "tables.R"
DATA, FIGURES = "data", "figures"


def preregister(store: str | Path, file: str | Path) -> Plan:
    """Fix a plan of analysis: its text, hash and date go into the store, with how many ratings and runs were there.

    The store is made where there is none. Raises InputError for a file that cannot be read, DataError for one that is
    no plan; docs/studies/study.md shows one.
    """
    if not Path(file).is_file():
        raise InputError(f"{file} does not exist: give the TOML file of a plan.")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as text: give the TOML file of a plan.") from error
    with open_store(Path(store)) as opened:
        return plans.fix(opened, text)


def write_study(written: Report, folder: str | Path) -> list[Path]:
    """Write a `report("study", ...)` into a folder, with its data.

    study.html, study.qmd for Quarto with its figures, data/ with every table as csv, Parquet and sav, tables.R, which
    computes the figures once more from the csv files, and plan.toml, where a plan was fixed. Gives the files; those of
    another study are replaced. Raises UsageError for another report, InputError where a file is in the way.
    """
    if not isinstance(written.data, StudyReport):
        raise UsageError("Only `kallos report study` is written into a --folder: leave --folder out.")
    place, study = Path(folder), written.data
    try:
        for part in (DATA, FIGURES):
            (place / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be made a folder: choose another --folder.") from error
    written.write_html(place / "study.html")
    (place / "study.qmd").write_text(_quarto(written, place), encoding="utf-8")
    if study.plans:
        (place / "plan.toml").write_text(study.plans[-1].text, encoding="utf-8")
    with (files("reports.render") / "templates" / SCRIPT).open("rb") as source, (place / SCRIPT).open("wb") as target:
        shutil.copyfileobj(source, target)
    for name, table in study.tables.items():
        for kind in KINDS:
            write_table(place / DATA / f"{name}.{kind}", kind, table, LABELS.get(name))
    return sorted(path for path in _expected(study, place) if path.exists())


def _expected(study: StudyReport, place: Path) -> Iterator[Path]:
    yield from (place / name for name in ("study.html", "study.qmd", "plan.toml", SCRIPT))
    yield from (place / DATA / f"{name}.{kind}" for name in study.tables for kind in KINDS)
    yield from (place / FIGURES).glob("figure_*.png")


def _quarto(written: Report, place: Path) -> str:
    numbers = count(1)

    def picture(plot: Plot) -> str:
        name = f"{FIGURES}/figure_{next(numbers)}.png"
        write(Figure("", "", [("", plot)]), place / name)
        return name

    study: StudyReport = written.data
    head = {
        "title": f"Study of {study.data_set}",
        "date": "today",
        "format": {"html": {"toc": True, "embed-resources": True}, "docx": "default"},
    }
    about = f"Figures, and the data behind them, are in `{DATA}/`; `Rscript {SCRIPT}` computes them once more."
    return page(head, *document(written.render(), picture), about)
