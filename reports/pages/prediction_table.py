"""Predictions as a table, one row a photo or a face in a frame of a video, for statistics programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from extractors.definitions import catalogue
from extractors.errors import KallosError
from extractors.regions import REGIONS
from featurestore.records import Explanation, Prediction, Sight
from featurestore.scale import MODEL_SCALE
from models.registry import SUMMARIES
from reports.render.scales import shown_on
from reports.render.table_files import Labels
from reports.stats.simpler_models import doubts

COLUMNS: Mapping[str, tuple[type[pl.DataType], str]] = {
    "photo": (pl.String, "path of the photo or video, as it was given"),
    "score": (pl.Float64, f"estimated mean rating of the photo by a pool of raters, {MODEL_SCALE}"),
    "low": (pl.Float64, f"lower end of the score's 90 % interval, {MODEL_SCALE}"),
    "high": (pl.Float64, f"upper end of the score's 90 % interval, {MODEL_SCALE}"),
    "own_score": (pl.Float64, "score on the raters' own scale"),
    "own_low": (pl.Float64, "lower end of the interval on the raters' own scale"),
    "own_high": (pl.Float64, "upper end of the interval on the raters' own scale"),
    "own_scale": (pl.String, "lowest and highest score of the raters' own scale"),
    "scored_for": (pl.String, "data set whose raters' scores are estimated, of several that the model was trained on"),
    "trait": (pl.String, "what the raters were asked about"),
    "group": (pl.String, "subset whose calibration was used"),
    "in_training": (pl.Boolean, "whether the model was trained on this very photo"),
    "remarks": (pl.String, "what to beware of with this photo"),
    "problem": (pl.String, "why the photo has no score"),
    "model": (pl.String, "the model's run"),
    "data_sets": (pl.String, "the data sets it was trained on"),
    "protocol": (pl.String, "split that it was trained on"),
    "fold": (pl.Int32, "fold of the protocol, from 1"),
    "doubts": (pl.String, "what the model was not shown to be better than, on its own photos"),
}
"""What every table has, in this order: the column's type and label."""
OF_VIDEOS: Mapping[str, tuple[type[pl.DataType], str]] = {
    "frame": (pl.Int64, "frame of the video, from 0"),
    "seconds": (pl.Float64, "time of the frame in the video"),
    "face": (pl.Int32, "number of the face, from 1, which it keeps from frame to frame"),
}
"""What a table has besides where a video was scored."""


def row(
    photo: Path, answer: Prediction | Explanation | KallosError, group: str | None, sight: Sight | None = None
) -> dict[str, Any]:
    """One photo, or one face in a frame; of what cannot be used the reason alone."""
    # a name may hold bytes that are no text
    named = {"photo": str(photo).encode(errors="backslashreplace").decode(), "group": group}
    named |= asdict(sight) if sight else {}
    if isinstance(answer, KallosError):
        return named | {"problem": str(answer)}
    if isinstance(answer, Explanation):
        return row(photo, answer.prediction, group, sight) | _parts(answer)
    origin, own = answer.origin, shown_on(answer.origin.scale)
    on_models = {"score": answer.score, "low": answer.low, "high": answer.high}
    return {
        **named,
        **on_models,
        "in_training": answer.in_training,
        **{f"own_{name}": None if value is None else own.from_models(value) for name, value in on_models.items()},
        "own_scale": own.words,
        "scored_for": origin.scored_for,
        "trait": origin.trait,
        "remarks": "; ".join(answer.notes) or None,
        "model": origin.model,
        "data_sets": ", ".join(origin.data_sets),
        "protocol": origin.protocol,
        "fold": origin.fold,
        "doubts": " ".join(doubts(origin)) or None,
        **{f"model_{_word(name)}": score for name, score in answer.members.items()},
        **{f"sub_score_{region}": score for region, score in answer.sub_scores.items()},
        **{f"weight_{region}": weight for region, weight in answer.weights.items()},
        **answer.features,
    }


def _parts(explanation: Explanation) -> dict[str, float]:
    """What the score consists of, with the sums of `Explanation`."""
    regions, prediction = explanation.regions, explanation.prediction
    return {
        **{f"ensemble_weight_{_word(name)}": weight for name, weight in prediction.combined_by.items()},
        "correction": prediction.correction,
        "bias": prediction.bias,
        **{f"contribution_{region}": parts.contribution for region, parts in regions.items()},
        **{f"average_{region}": parts.average for region, parts in regions.items()},
        **{f"windows_{region}": parts.windows for region, parts in regions.items()},
        **{f"moved_by_{name}": moved for parts in regions.values() for name, moved in parts.features.items()},
    }


def _word(model: str) -> str:
    return model.replace("-", "_")


def table(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, Labels]:
    """The rows together, and a label a column."""
    standing = {**COLUMNS, **(OF_VIDEOS if any("frame" in values for values in rows) else {})}
    schema: dict[str, Any] = {name: kind for name, (kind, _) in standing.items()}
    schema |= {name: pl.Float64 for values in rows for name in values if name not in schema}
    labels = {name: label for name, (_, label) in standing.items()}
    for name, what in SUMMARIES.items():
        labels[f"model_{_word(name)}"] = f"score of {name}, {MODEL_SCALE}: {what}"
    for region in REGIONS:
        labels |= {
            f"sub_score_{region}": f"sub-score of {region}, {MODEL_SCALE}: an attribution of Model B, no rating",
            f"weight_{region}": f"weight of {region} in Model B",
        }
    labels |= {feature.name: f"{feature.summary} [{feature.unit}]" for feature in catalogue()}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.Float64).fill_nan(None)), labels
