"""The page of `kallos explain`: the sum, the regions, the baseline's opinion, the nearest faces, what to beware of."""

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.scale import MODEL_SCALE
from reports.pages.explanation_data import ExplainedFeature, ExplanationReport
from reports.pages.similar import SAME, SimilarReport
from reports.render.bars import signed_bar
from reports.render.layout import Page, PlainTable, dim, number, page, plain_table, section
from reports.render.meaning import MEANING
from reports.render.palette import ACCENT, REGION_COLOURS, WARM
from reports.render.plots import Histogram
from reports.render.scales import on_both, score_on, shown_on, titled_interval
from reports.stats.simpler_models import training_source

UNSEEN = "what the encoder sees"


def render(report: ExplanationReport) -> Page:
    own, warnings = shown_on(report.origin.scale), [*report.notes, *report.doubts]
    whole, reference = f"the score of {report.regions_of}", "against a face that is the training mean"
    return page(
        f"Explanation of {report.photo.name}",
        f"score {on_both(report.score, own)}, {titled_interval(own, report.low, report.high)}",
        Text("\n".join(f"! {warning}" for warning in warnings), style=WARM) if warnings else None,
        section("How the score is made", _sum_table(report), remark=f"on {MODEL_SCALE}"),
        section("Among the photos of the store", _place_among(report), remark=f"on {own}") if report.raters else None,
        section("Region by region", _regions_table(report), remark=f"on {MODEL_SCALE}; points add up to {whole}"),
        section("What moved the regions", _features_table(report), remark=f"points on {MODEL_SCALE}, {reference}"),
        section("A second opinion: LightGBM on measured features", _trees(report), remark=f"points on {MODEL_SCALE}")
        if report.trees
        else None,
        *(
            section(f"Nearest by {similar.by}", _nearest_table(similar), remark=similar.distance)
            for similar in report.neighbours
        ),
        dim(MEANING),
        dim(f"{training_source(report.origin)}."),
        dim(f"Made with {', '.join(f'{name} {version[:12]}' for name, version in report.versions.items())}."),
    )


def _sum_table(report: ExplanationReport) -> PlainTable:
    table = plain_table("", "score", "weight", "points")
    for member in report.members:
        points = number(member.weight * member.score)
        table.add_row(f"model {member.name}", number(member.score), number(member.weight), points)
    table.add_row("correction of the combiner", "", "", number(report.correction, sign=True))
    if report.bias:
        table.add_row(f"bias of {report.group}, subtracted", "", "", number(-report.bias, sign=True))
    summed = sum(member.weight * member.score for member in report.members) + report.correction - report.bias
    if beyond := round(report.score - summed, 3):
        table.add_row("what lies beyond the scale", "", "", number(beyond, sign=True))
    table.add_row(Text("score", style="bold"), "", "", Text(number(report.score), style=f"bold {ACCENT}"))
    if report.stored and isinstance(report.stored["score"], float):
        table.add_row(dim("the raters' mean"), "", "", dim(number(report.stored["score"])))
    return table


def _place_among(report: ExplanationReport) -> RenderableType:
    label = f"raters' scores of {report.group or 'all photos'}: {report.below:.0f} % lie below"
    own, span = shown_on(report.origin.scale), None
    if report.low is not None and report.high is not None:
        label, span = f"{label}; orange: the interval", (own.from_models(report.low), own.from_models(report.high))
    return Histogram(report.raters, *own, label, height=5, span=span)


def _regions_table(report: ExplanationReport) -> PlainTable:
    table = plain_table("region", "sub-score", "weight", "points", "average face", "moved", "")
    limit = max(abs(region.moved) for region in report.regions)
    for region in report.regions:
        name = Text(region.region, style=REGION_COLOURS[region.region])
        figures = map(number, (region.weight, region.contribution, region.average))
        moved = number(region.moved, sign=True), signed_bar(region.moved, limit)
        table.add_row(name, number(region.sub_score, 2), *figures, *moved)
    contribution, average, total = (
        sum(getattr(region, name) for region in report.regions) for name in ("contribution", "average", "moved")
    )
    sums = (Text(text, style="bold") for text in (report.regions_of, "", "", number(contribution), number(average)))
    table.add_row(*sums, number(total, sign=True), "")
    return table


def _features_table(report: ExplanationReport) -> PlainTable:
    table = plain_table("region and feature", "value", "percentile", "moved")
    for region in report.regions:
        name = Text(region.region, style=f"bold {REGION_COLOURS[region.region]}")
        table.add_row(name, "", "", number(region.moved, sign=True))
        for feature in region.features:
            label = Text.assemble(feature.name, (f"\n{feature.what}", "dim"))
            value = Text.assemble(f"{feature.value:.3g}", (f"\n{feature.unit}", "dim"))
            table.add_row(label, value, _place(feature, report.group), number(feature.moved, sign=True))
        table.add_row(UNSEEN, "", "", number(region.windows, sign=True))
    return table


def _place(feature: ExplainedFeature, group: str | None) -> str:
    if feature.percentile is None:
        return f"{number(feature.z, 1, sign=True)} sd"
    return f"{feature.percentile:.0f} % of {group or 'all'}"


def _trees(report: ExplanationReport) -> RenderableType:
    table = plain_table("region", "LightGBM", f"model {report.regions_of}", "")
    for region in report.regions:
        verdict = Text("they disagree", style=WARM) if region.disagree else ""
        table.add_row(region.region, number(region.trees, sign=True), number(region.moved, sign=True), verdict)
    table.add_row("shape", number(report.trees["shape"], sign=True), "", "")
    table.columns[-1].justify = "left"
    score, average = (number(report.trees[name]) for name in ("score", "average"))
    return Group(table, dim(f"Its score is {score} here and {average} on average. It sees no pixels."))


def _nearest_table(report: SimilarReport) -> PlainTable:
    own = shown_on(report.scale)
    table = plain_table("image", f"score on {own}", "subset", "distance")
    for near in report.neighbours:
        distance = SAME if near.same_photo else number(near.distance, 4)
        table.add_row(near.image_id, score_on(own, near.score), near.subset or "–", distance)
    return table
