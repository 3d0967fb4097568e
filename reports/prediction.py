"""What kallos says of one photo: a panel for people, plain values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from featurestore.records import SCALE, Prediction
from reports.bars import Scale, score_bar
from reports.layout import dim, number, table
from reports.meaning import MEANING
from reports.palette import ACCENT, REGION_COLOURS, WARM

LOW, HIGH = SCALE


def as_dict(prediction: Prediction, *, landmarks: bool = False) -> dict[str, Any]:
    """Plain values; landmarks as 468 lists of x, y, z in pixels when asked for."""
    plain: dict[str, Any] = {
        "photo": str(prediction.photo),
        "score": prediction.score,
        "low": prediction.low,
        "high": prediction.high,
        "members": dict(prediction.members),
        "sub_scores": dict(prediction.sub_scores),
        "weights": dict(prediction.weights),
        "features": dict(prediction.features),
        "notes": list(prediction.notes),
        "versions": dict(prediction.versions),
        "meaning": MEANING,
    }
    return plain | ({"landmarks": prediction.landmarks.tolist()} if landmarks else {})


def render(prediction: Prediction) -> RenderableType:
    """A panel of at most 80 columns."""
    parts: list[RenderableType] = [_score(prediction)]
    if prediction.sub_scores:
        parts += ["", _sub_scores(prediction)]
    if prediction.notes:
        parts += ["", *(Text(f"! {note}", style=WARM) for note in prediction.notes)]
    parts += ["", dim(MEANING)]
    title = Text(str(prediction.photo.name), style="bold")
    return Panel(
        Group(*parts), title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(1, 2), width=80
    )


def lines(predictions: Iterable[Prediction], photos: Sequence[Path]) -> Iterator[Text]:
    """A line for each of many photos, in columns wide enough for the names of `photos`."""
    width = max(len(photo.name) for photo in photos)
    yield dim(f"{'photo':{width}}  score  90 % interval  ")
    for p in predictions:
        ends = f"{number(p.low, 2)} to {number(p.high, 2)}"
        yield Text.assemble(
            f"{p.photo.name:{width}}  ",
            (f"{number(p.score, 2):>5}", f"bold {ACCENT}"),
            f"  {ends:>13}",
            (f"  ! {p.notes[0]}" if p.notes else "", WARM),
            dim(f" {len(p.notes) - 1} more remarks" if len(p.notes) > 1 else ""),
        )
    yield dim(MEANING)


def _score(prediction: Prediction) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    for is_figure in (False, True, False):
        made.add_column(no_wrap=is_figure)
    made.add_row(
        Text("score", style="bold"),
        Text(number(prediction.score, 2), style=f"bold {ACCENT}"),
        Scale(prediction.score, LOW, HIGH, f"bold {ACCENT}"),
    )
    interval = f"{number(prediction.low, 2)} to {number(prediction.high, 2)}"
    made.add_row(
        dim("90 % interval"), "", Text.assemble((interval, ACCENT), (", for photos like those it learnt from", "dim"))
    )
    for name, score in prediction.members.items():
        made.add_row(dim(f"model {name}"), dim(number(score, 2)), Scale(score, LOW, HIGH))
    return made


def _sub_scores(prediction: Prediction) -> Table:
    """Regions by falling weight."""
    made = table("region", "sub-score", f"{LOW:g} to {HIGH:g}", "weight", "")
    made.columns[2].justify = "left"
    heaviest = max(prediction.weights.values())
    for region in sorted(prediction.sub_scores, key=lambda region: -prediction.weights[region]):
        colour = REGION_COLOURS[region]
        weight = prediction.weights[region]
        made.add_row(
            Text(region, style=colour),
            number(prediction.sub_scores[region], 2),
            score_bar(prediction.sub_scores[region], LOW, HIGH, 26, colour),
            f"{100 * weight:.0f} %",
            score_bar(weight, 0, heaviest, 12, "dim"),
        )
    return made
