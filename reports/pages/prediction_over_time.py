"""`kallos score clip.mp4`: the faces of a video, and their scores over time."""

import numpy as np
import polars as pl
from rich.console import RenderableType
from rich.text import Text

from reports.render.layout import dim, duration, number, page, plain_table, plural, section
from reports.render.meaning import MEANING
from reports.render.palette import WARM
from reports.render.plots import Lines

SHOWN = 8
"""Faces with a curve and a line each: those seen most often."""


def render(rows: pl.DataFrame) -> RenderableType:
    """Of the rows of one video, as `prediction_table.table` gives them; at least one has a score."""
    seen = rows.drop_nulls("face")
    faces = sorted(seen.partition_by("face", maintain_order=True), key=lambda face: (-len(face), face["face"][0]))
    table = plain_table("face", "from", "to", "frames", "median", "lowest", "highest")
    curves = {}
    for face in faces[:SHOWN]:
        name, seconds, scores = f"face {face['face'][0]}", face["seconds"].to_numpy(), face["own_score"].to_numpy()
        between = (duration(float(seconds[end])) for end in (0, -1))
        figures = (number(float(figure), 2) for figure in (np.median(scores), scores.min(), scores.max()))
        table.add_row(name, *between, f"{len(scores):,}", *figures)
        curves[name] = seconds, scores
    looked_at, empty = f"{plural(rows['frame'].n_unique(), 'frame')} looked at", len(rows) - len(seen)
    others, scale, doubts = len(faces) - SHOWN, seen["own_scale"][0], seen["doubts"][0]
    return page(
        rows["photo"][0],
        f"{looked_at}, {empty:,} without a face" if empty else looked_at,
        section("Faces", table, remark=f"scores of single frames, on {scale}"),
        dim(f"{plural(others, 'face')} more, seen less often, in the rows of --csv alone.") if others > 0 else None,
        section("Over time", Lines(curves, "seconds", f"score on {scale}")),
        dim("A face is followed by where it is; one that was away for more than 2 s, or jumps, has a new number."),
        Text(f"! {doubts}", style=WARM) if doubts else None,
        dim(MEANING),
    )
