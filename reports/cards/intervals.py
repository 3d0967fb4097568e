"""The section of a model card on its prediction intervals: what they aim at, what they are, what was measured."""

from __future__ import annotations

from featurestore.calibration import FEWEST, LEVEL, Calibration
from featurestore.scale import MODEL_SCALE
from reports.cards.model_card import ModelCard
from reports.render.layout import number
from reports.render.markdown import escape, grid
from reports.render.scales import error_on_both
from reports.stats.estimates import estimate_text


def intervals_section(card: ModelCard) -> str | None:
    """The section of the intervals; None for a run without any."""
    if not card.calibrations:
        return None
    title = "## How sure a score is"
    everyone, groups = card.calibrations[None], [(name, of) for name, of in card.calibrations.items() if name]
    if not everyone.half_widths:
        return f"{title}\n\nNot known: intervals take {FEWEST} training rows, and there are {everyone.n}."
    low, high = (100 * share for share in everyone.likely_coverage)
    aim = (
        f"Intervals aim to cover {100 * LEVEL:.0f} % of new photos like the training rows: {_reach(card, everyone)}. "
        f"They are as wide as the errors on {everyone.n:,} training rows, each predicted out of fold, by members and a "
        "combiner that had not seen it. This is no guarantee: new photos are scored by fits on more rows, and were the "
        f"errors independent, 90 of 100 trainings on as many rows would cover between {low:.1f} and {high:.1f} %."
    )
    test, measured = card.main.roles.get("test"), ""
    if test and test.coverage and card.width:
        measured = (
            f" On the test rows they cover {estimate_text(test.coverage)} and are {number(card.width, 2)} wide on "
            f"average, on {MODEL_SCALE}."
        )
    parts = [title, aim + measured]
    if groups:
        shared = " of shared scores" if card.maps.maps else ""
        lines = ((escape(name), f"{of.n:,}", number(of.bias, 2, sign=True), _ends(of)) for name, of in groups)
        parts += [
            "Calibrations of single subsets, which `kallos score PHOTO --group NAME` uses and nothing else does: "
            f"the bias is subtracted from the score. Bias and half-width are on {MODEL_SCALE}{shared}.",
            grid(("subset", "rows", "bias", "half-width"), lines),
        ]
    return "\n\n".join(parts)


def _reach(card: ModelCard, calibration: Calibration) -> str:
    least, most = min(calibration.half_widths), max(calibration.half_widths)
    if least == most:
        return f"the score ± {error_on_both(least, card.target.scale)}"
    ends = " to ".join(error_on_both(end, card.target.scale) for end in (least, most))
    return f"the score ± {ends}, by the usual error at such a score"


def _ends(calibration: Calibration) -> str:
    least, most = (number(end, 2) for end in (min(calibration.half_widths), max(calibration.half_widths)))
    return f"± {least}" if least == most else f"± {least} to {most}"
