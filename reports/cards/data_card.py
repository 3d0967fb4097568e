"""The data card of a protocol (Gebru et al. 2021, Datasheets for Datasets): plain data, then Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from featurestore.duplicates import leaks, searched
from featurestore.records import SCALE
from featurestore.store import Store
from featurestore.traits import target_of
from reports.cards.markdown import escape, grid, page
from reports.pages import dataset
from reports.pages.dataset import BINS, DataSetReport, Scores, TraitReport
from reports.render.layout import number, plural, share
from reports.stats.agreement import Agreement
from reports.stats.selection import Selection

HUB_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
"""Upper bound of images -> size category of the Hub."""

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


@dataclass(frozen=True)
class Labels:
    """How the scores of a data set were obtained.

    fewest, most  raters an image, None where unknown
    raters        different raters with single ratings
    single        images with single ratings
    histograms    images whose count of raters by rating is known
    changed       ratings that their rater changed when asked again
    """

    fewest: int | None
    most: int | None
    raters: int
    single: int
    histograms: int
    changed: int


@dataclass(frozen=True)
class Duplicates:
    """Near-duplicates of a data set: groups of photos that look the same, and the images in them."""

    groups: int
    images: int


@dataclass(frozen=True)
class Split:
    """One fold: images by role.

    sha256  of the sorted ids of the test images, one a line
    leaked  test images with a near-duplicate in the training role; None where nobody has searched
    """

    protocol: str
    fold: int
    train: int
    val: int
    test: int
    sha256: str | None
    leaked: int | None


@dataclass(frozen=True)
class CardDataSet:
    """One data set and the trait of the protocol; `duplicates` is None where they were not searched for."""

    report: DataSetReport
    trait: TraitReport
    labels: Labels
    duplicates: Duplicates | None


@dataclass(frozen=True)
class DataCard:
    """The data sets of a protocol, and every split that they are part of."""

    protocol: str
    trait: str
    data_sets: tuple[CardDataSet, ...]
    splits: tuple[Split, ...]


def data(store: Store, protocol: str) -> DataCard:
    """The data card of a protocol in the store."""
    names = store.frame(
        "SELECT DISTINCT data_set FROM splits JOIN images USING (image_id) WHERE protocol = $protocol ORDER BY ALL",
        protocol=protocol,
    )["data_set"].to_list()
    trait = target_of(store, protocol).trait
    return DataCard(protocol, trait, tuple(_data_set(store, name, trait) for name in names), _splits(store, names))


def _data_set(store: Store, name: str, trait: str) -> CardDataSet:
    (report,) = dataset.data(store, Selection(data_set=name)).data_sets
    (trait_report,) = (candidate for candidate in report.traits if candidate.trait == trait)
    labels = store.frame(
        """
        WITH own AS (SELECT image_id FROM images WHERE data_set = $name),
        single AS (FROM ratings SEMI JOIN own USING (image_id) WHERE trait = $trait),
        scored AS (FROM scores SEMI JOIN own USING (image_id) WHERE trait = $trait)
        SELECT min(raters), max(raters),
               (SELECT count(DISTINCT rater_id) FROM single), (SELECT count(DISTINCT image_id) FROM single),
               count(histogram), (SELECT count(*) FROM single WHERE first_rating <> rating)
        FROM scored""",
        name=name,
        trait=trait,
    ).row(0)
    return CardDataSet(report, trait_report, Labels(*labels), _duplicates(store, name) if searched(store) else None)


def _duplicates(store: Store, name: str) -> Duplicates:
    row = store.frame(
        """
        SELECT count(DISTINCT group_id), count(DISTINCT image_id) FROM (
            SELECT image_id, group_id FROM near_duplicates UNION SELECT other_id, group_id FROM near_duplicates)
        JOIN images USING (image_id) WHERE data_set = $name""",
        name=name,
    ).row(0)
    return Duplicates(*row)


def _splits(store: Store, names: list[str]) -> tuple[Split, ...]:
    rows = store.frame(
        """
        SELECT protocol, fold, count_if(role = 'train')::INT AS train, count_if(role = 'val')::INT AS val,
               count_if(role = 'test')::INT AS test,
               sha256(string_agg(image_id, chr(10) ORDER BY image_id) FILTER (WHERE role = 'test')) AS sha256
        FROM splits WHERE protocol IN (
            SELECT protocol FROM splits JOIN images USING (image_id) WHERE list_contains($names, data_set))
        GROUP BY protocol, fold ORDER BY protocol, fold""",
        names=names,
    )
    known = leaks(store).iter_rows() if searched(store) else ()
    leaked = {(protocol, fold): count for protocol, fold, _, count in known}
    return tuple(Split(**row, leaked=leaked.get((row["protocol"], row["fold"]))) for row in rows.to_dicts())


def render(card: DataCard) -> str:
    """The card in Markdown, with the metadata that the Hub reads."""
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
    return "\n\n".join(
        [
            f"## Data set {escape(report.name)}",
            f"- Terms: {escape(report.licence or 'not stated')}\n"
            f"- {plural(report.images, 'image')}, {trait.subsets['all'].scored:,} with a score\n"
            f"- Rated on: {escape(trait.trait)}, from {trait.scale[0]:g} to {trait.scale[1]:g}",
            _scores(trait.subsets),
            _labels(data_set),
            _agreement(trait.agreement),
            _quality(data_set),
        ]
    )


def _scores(subsets: Mapping[str, Scores]) -> str:
    low, high = (int(end) for end in SCALE)
    steps = range(low, high)
    width = BINS // len(steps)
    rows = (
        (
            escape(name),
            f"{group.images:,}",
            f"{group.scored:,}",
            number(group.mean),
            number(group.sd),
            *(f"{sum(group.histogram[i * width : (i + 1) * width]):,}" for i in range(len(steps))),
        )
        for name, group in subsets.items()
    )
    columns = ("subset", "images", "scored", "mean", "sd", *(f"{step} to {step + 1}" for step in steps))
    return f"### Scores\n\n{grid(columns, rows)}"


def _labels(data_set: CardDataSet) -> str:
    labels, (low, high) = data_set.labels, data_set.trait.scale
    mapped = "" if (low, high) == SCALE else f", mapped linearly from {low:g}–{high:g} to {SCALE[0]:g}–{SCALE[1]:g}"
    sentences = [f"A score is the mean of an image's ratings{mapped}; models are trained on it."]
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


def _agreement(groups: Mapping[str, Agreement]) -> str:
    title = "### Agreement of the raters"
    if not groups:
        return f"{title}\n\nUnknown, because the spread of the ratings is unknown."
    rows = (
        (
            escape(name),
            f"{group.raters:,}" if group.raters else "–",
            *(number(v) for v in (group.within_sd, group.leave_one_out, group.lowest, group.highest)),
        )
        for name, group in groups.items()
    )
    columns = ("subset", "raters", "sd in an image", "one rater to the rest", "lowest rater", "highest rater")
    return (
        f"{title}\n\n{grid(columns, rows)}\n\nThe sd is on the raters' scale, averaged over images; the others are "
        "correlations of one rater's ratings with the mean of all others."
    )


def _quality(data_set: CardDataSet) -> str:
    report = data_set.report
    found = [(escape(finding.kind.replace("_", " ")), f"{finding.count:,}") for finding in report.findings]
    images = report.extraction.images
    extracted = (
        (
            escape(line.extractor),
            share(line.ok, images),
            f"{line.untried:,}",
            ", ".join(f"{count:,} {escape(status)}" for status, count in line.failed.items()) or "–",
        )
        for line in report.extraction.coverage
    )
    if data_set.duplicates is None:
        alike = "Near-duplicates were not searched for: `kallos duplicates` does it."
    else:
        groups, photos = plural(data_set.duplicates.groups, "group"), plural(data_set.duplicates.images, "image")
        alike = f"Near-duplicates (photos that look the same): {groups} of {photos} in all."
    return "\n\n".join(
        [
            "### Missing and wrong",
            grid(("found at ingest", "files"), found) if found else "Ingest found nothing wrong.",
            grid(("extractor", "done", "not tried", "failed"), extracted),
            alike,
        ]
    )


def _splits_section(card: DataCard) -> str:
    rows = (
        (
            escape(split.protocol),
            str(split.fold),
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
