"""`kallos score clip.mp4`: the faces of a video, and their scores over time."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from reports.render.layout import dim, duration, number, page, plain_table, plural, section
from reports.render.meaning import MEANING
from reports.render.palette import WARM
from reports.render.plots import Lines

SHOWN = 8
"""Faces with a curve and a line each: those seen most often."""


@dataclass(frozen=True, eq=False)
class FaceOverTime:
    """One face: times in seconds (n,), and its scores at them, on the raters' own scale."""

    face: int
    seconds: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OverTime:
    """One video: its faces, those seen most often first; frames looked at, and those without a face."""

    video: str
    scale: str
    frames: int
    empty: int
    faces: tuple[FaceOverTime, ...]
    doubts: str | None


def data(rows: pl.DataFrame) -> OverTime:
    """Of the rows of one video, as `prediction_table.table` gives them; at least one has a score."""
    seen = rows.drop_nulls("face")
    faces = [
        FaceOverTime(int(face), of_face["seconds"].to_numpy(), of_face["own_score"].to_numpy())
        for (face,), of_face in seen.group_by("face", maintain_order=True)
    ]
    return OverTime(
        video=rows["photo"][0],
        scale=seen["own_scale"][0],
        frames=rows["frame"].n_unique(),
        empty=len(rows) - len(seen),
        faces=tuple(sorted(faces, key=lambda each: (-len(each.scores), each.face))),
        doubts=seen["doubts"][0],
    )


def render(report: OverTime) -> RenderableType:
    shown, others = report.faces[:SHOWN], len(report.faces) - SHOWN
    table = plain_table("face", "from", "to", "frames", "median", "lowest", "highest")
    for each in shown:
        figures = (np.median(each.scores), each.scores.min(), each.scores.max())
        between = (duration(float(each.seconds[end])) for end in (0, -1))
        table.add_row(f"face {each.face}", *between, f"{len(each.scores):,}", *(number(float(f), 2) for f in figures))
    curves = {f"face {each.face}": (each.seconds, each.scores) for each in shown}
    looked_at = f"{plural(report.frames, 'frame')} looked at"
    return page(
        report.video,
        f"{looked_at}, {report.empty:,} without a face" if report.empty else looked_at,
        section("Faces", table, remark=f"scores of single frames, on {report.scale}"),
        dim(f"{plural(others, 'face')} more, seen less often, in the rows of --csv alone.") if others > 0 else None,
        section("Over time", Lines(curves, "seconds", f"score on {report.scale}")),
        dim("A face is followed by where it is; one that was away for more than 2 s, or jumps, has a new number."),
        Text(f"! {report.doubts}", style=WARM) if report.doubts else None,
        dim(MEANING),
    )
