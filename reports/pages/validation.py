"""`kallos validate`: the verdict on a model for other raters, and why."""

from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.scale import MODEL_SCALE
from reports.pages.external_evaluation import ExternalReport, left_out, other_trait, scatter
from reports.pages.groups import p_value
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.palette import BAD, GOOD, WARM
from reports.render.plots import Lines
from reports.render.scales import shown_on
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import BRACKETS, BRACKETS_OF_COVERAGE, estimate_text
from reports.stats.shift import Shift
from reports.stats.validity import FALSE_ALARM, USEFUL, Validity

NAME = "validation"
STYLES = {"use": GOOD, "recalibrate": GOOD, "do not use": BAD, "undecided": WARM}
READING = (
    f"The verdict is decided by the corrected correlation of ranks, with its 95 % interval: above {USEFUL} use, below "
    "do not use, across undecided. Corrected is Spearman's correlation over the root of the reliability of these "
    "raters' mean scores: what it would be without their noise. Of models whose corrected correlation is "
    f"{USEFUL} or less, about one in twenty at most is said to be usable, and so many of those above not to be. "
    f"Offset and slope are of the raters' scores on the predictions, on {MODEL_SCALE}. {BRACKETS} "
    f"{BRACKETS_OF_COVERAGE}"
)


@dataclass(frozen=True)
class Validation:
    """The verdict, what it rests on, and the map that `kallos score --data-set` uses, if the model may be used.

    evaluation      what `kallos evaluate` says of the same photos
    shared, scores  predictions, rising, and what they become, on the scale of models
    widening        factor of the half-widths of intervals
    bundle          whose models they are; None for those of the store
    """

    evaluation: ExternalReport
    validity: Validity
    shift: Shift
    shared: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    widening: float | None = None
    bundle: str | None = None


def render(report: Validation) -> RenderableType:
    evaluation, found = report.evaluation, report.validity
    return page(
        "Validation",
        f"{plural(found.n, 'photo')} of {evaluation.data_set}, models trained on {evaluation.trained_on}",
        other_trait(evaluation),
        Text.assemble("Verdict: ", (found.verdict, f"bold {STYLES[found.verdict]}")),
        "\n".join(reasons(report)),
        left_out(evaluation),
        _figures_table(report),
        dim(READING),
        section("Shift", *_shift_parts(report.shift), remark="beside the training photos, without any label"),
        section("The map", _map(report), remark=f"predicted to raters' score, on {shown_on(evaluation.scale)}")
        if found.verdict == "recalibrate"
        else None,
        section("Predicted against the raters' score", scatter(evaluation)),
    )


def reasons(report: Validation) -> list[str]:
    """Why the verdict is what it is and what to do now, a sentence each."""
    evaluation, found = report.evaluation, report.validity
    corrected = f"The corrected correlation is {estimate_text(found.corrected)}"
    if found.reliability is None:
        corrected = (
            "These raters' noise is not known, for lack of single ratings, and is not corrected for: the correlation "
            f"is {estimate_text(found.corrected)}"
        )
    bundle = f" --bundle {report.bundle}" if report.bundle else ""
    to_predict = f"`kallos score photo.jpg --data-set {evaluation.data_set}{bundle}` scores as these raters would."
    match found.verdict:
        case "use":
            return [
                f"{corrected}: the model orders photos as these raters do, and neither level nor coverage are off.",
                to_predict,
            ]
        case "recalibrate":
            best = evaluation.models[0].overall
            return [
                f"{corrected}: the model orders photos as these raters do, but it {', and '.join(_off(found))}.",
                "A monotone map was fitted on these photos and stored: on photos that it had not seen, the mean error "
                f"was {estimate_text(best.mapped_mae)} instead of {estimate_text(best.mae)}. {to_predict}",
            ]
        case "do not use":
            return [f"{corrected}: on these photos the model says too little of what these raters would."]
        case _:
            return [f"{corrected}: these photos are too few to tell whether it is above {USEFUL}.", _more(found)]


def _off(found: Validity) -> list[str]:
    off = []
    if found.miscalibrated < FALSE_ALARM:
        level = f"offset {estimate_text(found.offset, sign=True)}, slope {estimate_text(found.slope)}"
        off.append(f"is not on their level ({level})")
    if found.coverage and found.uncovered is not None and found.uncovered < FALSE_ALARM:
        off.append(f"covers {number(100 * found.coverage.value, 0)} % of their scores by its 90 % intervals")
    return off


def _more(found: Validity) -> str:
    if found.reliability is not None and found.reliability.low < 0.2:
        return "These raters hardly agree: more raters of the same photos would tell more than more photos."
    if found.needed is None:
        return f"Were it as estimated, so near {USEFUL}, even 2,000 photos would hardly tell."
    return f"Were it as estimated, {found.needed:,} rated photos would decide it with 80 % probability."


def _figures_table(report: Validation) -> PlainTable:
    found, best = report.validity, report.evaluation.models[0].overall
    rows: list[tuple[str, Estimate | None, str]] = [
        ("Spearman's correlation", found.spearman, "as it is"),
        ("reliability of the scores", found.reliability, "share of their variance that is not the raters' noise"),
        ("corrected correlation", found.corrected, f"above {USEFUL}: two of three pairs in these raters' order"),
        ("offset", found.offset, f"0; with the slope {_p(found.miscalibrated)}"),
        ("slope", found.slope, "1"),
        ("coverage of 90 % intervals", found.coverage, "90 %"),
        ("mean error", best.mae, "as it is"),
        ("mean error after a map", best.mapped_mae, "on photos that the map had not seen"),
    ]
    table = plain_table("figure", "value", "should be, or what it is", text=(0, 2))
    for name, estimate, meaning in rows:
        table.add_row(name, "–" if estimate is None else estimate_text(estimate), meaning)
    return table


def _shift_parts(found: Shift) -> list[RenderableType]:
    if found.warned is None:
        warned = "The models had too few training photos to tell which photos are unlike them."
    else:
        warned = (
            f"Of these photos {estimate_text(found.warned)} get a warning that they are unlike the training photos; "
            f"{number(found.expected, 2)} of photos like those do ({_p(found.p or 0.0)})."
        )
    shifted = f"{found.shifted} of {plural(found.compared, 'feature')} differ in their mean beyond chance."
    parts: list[RenderableType] = [Text(f"{warned} {shifted}")]
    if found.features:
        shown = ((each.feature, number(each.mean, 2, sign=True)) for each in found.features)
        parts.append(plain_table("feature", "mean, in training sds", rows=shown))
    if found.unusual:
        most = sorted(found.unusual.items(), key=lambda measure: -measure[1])
        rows = ((name, number(share, 2)) for name, share in most)
        parts.append(plain_table("unlike in", "share of photos", rows=rows))
    return parts


def _p(value: float) -> str:
    text = p_value(value)
    return f"p {text}" if text.startswith("≤") else f"p = {text}"


def _map(report: Validation) -> RenderableType:
    own = shown_on(report.evaluation.scale)
    curve = own.from_models(np.array(report.shared)), own.from_models(np.array(report.scores))
    curves = {"map": curve, "unchanged": (np.array(own), np.array(own))}
    widening = dim(f"Intervals become {number(report.widening, 2)} times as wide after it.")
    return Group(Lines(curves, "predicted", "as these raters"), widening)
