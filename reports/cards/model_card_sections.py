"""Sections of a model card: linked scales, prediction intervals, and choices made by looking at photos."""

import numpy as np

from featurestore.calibration import FEWEST, LEVEL, Calibration
from featurestore.scale import MODEL_SCALE
from featurestore.scale_maps import FEWEST_SHARED, ScaleMaps
from featurestore.selections import Seen
from reports.cards.model_card import ModelCard
from reports.render.layout import number, plural
from reports.render.markdown import escape, grid
from reports.render.scales import error_on_both
from reports.stats.choices import most_seen
from reports.stats.estimates import estimate_text

STEPS = 9
"""Shared scores that are shown, from the lowest to the highest."""


def linked_scales(maps: ScaleMaps) -> str | None:
    """The section; None for a run on one data set."""
    if not maps.maps:
        return None
    shared = np.linspace(*MODEL_SCALE, STEPS)
    titles = [f"{escape(name)}, {each.scale}" for name, each in maps.maps.items()]
    columns = [each.scale.from_models(each.from_shared(shared)) for each in maps.maps.values()]
    rows = (tuple(number(score, 2) for score in row) for row in zip(*columns, strict=True))
    reading = (
        f"The models learnt one shared score, on the scale of {escape(str(maps.reference))}. The quantiles of the "
        "training scores were linked: the scores of one row stand for the same. Where fewer than "
        f"{FEWEST_SHARED} photos were rated in both data sets, that assumes that their photos are as attractive on the "
        "whole, which no figure here can test. Figures are on the scale of each photo's own data set."
    )
    return f"## Several data sets\n\n{reading}\n\n{grid(titles, rows)}"


def intervals_section(card: ModelCard) -> str | None:
    """The section of the intervals; None for a run without any."""
    if not card.calibrations:
        return None
    title = "## How sure a score is"
    everyone, groups = card.calibrations[None], {name: group for name, group in card.calibrations.items() if name}
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
        lines = (
            (escape(name), f"{group.n:,}", number(group.bias, 2, sign=True), _half_width(group))
            for name, group in groups.items()
        )
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


def _half_width(calibration: Calibration) -> str:
    least, most = (number(end, 2) for end in (min(calibration.half_widths), max(calibration.half_widths)))
    return f"± {least}" if least == most else f"± {least} to {most}"


def choices_section(card: ModelCard) -> str:
    """Those about protocols of the store in a table, with how many test photos they looked at; the others counted."""
    known = [choice for choice in card.choices if choice.seen is not None]
    unknown = [choice for choice in card.choices if choice.seen is None]
    parts = [
        "## What was chosen by looking at scores of photos",
        None if card.choices else "No choice is on record for these runs.",
        _table(known) if known else None,
        _elsewhere(unknown) if unknown else None,
    ]
    return "\n\n".join(part for part in parts if part)


def verdict(card: ModelCard) -> str | None:
    """Whether figures on the test photos may be too good, in a sentence that stands above them."""
    test = card.main.roles.get("test")
    if test is None or not card.choices:
        return None
    if seen := most_seen(card.choices):
        return (
            f"**Choices behind this model looked at up to {seen:,} of its {test.n:,} test photos: its figures on them "
            "may be too good**; they are listed below."
        )
    return f"No choice on record is known to have looked at one of its {test.n:,} test photos."


def _table(known: list[Seen]) -> str:
    columns = ("choice", "of", "rows looked at", "on", "compared by", "effect", "these rows", "test photos among them")
    rows = (
        (
            escape(choice.choice),
            ", ".join(map(escape, choice.models)),
            f"{choice.row_count:,} of {escape(choice.protocol)}, "
            f"{'every fold' if choice.fold is None else f'fold {choice.fold}'}, {escape(choice.role)}",
            choice.made_on,
            escape(choice.metric),
            escape(choice.effect or "–"),
            choice.basis,
            f"up to {choice.seen:,}" if choice.seen else "0",
        )
        for choice in known
    )
    return (
        f"{grid(columns, rows, text=7)}\n\nEffects are as they were recorded, of single fits and without intervals. "
        "These rows *decided* the choice, or figures on them were only *known* when other rows decided it."
    )


def _elsewhere(unknown: list[Seen]) -> str:
    protocols = ", ".join(sorted({escape(choice.protocol) for choice in unknown}))
    last = max(choice.made_on for choice in unknown)
    return (
        f"{plural(len(unknown), 'choice')} behind this model, the last of {last}, looked at photos of {protocols}. "
        "This store has no protocol of that name, so whether test photos of this card are among them is not known: "
        '`kallos sql "FROM selections"` lists them.'
    )
