"""The model card of a run in Markdown (Mitchell et al. 2019, Model Cards for Model Reporting)."""

import math
from collections.abc import Sequence
from importlib.metadata import version as package_version
from typing import Any

from featurestore.scale import MODEL_SCALE
from models.registry import ENSEMBLE, SUMMARIES
from reports.cards.model_card import CardRun, Combined, ModelCard, Performance
from reports.cards.model_card_sections import choices_section, intervals_section, linked_scales, verdict
from reports.cards.settings import settings_section
from reports.cards.terms import licences, table_of_weights
from reports.pages import face_alone
from reports.pages.face_alone import FaceAloneModel
from reports.pages.groups import GAP_COLUMNS, READING, too_small
from reports.pages.groups import METRICS as GROUP_METRICS
from reports.pages.subscores import ATTRIBUTION, SubScoreRun
from reports.render.layout import duration, number, plural, share
from reports.render.markdown import escape, grid, page
from reports.render.scales import ERRORS_ON, shown_on, target_line
from reports.stats.bootstrap import METRICS
from reports.stats.estimates import BRACKETS, BRACKETS_OF_COVERAGE, digits_of, estimate_text
from reports.stats.evaluated_runs import FEWEST_TESTED

JUDGED = {"test": "test rows", "out_of_fold": "training rows, out of fold"}
HUB_METRICS = {"pearson": "pearsonr", "mae": "mae", "rmse": "rmse", "spearman": "spearmanr"}

ESTIMATES = """\
Estimates how the pool of raters behind its training data would rate **a photograph** of a face: the mean of their
ratings, on a scale of {scale}. It does not measure a person's worth, health, character, identity
or attractiveness to anyone in particular."""
USES = """\
## Intended uses

Research on rated facial aesthetics and on the limits of such models; teaching; tracing what a model makes of a photo
whose subject agreed to it.

## Refused uses

- Decisions about people: hiring, dating, insurance, credit, housing, education, policing, borders.
- Ranking of persons; scores of people who did not agree to it, or of minors; surveillance.
- Advice on anybody's looks, cosmetics or surgery.
- Claims about a person's worth, health or character, or about groups of people."""
LIMITS = """\
## Limits

- One frontal face a photo; of several faces the largest is taken.
- The ratings are those of one pool of raters at one time. The figures on the test rows are of photos and raters like
  those that it was trained on; how well it does on others {others}.
- Photos unlike the training set: turned, covered, blurred, tiny, filtered or drawn faces, other cameras and other ages
  than it has. No figure above holds for them. `kallos score PHOTO` warns of what it can measure of this, which is
  not all of it; about one ordinary photo in twenty gets a warning too.
- The subsets compared are those that the data set names, else ethnicity and sex. Of ages, disabilities and groups that
  it does not name, nothing is known.
- Other photos of one person may be on both sides of a split: `kallos duplicates` finds what looks alike and
  does not know who is shown."""


def render(card: ModelCard) -> str:
    run = card.main.run
    name = f"{run.model} on {run.protocol}, fold {run.fold}"
    evaluated_elsewhere = any(member.external for member in card.runs)
    return page(
        _head(card, f"kallos {name}"),
        f"# kallos: {escape(name)}",
        ESTIMATES.format(scale=shown_on(card.target.scale).words),
        target_line(card.target),
        _details(card),
        USES,
        _training_data(card),
        linked_scales(card.maps),
        _figures(card),
        _subgroups(card),
        intervals_section(card),
        _external(card),
        _face_alone(card.face_alone),
        choices_section(card),
        _combiner(card.combined, JUDGED[card.judged_on]) if card.combined else None,
        _regions(card.sub_scores, card.main.roles.get("test")) if card.sub_scores else None,
        LIMITS.format(others="stands under Other data sets" if evaluated_elsewhere else "is not known"),
        licences(card),
    )


def _head(card: ModelCard, name: str) -> dict[str, Any]:
    """Metadata of a card on the Hub; `model-index` holds the figures on the judged rows, in the digits they support."""
    judged = card.main.roles.get(card.judged_on)
    known = {
        HUB_METRICS[metric]: round(estimate.value, digits_of(estimate))
        for metric, estimate in (judged.figures if judged else {}).items()
        if math.isfinite(estimate.value)
    }
    result = {
        "task": {"type": "image-regression", "name": "mean rating of a photograph of a face"},
        "dataset": {
            "type": (names := ", ".join(card.licences)),
            "name": names,
            "split": f"{card.main.run.protocol}, fold {card.main.run.fold}, {JUDGED[card.judged_on]}",
        },
        "metrics": [{"type": metric, "value": value} for metric, value in known.items()],
    }
    return {
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "library_name": "kallos",
        "tags": ["kallos", "facial-aesthetics", "image-regression", "not-for-decisions-about-people"],
        "metrics": list(HUB_METRICS.values()),
        **({"model-index": [{"name": name, "results": [result]}]} if known else {}),
    }


def _details(card: ModelCard) -> str:
    rows = (
        (
            *(member.run.model, SUMMARIES[member.run.model], escape(member.run.run_id)),
            *(f"{member.started}, {duration(member.seconds)}", _predicted_by(member)),
        )
        for member in card.runs
    )
    parts = [
        f"## Model\n\nMade by kallos {package_version('kallos')}.",
        grid(("model", "is", "run", "trained", "a new photo gets"), rows, text=5),
        "Models are cross-fitted: the training rows are split into parts, and each part has a fit that is made "
        "without it. Out of fold means: a training row is predicted by the one fit that has not seen it.",
        table_of_weights(card),
        settings_section([member.run for member in card.runs]),
    ]
    return "\n\n".join(filter(None, parts))


