"""The model card of a run in Markdown (Mitchell et al. 2019, Model Cards for Model Reporting)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.metadata import version as package_version
from typing import Any

from featurestore.machine import elsewhere
from featurestore.runs import Run
from featurestore.scale import MODEL_SCALE
from models.registry import SUMMARIES
from reports.cards.linked_scales import linked_scales
from reports.cards.markdown import escape, estimate, grid, page
from reports.cards.model_card import Combined, ModelCard
from reports.cards.terms import licences, table_of_weights
from reports.pages import face_alone
from reports.pages.face_alone import FaceAloneModel
from reports.pages.groups import METRICS as GROUP_METRICS
from reports.pages.groups import READING
from reports.pages.subscores import ATTRIBUTION, SubScoreRun
from reports.render.layout import duration, number, plural, share
from reports.render.scales import ERRORS_ON, error_on_both, shown_on, target_line
from reports.stats.bootstrap import METRICS, RESAMPLES
from reports.stats.evaluated_runs import FEWEST_TESTED

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
- The ratings are those of one pool of raters at one time. Other pools rate otherwise: photos and raters from elsewhere
  are ranked far worse than the test rows above, and the intervals cover less of them.
  `kallos evaluate --data-set NAME` measures it.
- Photos unlike the training set: turned, covered, blurred, tiny, filtered or drawn faces, other cameras and other ages
  than it has. No figure above holds for them. `kallos predict PHOTO` names what it measures of this, which is not all
  of it; about one ordinary photo in twenty is named too.
- The subsets compared are those that the data set names. Of ages, disabilities and groups that it does not name,
  nothing is known.
- Other photos of one person may be on both sides of a split: near-duplicates are found, persons are not recognised.
- The defaults of the settings were chosen on training rows of fold 1 of SCUT-FBP5500, so figures of its other folds
  have seen that choice."""


def render(card: ModelCard) -> str:
    """The card in Markdown, with the metadata that the Hub reads."""
    run = card.main.run
    name = f"{run.model} on {run.protocol}, fold {run.fold}"
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
        _intervals(card),
        _combiner(card.combined) if card.combined else None,
        _regions(card.sub_scores) if card.sub_scores else None,
        _external(card),
        _face_alone(card.face_alone),
        LIMITS,
        licences(card),
    )


def _head(card: ModelCard, name: str) -> dict[str, Any]:
    """Metadata of a card on the Hub; `model-index` holds the figures on the test rows."""
    test = card.main.roles.get("test")
    known = {HUB_METRICS[m]: e.value for m, e in test.figures.items() if math.isfinite(e.value)} if test else {}
    result = {
        "task": {"type": "image-regression", "name": "mean rating of a photograph of a face"},
        "dataset": {
            "type": (names := ", ".join(card.licences)),
            "name": names,
            "split": f"{card.main.run.protocol}, fold {card.main.run.fold}, test",
        },
        "metrics": [{"type": metric, "value": round(value, 4)} for metric, value in known.items()],
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
            member.run.model,
            SUMMARIES[member.run.model],
            escape(member.run.run_id),
            f"{member.started}, {duration(member.seconds)}",
            str(member.fits or "–"),
        )
        for member in card.runs
    )
    settings = (f"- {member.run.model}: {_settings(member.run)}" for member in card.runs)
    networks = table_of_weights(card)
    return "\n\n".join(
        [
            f"## Model\n\nMade by kallos {package_version('kallos')}.",
            grid(("model", "is", "run", "trained", "fits"), rows, text=4),
            "Members are cross-fitted: the training rows are split into parts, and one model per part is fitted "
            "without it; a photo gets the mean of these fits. Out of fold means: a training row, predicted by the "
            "one fit that has not seen it.",
            *([networks] if networks else []),
            "Settings:\n\n" + "\n".join(settings),
        ]
    )


def _settings(run: Run) -> str:
    shown = [f"{name} {json.dumps(value)}" for name, value in sorted(run.config.items()) if name != "fits"]
    others = elsewhere(run.config.get("fits", {}).values())
    return escape(", ".join([*shown, *(f"with fits from {machine}" for machine in others)]))


def _training_data(card: ModelCard) -> str:
    run = card.main.run
    names = ", ".join(escape(name) for name in card.licences)
    if card.leak is None:
        leaked = "Near-duplicates were not searched for: `kallos duplicates` does it."
    else:
        tested, leaking = card.leak
        leaked = (
            f"Of {plural(tested, 'test image')} of the fold {leaking:,} ({share(leaking, tested)}) have a "
            "near-duplicate in the training rows."
        )
    return (
        f"## Training data\n\n{names}: see DATA_CARD.md beside this card. Protocol {escape(run.protocol)}, fold "
        f"{run.fold}: {card.rows:,} training rows with {card.features:,} features, pinned by manifest "
        f"{escape(run.manifest_id)} (sha256 of the rows {card.row_hash[:16]}…). {leaked}"
    )


