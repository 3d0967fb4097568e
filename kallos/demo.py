"""`kallos demo`: the main job from end to end on drawn portraits, each step shown as the command that does it."""

from __future__ import annotations

import time
from pathlib import Path

from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table

from featurestore.store import Store
from kallos.commands import data, learn, read, use
from kallos.commands.learn import What
from kallos.commands.read import ReportName
from kallos.console import out

BACKBONE = "mobilenet_v3_small"
EPOCHS = 6
IMAGE_SIZE = 96


def run_demo(folder: Path, count: int) -> None:
    """Draw, ingest, extract, train, report, export and predict, all inside `folder`."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "kallos.duckdb"
    portraits, bundle, figures, overlays = (folder / n for n in ("portraits", "bundle", "figures", "overlays"))

    _step(f"kallos ingest demo {portraits} --count {count}")
    data.ingest_demo(portraits, count=count, store=store)

    _step("kallos extract --weights none")
    data.extract(weights="none", store=store)

    _step(f"kallos train all --backbone {BACKBONE} --weights none --image-size {IMAGE_SIZE} --epochs {EPOCHS}")
    learn.train(
        What.ALL, backbone=BACKBONE, weights="none", image_size=IMAGE_SIZE, epochs=EPOCHS, patience=EPOCHS, store=store
    )
    for name in ReportName:
        _step(f"kallos report {name.value} --figures {figures}")
        read.report(name, figures=figures, store=store)

    _step(f"kallos export {bundle}")
    use.export(bundle, store=store)

    portrait = _held_out(store, portraits)
    _step(f"kallos predict {portrait} --bundle {bundle} --overlay {overlays}")
    use.predict([portrait], overlay=overlays, bundle=bundle)

    places = {
        "portraits and their ratings": portraits,
        "feature store (query it with kallos sql --store ...)": store,
        "figures": figures,
        "deployment bundle": bundle,
        "overlay of the predicted portrait": overlays,
    }
    _say_where(places, "none: every network was trained from a random start", time.monotonic() - began)


def _step(command: str) -> None:
    out.print()
    out.print(Rule(f"[bold]$ {command}", align="left", style="dim"))


def _held_out(store: Path, portraits: Path) -> Path:
    """A portrait that no model has learnt from: the first test row of fold 1."""
    with Store.open(store, read_only=True) as opened:
        path: str = opened.value(
            "SELECT path FROM splits JOIN images USING (image_id) WHERE role = 'test' AND fold = 1 "
            "ORDER BY image_id LIMIT 1"
        )
    return portraits / "images" / path


def _say_where(places: dict[str, Path], weights: str, seconds: float) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("weights that the networks started from", weights)
    for what, path in places.items():
        table.add_row(what, str(path))
    out.print()
    out.print(Panel(table, title=f"kallos demo: done in {seconds:.0f} s", title_align="left"))