def _predicted_by(member: CardRun) -> str:
    if member.run.model == ENSEMBLE:
        return "what its members give, combined"
    if not member.fits:
        return "–"
    if member.refitted:
        return "one more fit, on all rows"
    averaged = "the weights of " if member.run.config.get("averaged") else ""
    return f"the mean of {averaged}{plural(member.fits, 'fit')}"


def _training_data(card: ModelCard) -> str:
    run = card.main.run
    names = ", ".join(escape(name) for name in card.licences)
    leaked = "Near-duplicates were not searched for: `kallos duplicates` does it."
    if card.leak:
        tested, count = card.leak
        leaked = (
            f"Test images with a near-duplicate in the training rows: {count:,} of {tested:,} ({share(count, tested)})."
        )
    return (
        f"## Training data\n\n{names}: see DATA_CARD.md beside this card. Protocol {escape(run.protocol)}, fold "
        f"{run.fold}: {card.rows:,} training rows with {card.features:,} features, pinned by manifest "
        f"{escape(run.manifest_id)} (sha256 of the rows {card.row_hash[:16]}…). {leaked}"
    )


def _figures(card: ModelCard) -> str:
    tables = []
    for role, title in sorted(JUDGED.items(), key=lambda pair: pair[0] != card.judged_on):
        rows = [
            (member.run.model, f"{tested.n:,}", *(estimate_text(tested.figures[m]) for m in METRICS))
            for member in card.runs
            if (tested := member.roles.get(role))
        ]
        if rows:
            tables.append(f"### {title.capitalize()}\n\n{grid(('model', 'n', *METRICS.values()), rows)}")
    reading = f"PC is Pearson's correlation with the raters' mean score; {ERRORS_ON}. {BRACKETS}"
    if card.judged_on != "test":
        reading += f" Fewer than {FEWEST_TESTED} test rows are too few: go by the training rows, out of fold."
    return "\n\n".join(["## Figures", reading, *filter(None, [verdict(card)]), *tables])


def _subgroups(card: ModelCard) -> str:
    title = f"## Subgroups\n\nOf {card.main.run.model}, on the {JUDGED[card.judged_on]}."
    if card.groups is None or not card.groups.several:
        return f"{title} They are of one subset: no groups were compared."
    groups, parts = card.groups.groups, [title]
    if groups:
        metrics = [metric for metric in GROUP_METRICS if metric in groups[0].figures]
        rows = (
            (escape(group.name), f"{group.n:,}", *(estimate_text(group.figures[m], sign=m == "bias") for m in metrics))
            for group in groups
        )
        parts.append(grid(("subset", "n", *(GROUP_METRICS[metric] for metric in metrics)), rows))
    if gaps := [tuple(map(escape, row)) for row in card.groups.gap_rows()]:
        parts.append(grid(GAP_COLUMNS, gaps, text=2))
    if card.groups.too_small:
        parts.append(escape(too_small(card.groups)))
    return "\n\n".join([*parts, *([READING] if groups else [])])


def _combiner(combined: Combined, rows: str) -> str:
    weights = ", ".join(f"of {escape(model)} {number(weight)}" for model, weight in combined.weights.items())
    return (
        f"## Combiner\n\nWeight {weights}; the shallow correction has a root mean square of "
        f"{number(combined.correction)} on {MODEL_SCALE}. On the {rows}, the PC of the combined score differs "
        f"from that of {escape(combined.best)}, the member that is best out of fold, by "
        f"{estimate_text(combined.gain, sign=True)}."
    )


def _regions(sub_scores: SubScoreRun, test: Performance | None) -> str:
    tested = f"{test.n:,} test rows" if test else "test rows"
    rows = (
        (
            *(r.region, number(r.weight, 2), number(r.weight_sd, 2)),
            *(estimate_text(r.correlation, sign=True), estimate_text(r.without)),
        )
        for r in sub_scores.regions
    )
    return (
        f"## Sub-scores\n\n**{ATTRIBUTION}** Weights are means over the fits and sum to one; sd is over the "
        f"{plural(sub_scores.regions[0].fits, 'fit')} of this protocol. The whole Model {sub_scores.name} has PC "
        f"{estimate_text(sub_scores.pearson)} on the {tested}, as the table is.\n\n"
        f"{grid(('region', 'weight', 'sd', 'PC alone', 'PC without it'), rows)}"
    )


def _external(card: ModelCard) -> str:
    title = "## Other data sets"
    metrics = ("spearman", "pearson", "mae")
    rows = [
        (
            *(escape(name), member.run.model, f"{performance.n:,}"),
            *(estimate_text(performance.figures[metric]) for metric in metrics),
            estimate_text(performance.coverage) if performance.coverage else "–",
        )
        for member in card.runs
        for name, performance in member.external.items()
    ]
    if not rows:
        remedy = "`kallos evaluate --data-set NAME` does it."
        return f"{title}\n\nThe model was not evaluated on any other data set: {remedy}"
    columns = ("data set", "model", "n", *(METRICS[metric] for metric in metrics), "coverage")
    reading = (
        f"Other photos and other raters, whose scores are stretched to {MODEL_SCALE}; the predictions are as they are. "
        f"{BRACKETS} {BRACKETS_OF_COVERAGE}"
    )
    return f"{title}\n\n{reading}\n\n{grid(columns, rows, text=2)}"


def _face_alone(models: Sequence[FaceAloneModel]) -> str:
    title = "## How much of a score is not the face"
    if not models:
        return f"{title}\n\nIt was not measured: `kallos evaluate --face-alone` does it."
    cells = (
        (model.name, f"{model.n:,}", estimate_text(model.change, sign=True), *map(estimate_text, model.figures[1:]))
        for model in models
    )
    return f"{title}\n\nOf test rows. {face_alone.READING}\n\n{grid(('model', 'n', *face_alone.COLUMNS), cells)}"
