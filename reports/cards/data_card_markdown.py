"""The data card of a protocol in Markdown (Gebru et al. 2021, Datasheets for Datasets)."""

from collections.abc import Mapping
from typing import Any

from featurestore.scale import Scale
from reports.cards.data_card import CardDataSet, DataCard
from reports.pages.dataset import BINS, Scores
from reports.render.layout import number, plural, share
from reports.render.markdown import escape, grid, page
from reports.render.scales import mapped
from reports.stats.estimates import estimate_text, own_scores
from reports.stats.raters.stored import Summary

HUB_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
"""Upper bound of images -> size category of the Hub."""
QUARTERS = 4

ABOUT = """\
Photos of faces with the ratings of a pool of raters. This card describes what is in the store; it shows no photo and
names no file, no person and no rater."""
UNKNOWN = """\
## What is not known here

kallos reads labels and photos. How the photos were found, whether their subjects agreed, who the raters were and what
they were asked is for the makers of a data set to say: read their documents before use. Sex, ethnicity and subset are
as the data set gives them, which need not be how people would call themselves."""
MUST_NOT = """\
## What must not be done with it

- Photos of faces are personal data, and so are the landmarks, features and embeddings that the store holds of them.
  Have a lawful ground, or leave them alone.
- Do not pass on photos, ratings or the store. A bundle holds none of them; it holds models trained on them.
- Do not identify the people shown, and do not take the ratings of a photo for a judgement on a person.
- A person who asks is erased: `kallos erase IMAGE_ID` removes the photo from every table, version and copy of the
  store and lists the models that were trained on it, which are to be trained again. Exports of the store are copies
  too."""


def render(card: DataCard) -> str:
    return page(
        _head(card),
        f"# Data behind {escape(card.protocol)}",
        ABOUT,
        *(_section(data_set) for data_set in card.data_sets),
        _splits_section(card),
        UNKNOWN,
        MUST_NOT,
    )


def _head(card: DataCard) -> dict[str, Any]:
    images = sum(data_set.report.images for data_set in card.data_sets)
    return {
        "license": "other",
        "license_name": "terms-of-the-data-sets",
        "pretty_name": f"Data behind {card.protocol}",
        "tags": ["kallos", "facial-aesthetics", "personal-data"],
        "size_categories": [next((size for below, size in HUB_SIZES.items() if images < below), "n>1M")],
    }


def _section(data_set: CardDataSet) -> str:
    report, trait = data_set.report, data_set.trait
    parts = [
        f"## Data set {escape(report.name)}",
        f"- Terms: {escape(report.licence or 'not stated')}\n"
        f"- {plural(report.images, 'image')}, {trait.subsets['all'].scored:,} with a score\n"
        f"- Rated on: {escape(trait.trait)}, from {trait.scale.words}",
        _scores(trait.subsets, trait.scale),
        _labels(data_set),
        _agreement(trait.agreement, trait.scale),
        _quality(data_set),
    ]
    return "\n\n".join(parts)


def _scores(subsets: Mapping[str, Scores], scale: Scale) -> str:
    width = BINS // QUARTERS
    rows = (
        (
            *(escape(name), f"{group.images:,}", f"{group.scored:,}"),
            *(estimate_text(own_scores(group.mean, scale)), number(scale.errors_from_models(group.sd), 2)),
            *(f"{sum(group.histogram[i : i + width]):,}" for i in range(0, BINS, width)),
        )
        for name, group in subsets.items()
    )
    quarters = (Scale(scale.at(i / QUARTERS), scale.at((i + 1) / QUARTERS)).words for i in range(QUARTERS))
    columns = ("subset", "images", "scored", "mean", "sd", *quarters)
    reading = "Brackets hold the 95 % interval of the mean, for photos of people such as these."
    return f"### Scores\n\n{grid(columns, rows)}\n\n{reading}"


def _labels(data_set: CardDataSet) -> str:
    labels, scale = data_set.labels, data_set.trait.scale
    mapping = mapped(scale, f"mapped linearly from {scale}")
    source = "the mean of an image's ratings" if labels.single else "an image's mean rating as it was given"
    sentences = [f"A score is {source}{mapping}; models are trained on it."]
    if labels.most is None:
        sentences.append("The number of raters per image is not known.")
    else:
        span = f"{labels.most:,}" if labels.fewest == labels.most else f"{labels.fewest:,} to {labels.most:,}"
        sentences.append(f"Images were rated by {span} raters, where the number is known.")
    if labels.single:
        sentences.append(
            f"Single ratings are known for {plural(labels.single, 'image')}: "
            f"{plural(data_set.trait.ratings, 'rating')} by {plural(labels.raters, 'rater')}."
        )
        if labels.changed:
            sentences.append(f"{labels.changed:,} of them were changed when the rater was asked again.")
    else:
        sentences.append("Single ratings are not known.")
    sentences.append(f"Rating histograms exist for {plural(labels.histograms, 'image')}.")
    return "### How labels were made\n\n" + " ".join(sentences)


def _agreement(groups: Mapping[str, Summary], scale: Scale) -> str:
    title = "### Agreement of the raters"
    if not groups:
        return f"{title}\n\nUnknown, because the spread of the ratings is unknown."
    rows = (
        (
            escape(name),
            f"{group.raters:,}" if group.raters else "–",
            *(number(v, 2) for v in (group.within_sd, group.leave_one_out, group.lowest, group.highest)),
        )
        for name, group in groups.items()
    )
    columns = ("subset", "raters", "sd in an image", "one rater to the rest", "lowest rater", "highest rater")
    return (
        f"{title}\n\n{grid(columns, rows)}\n\nThe sd is on {scale}, averaged over images; the others are "
        "correlations of one rater's ratings with the mean of all others."
    )


def _quality(data_set: CardDataSet) -> str:
    report = data_set.report
    found = [(escape(finding.kind.replace("_", " ")), f"{finding.count:,}") for finding in report.findings]
    images = report.extraction.images
    extracted = (
        (
            *(escape(line.extractor), share(line.ok, images), f"{line.untried:,}"),
            ", ".join(f"{count:,} {escape(status)}" for status, count in line.failed.items()) or "–",
        )
        for line in report.extraction.coverage
    )
    alike = "Near-duplicates were not searched for: `kallos duplicates` does it."
    if data_set.duplicates:
        groups, photos = data_set.duplicates
        counted = f"{plural(groups, 'group')} of {plural(photos, 'image')}"
        alike = f"Near-duplicates (photos that look the same): {counted} in all."
    parts = [
        "### Missing and wrong",
        grid(("found at ingest", "files"), found) if found else "Ingest found nothing wrong.",
        grid(("extractor", "done", "not tried", "failed"), extracted),
        alike,
    ]
    return "\n\n".join(parts)


def _splits_section(card: DataCard) -> str:
    rows = (
        (
            *(escape(split.protocol), str(split.fold)),
            *(f"{count:,}" for count in (split.train, split.val, split.test)),
            "–" if split.leaked is None else f"{split.leaked:,}",
            split.sha256[:16] if split.sha256 else "–",
        )
        for split in card.splits
    )
    columns = ("protocol", "fold", "train", "val", "test", "of them with a near-duplicate in train", "sha256")
    return (
        f"## Splits\n\n{grid(columns, rows)}\n\nThe sha256, of which 16 digits are shown, is that of the sorted ids of "
        "the test images, one a line."
    )