def _figures(card: ModelCard) -> str:
    titles = {"test": "Test rows, predicted once", "out_of_fold": "Training rows, out of fold"}
    tables = []
    for role, title in titles.items():
        rows = [(member.run.model, member.roles[role]) for member in card.runs if role in member.roles]
        cells = (
            (model, f"{performance.n:,}", *(estimate(performance.figures[m]) for m in METRICS))
            for model, performance in rows
        )
        if rows:
            tables.append(f"### {title}\n\n{grid(('model', 'n', *METRICS.values()), cells)}")
    reading = (
        f"PC is Pearson's correlation with the raters' mean score; {ERRORS_ON}. Brackets hold 95 % of {RESAMPLES:,} "
        "resamples of the images."
    )
    test = card.main.roles.get("test")
    if test and test.n < FEWEST_TESTED:
        reading += f" {plural(test.n, 'test row')} cannot say more: go by the training rows, out of fold."
    return "\n\n".join(["## Figures", reading, *tables])


def _subgroups(card: ModelCard) -> str:
    title = f"## Subgroups\n\nOf {card.main.run.model}, on the test rows."
    if card.groups is None or len(card.groups.groups) < 2:
        return f"{title} The test rows are of one subset: no groups were compared."
    metrics = [metric for metric in GROUP_METRICS if metric in card.groups.groups[0].figures]
    lines = (
        (escape(group.name), f"{group.n:,}", *(estimate(group.figures[m], sign=m == "bias") for m in metrics))
        for group in card.groups.groups
    )
    gaps = (
        (GROUP_METRICS[m], f"{escape(gap.highest)} − {escape(gap.lowest)}", estimate(gap.size))
        for m, gap in card.groups.gaps.items()
    )
    return "\n\n".join(
        [
            title,
            grid(("subset", "n", *(GROUP_METRICS[m] for m in metrics)), lines),
            grid(("largest gap", "between", "size"), gaps, text=2),
            READING,
        ]
    )


def _intervals(card: ModelCard) -> str | None:
    test = card.main.roles.get("test")
    if test is None or test.coverage is None or card.width is None or not card.calibrations:
        return None
    everyone, *groups = card.calibrations
    text = (
        "## How sure a score is\n\nSplit-conformal intervals, fitted on the out-of-fold errors of "
        f"{everyone.n:,} rows to cover {100 * everyone.level:.0f} %: the score ± "
        f"{error_on_both(everyone.half_width, card.target.scale)}. On the test rows they cover "
        f"{estimate(test.coverage)} and are {estimate(card.width)} wide on average, on {MODEL_SCALE}."
    )
    if not groups:
        return text
    lines = (
        (escape(group.subset), f"{group.n:,}", number(group.bias, sign=True), f"± {number(group.half_width)}")
        for group in groups
    )
    return "\n\n".join(
        [
            text,
            "Calibrations of single groups, which `kallos predict PHOTO --group NAME` uses and nothing else does: "
            f"the bias is subtracted from the score. Bias and half-width are on {MODEL_SCALE}.",
            grid(("subset", "rows", "bias", "half-width"), lines),
        ]
    )


def _combiner(combined: Combined) -> str:
    weights = ", ".join(f"of {escape(member.model)} {number(member.weight)}" for member in combined.members)
    alone = ", ".join(f"{escape(member.model)} alone {number(member.pearson, 4)}" for member in combined.members)
    return (
        f"## Combiner\n\nWeight {weights}; the shallow correction has a root mean square of "
        f"{number(combined.correction)} on {MODEL_SCALE}. PC out of fold: {alone}, combined "
        f"{number(combined.pearson, 4)}. On the test rows the combined score gains "
        f"{estimate(combined.gain, sign=True)} PC on {escape(combined.best)}."
    )


def _regions(sub_scores: SubScoreRun) -> str:
    rows = (
        (r.region, number(r.weight), number(r.weight_sd), number(r.correlation, sign=True), number(r.without))
        for r in sub_scores.regions
    )
    return "\n\n".join(
        [
            f"## Sub-scores\n\n**{ATTRIBUTION}** Weights are means over the fits and sum to one; sd is over the "
            f"{plural(sub_scores.regions[0].fits, 'fit')} of this protocol. The whole Model {sub_scores.name} has PC "
            f"{number(sub_scores.pearson)} on the test rows.",
            grid(("region", "weight", "sd", "PC alone", "PC without it"), rows),
        ]
    )


def _external(card: ModelCard) -> str:
    title = "## Other data sets"
    rows = [
        (member.run.model, name, performance) for member in card.runs for name, performance in member.external.items()
    ]
    if not rows:
        return (
            f"{title}\n\nThe model was not evaluated on any other data set: `kallos evaluate --data-set NAME` does it."
        )
    cells = (
        (
            escape(name),
            model,
            f"{performance.n:,}",
            *(estimate(performance.figures[m]) for m in ("spearman", "pearson", "mae")),
            estimate(performance.coverage) if performance.coverage else "–",
        )
        for model, name, performance in rows
    )
    columns = ("data set", "model", "n", METRICS["spearman"], METRICS["pearson"], METRICS["mae"], "coverage")
    reading = (
        f"Other photos and other raters, whose scores are stretched to {MODEL_SCALE}; the predictions are as they are."
    )
    return f"{title}\n\n{reading}\n\n{grid(columns, cells, text=2)}"


def _face_alone(models: Sequence[FaceAloneModel]) -> str:
    title = "## How much of a score is not the face"
    if not models:
        return f"{title}\n\nIt was not measured: `kallos evaluate --face-alone` does it."
    cells = (
        (model.name, f"{model.n:,}", estimate(model.change, sign=True), *map(estimate, model.figures[1:]))
        for model in models
    )
    return f"{title}\n\nOf test rows. {face_alone.READING}\n\n{grid(('model', 'n', *face_alone.COLUMNS), cells)}"
