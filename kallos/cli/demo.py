"""`kallos demo`: the whole workflow on drawn portraits; each step is shown as the command that runs it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.export import export
from kallos.cli.extract import extract
from kallos.cli.ingest import run as ingest
from kallos.cli.report import ReportName, report
from kallos.cli.score import score
from kallos.cli.train import ModelChoice, train

IMAGE_SIZE, BATCH_SIZE, EPOCHS = 128, 16, 2
"""Settings of Model A for 240 portraits: small and short, as its head starts from a ridge regression."""

LEFT_OUT = ("benchmark", "lineage")
"""One needs every fold trained, the other needs an image."""


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything goes.")] = Path("demo"),
    count: Annotated[int, typer.Option(help="How many portraits.", min=100)] = 400,
) -> None:
    """The whole workflow on drawn portraits: nothing is downloaded, no photo is needed."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "kallos.duckdb"
    portraits, bundle, figures, overlays = (folder / n for n in ("portraits", "bundle", "figures", "overlays"))

    _step(f"export KALLOS_STORE={store}")
    _step(f"kallos ingest demo {portraits} --count {count}")
    ingest("demo", portraits, store, json=False, count=count)

    _step("kallos extract")
    extract(store=store)

    _step(f"kallos train all --image-size {IMAGE_SIZE} --batch-size {BATCH_SIZE} --epochs {EPOCHS}")
    train(what=ModelChoice("all"), image_size=IMAGE_SIZE, batch_size=BATCH_SIZE, epochs=EPOCHS, store=store)

    for name in ReportName:
        if name in LEFT_OUT:
            continue
        _step(f"kallos report {name.value} --figures {figures}")
        report(name, figures=figures, store=store)

    _step(f"kallos export {bundle}")
    export(bundle, store=store)

    portrait, weights = _held_out(store, portraits)
    _step(f"kallos score {portrait} --bundle {bundle} --overlay {overlays}")
    score([portrait], overlay=overlays, bundle=bundle)

    locations: dict[str, Path | str] = {
        "networks started from": f"weights: {weights}",
        "portraits, ratings": portraits,
        "feature store": store,
        "figures": figures,
        "bundle": bundle,
        "overlay": overlays,
    }
    _print_locations(locations, time.monotonic() - began)


def _step(command: str) -> None:
    from rich.rule import Rule

    from kallos.cli.console import out

    out.print()
    out.print(Rule(style="dim"))
    # not wrapped at the width of the terminal, so that it can be copied
    out.print(f"$ {command}", style="bold", soft_wrap=True)


def _held_out(store: Path, portraits: Path) -> tuple[Path, str]:
    """A test portrait, and the initial weights that the runs record."""
    from featurestore.opening import open_store

    with open_store(store, read_only=True) as opened:
        path: str = opened.value(
            "SELECT path FROM predictions JOIN images USING (image_id) WHERE role = 'test' ORDER BY image_id LIMIT 1"
        )
        weights: str = opened.value("SELECT string_agg(DISTINCT weights, ', ') FROM runs")
    return portraits / "images" / path, weights


def _print_locations(locations: dict[str, Path | str], seconds: float) -> None:
    from rich.panel import Panel
    from rich.table import Table

    from kallos.cli.console import out

    table = Table.grid(padding=(0, 2))
    for label, path in locations.items():
        table.add_row(label, str(path))
    out.print()
    out.print(Panel(table, title=f"kallos demo: done in {seconds:.0f} s", title_align="left"))
