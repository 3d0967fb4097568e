"""Scores on the data set's own scale beside the one that models are trained on."""

from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.traits import Target
from reports.render.layout import number

ERRORS_ON = f"MAE and RMSE are on the scale of {MODEL_SCALE.words}"


def shown_on(scale: Scale | None) -> Scale:
    """The scale that scores are shown on: the data sets' own, or that of models where the data sets have several."""
    return MODEL_SCALE if scale is None else Scale(*scale)


def score_on(scale: Scale, score: float | None) -> str:
    """A score of models as a figure on this scale; a dash where there is none."""
    return number(None if score is None else scale.from_models(score), 2)


def interval_on(scale: Scale, low: float | None, high: float | None) -> str:
    """`2.85 to 4.35`, the ends of an interval of models; a dash where there is none."""
    return number(None, 2) if low is None or high is None else f"{score_on(scale, low)} to {score_on(scale, high)}"


def titled_interval(scale: Scale, low: float | None, high: float | None) -> str:
    """`90 % interval 2.85 to 4.35`; `no 90 % interval` where there is none."""
    return "no 90 % interval" if low is None else f"90 % interval {interval_on(scale, low, high)}"


def on_both(score: float, scale: Scale | None, digits: int = 2) -> str:
    """`4.90 on 1-7 (3.60 on 1-5)`; `3.60 on 1-5` where both scales are the same, or there is no other."""
    own = shown_on(scale)
    return _both(own.from_models(score), score, own, digits)


def error_on_both(error: float, scale: Scale | None, digits: int = 2) -> str:
    """`0.90 on 1-7 (0.60 on 1-5)`, of a difference of two scores; like `on_both`."""
    own = shown_on(scale)
    return _both(own.errors_from_models(error), error, own, digits)


def _both(value: float, of_models: float, own: Scale, digits: int) -> str:
    second = "" if own == MODEL_SCALE else f" ({number(of_models, digits)} on {MODEL_SCALE})"
    return f"{number(value, digits)} on {own}{second}"


def mapped(scale: Scale, how: str) -> str:
    """`, mapped linearly to 1-5` for a `how` of `mapped linearly`; nothing where both scales are the same."""
    return "" if scale == MODEL_SCALE else f", {how} to {MODEL_SCALE}"


def target_line(target: Target) -> str | None:
    """The trait of the training, and errors on the raters' own scale; None if there is nothing to add."""
    named_trait = "" if target.trait == UNNAMED_TRAIT else f"Trait: {target.trait}."
    own = shown_on(target.scale)
    if own == MODEL_SCALE:
        return named_trait or None
    factor = own.errors_from_models(1.0)
    scales = f"Raters used {own}; figures are on {MODEL_SCALE}: an error times {factor:g} is on theirs."
    return f"{named_trait} {scales}".strip()
