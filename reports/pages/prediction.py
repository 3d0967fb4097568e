"""The prediction for one photo: a panel for people, plain values for programs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from extractors.errors import KallosError
from featurestore.records import Explanation, Prediction
from featurestore.scale import MODEL_SCALE
from reports.render.bars import ScoreLine, score_bar
from reports.render.layout import dim, number, plain_table, plural
from reports.render.meaning import MEANING
from reports.render.palette import ACCENT, REGION_COLOURS, WARM
from reports.render.scales import interval_on, score_on, shown_on
from reports.stats.simpler_models import doubts, training_source

INTERVAL = "90 % interval"


def as_dict(photo: Path, answer: Prediction | Explanation | KallosError) -> dict[str, Any]:
    """Plain values; of what cannot be used the same fields, all null but its name and the reason, `problem`."""
    if isinstance(answer, Explanation):
        return as_dict(photo, answer.prediction)
    scored = None if isinstance(answer, KallosError) else answer
    return {
        **{field.name: getattr(scored, field.name, None) for field in fields(Prediction) if field.name != "landmarks"},
        "photo": photo,
        "own_scale": scored and _on_own_scale(scored),
        "doubts": scored and doubts(scored.origin),
        "problem": None if scored else str(answer),
        "meaning": MEANING,
    }


def _on_own_scale(prediction: Prediction) -> dict[str, float | None] | None:
    """The score and its interval on the scale that the raters used; None where they used several."""
    if prediction.origin.scale is None:
        return None
    own = shown_on(prediction.origin.scale)
    values = {"score": prediction.score, "low": prediction.low, "high": prediction.high}
    shown = {name: None if value is None else own.from_models(value) for name, value in values.items()}
    return {"lowest": own.low, "highest": own.high, **shown}


def render(prediction: Prediction) -> RenderableType:
    parts: list[RenderableType] = [_score(prediction), dim(_sum(prediction))]
    if prediction.sub_scores:
        parts += ["", _sub_scores(prediction)]
    if warnings := [*prediction.notes, *doubts(prediction.origin)]:
        parts += ["", *(Text(f"! {warning}", style=WARM) for warning in warnings)]
    parts += ["", dim(f"{training_source(prediction.origin)}."), dim(MEANING)]
    title = Text(prediction.photo.name, style="bold")
    return Panel(Group(*parts), title=title, title_align="left", border_style="dim", padding=(1, 2), width=80)


def lines(predictions: Iterable[Prediction], photos: Sequence[Path]) -> Iterator[Text]:
    """A line for each of many photos, in columns wide enough for the names of `photos`, and what they come from."""
    width = max(len(photo.name) for photo in photos)
    origin = None
    for p in predictions:
        own = shown_on(p.origin.scale)
        heading, second = f"score on {own}", "" if own == MODEL_SCALE else f"on {MODEL_SCALE}"
        room = max(len(INTERVAL), 2 * max(len(number(end, 2)) for end in own) + len(" to "))
        if origin is None:
            yield dim(f"{'photo':{width}}  {heading}  {INTERVAL:>{room}}  {second}")
        origin = p.origin
        ends = interval_on(own, p.low, p.high)
        yield Text.assemble(
            f"{p.photo.name:{width}}  ",
            (f"{score_on(own, p.score):>{len(heading)}}", f"bold {ACCENT}"),
            f"  {ends:>{room}}",
            f"  {number(p.score, 2):>{len(second)}}" if second else "",
            (f"  ! {p.notes[0]}" if p.notes else "", WARM),
            dim(f" and {plural(len(p.notes) - 1, 'more remark')}" if len(p.notes) > 1 else ""),
        )
    if origin:
        yield from (Text(f"! {doubt}", style=WARM) for doubt in doubts(origin))
        yield dim(f"{training_source(origin)}.")
    yield dim(MEANING)


def _score(prediction: Prediction) -> Table:
    table = Table.grid("", Column(no_wrap=True), "", padding=(0, 2, 0, 0))
    own = shown_on(prediction.origin.scale)
    table.add_row(
        Text(f"score on {own}", style="bold"),
        Text(score_on(own, prediction.score), style=f"bold {ACCENT}"),
        ScoreLine(own.from_models(prediction.score), *own, f"bold {ACCENT}"),
    )
    interval, of_models = (interval_on(scale, prediction.low, prediction.high) for scale in (own, MODEL_SCALE))
    table.add_row(
        dim(INTERVAL), "", Text.assemble((interval, ACCENT), (", for photos like the training photos", "dim"))
    )
    if own != MODEL_SCALE:
        score = number(prediction.score, 2)
        table.add_row(dim(f"on {MODEL_SCALE}"), dim(score), dim(f"{of_models}, the scale that models work on"))
    for name, member in prediction.members.items():
        table.add_row(dim(f"model {name}"), dim(score_on(own, member)), ScoreLine(own.from_models(member), *own))
    return table


def _sum(prediction: Prediction) -> str:
    """How the score is made of the models' scores, in figures that add up to it, on the scale that leads."""
    if not prediction.combined_by:
        return f"combined, and mapped to scores of {prediction.origin.scored_for}: the parts do not add up there"
    own = shown_on(prediction.origin.scale)
    shares = {name: share for name, share in prediction.combined_by.items() if round(share, 3)}
    weighted = " + ".join(f"{number(share)} × {name}" for name, share in shares.items())
    summed = sum(weight * prediction.members[name] for name, weight in prediction.combined_by.items())
    added = {"correction of the combiner": prediction.correction, "bias of the group": -prediction.bias}
    beyond = prediction.score - summed - sum(added.values())
    added["what lies beyond the scale"] = beyond
    shown = {what: round(own.errors_from_models(value), 2) for what, value in added.items()}
    others = (f" {'-' if v < 0 else '+'} {number(abs(v), 2)} ({what})" for what, v in shown.items() if v)
    return f"score = {weighted}{''.join(others)}"


def _sub_scores(prediction: Prediction) -> Table:
    """Regions by falling weight."""
    own = shown_on(prediction.origin.scale)
    table = plain_table("region", "sub-score", own.words, "weight", "")
    table.columns[2].justify = "left"
    heaviest = max(prediction.weights.values())
    for region in sorted(prediction.sub_scores, key=lambda region: -prediction.weights[region]):
        colour, weight = REGION_COLOURS[region], prediction.weights[region]
        score, share = prediction.sub_scores[region], f"{100 * weight:.0f} %"
        bars = score_bar(score, *MODEL_SCALE, 26, colour), score_bar(weight, 0, heaviest, 12, "dim")
        table.add_row(Text(region, style=colour), score_on(own, score), bars[0], share, bars[1])
    return table
