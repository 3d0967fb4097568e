"""`kallos report dataset`: what was ingested and extracted, and how well the raters agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Group, RenderableType

from featurestore.group_differences import GROUPED_IMAGES
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.scale import Scale
from featurestore.store import Store
from reports.pages.extraction import ExtractionReport, coverage_part, summary
from reports.pages.ingest import FindingCount, counted, findings_table
from reports.render.bars import Spark
from reports.render.contact_sheet import Photo, contact_sheet
from reports.render.figures import Figure, jpeg
from reports.render.json import NOT_IN_JSON, for_pictures
from reports.render.layout import Picture, PlainTable, dim, number, page, plain_table, plural, section
from reports.render.plots import Histogram
from reports.render.scales import on_both
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import estimate_cell, mean_of, own_scores
from reports.stats.raters.stored import Summary, summaries, summary_table
from reports.stats.selection import Selection, chosen_data_sets

BINS = 20
SHEET = 12
SAMPLE = "A dozen photos with their landmarks, from the lowest score to the highest; --html shows them."


@dataclass(frozen=True)
class Scores:
    """Scores of a group of images on the scale of models; `histogram` has 20 equal bins of the whole scale.

    mean  with its 95 % interval, for photos and people such as these
    """

    images: int
    scored: int
    mean: Estimate
    sd: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """Images of one fold by role."""

    protocol: str
    fold: int
    train: int
    val: int
    test: int


@dataclass(frozen=True)
class TraitReport:
    """One trait of a data set. `subsets` and `agreement` hold the whole under "all", then each subset.

    scale    lowest and highest rating that a rater could give
    ratings  single ratings
    """

    trait: str
    scale: Scale
    ratings: int
    subsets: Mapping[str, Scores]
    agreement: Mapping[str, Summary]


@dataclass(frozen=True)
class DataSetReport:
    """One data set.

    with_photos  whether its page shows a sample of the photos
    """

    name: str
    licence: str | None
    images: int
    traits: tuple[TraitReport, ...]
    folds: tuple[Fold, ...]
    findings: tuple[FindingCount, ...]
    extraction: ExtractionReport
    photos: tuple[Photo, ...] = for_pictures()
    with_photos: bool = field(default=False, metadata=NOT_IN_JSON)


@dataclass(frozen=True)
class DataSetsReport:
    """The chosen data sets."""

    data_sets: tuple[DataSetReport, ...]


def data(store: Store, selection: Selection) -> DataSetsReport:
    """Raises PrerequisiteError when the store is empty, UsageError for an unknown data set."""
    names = chosen_data_sets(store, selection)
    return DataSetsReport(tuple(_data_set(store, name, selection.photos) for name in names))


def _data_set(store: Store, name: str, with_photos: bool) -> DataSetReport:
    traits = store.frame(
        "SELECT trait, scale_low, scale_high FROM traits WHERE data_set = $name ORDER BY trait", name=name
    ).rows()
    folds = store.frame(
        "SELECT protocol, fold, count_if(role = 'train')::INT, count_if(role = 'val')::INT, "
        "count_if(role = 'test')::INT FROM splits JOIN images USING (image_id) WHERE data_set = $name "
        "GROUP BY protocol, fold ORDER BY protocol, fold",
        name=name,
    )
    return DataSetReport(
        name=name,
        licence=store.value("SELECT licence FROM data_sets WHERE data_set = $name", name=name),
        images=store.value("SELECT count(*) FROM images WHERE data_set = $name", name=name),
        traits=tuple(_trait(store, name, trait, Scale(low, high)) for trait, low, high in traits),
        folds=tuple(Fold(*row) for row in folds.iter_rows()),
        findings=counted(store.frame("FROM findings WHERE data_set = $name", name=name)),
        extraction=summary(store, name),
        photos=_photos(store, name),
        with_photos=with_photos,
    )


def _trait(store: Store, name: str, trait: str, scale: Scale) -> TraitReport:
    count = "SELECT count(*) FROM ratings JOIN images USING (image_id) WHERE data_set = $name AND trait = $trait"
    ratings = store.value(count, name=name, trait=trait)
    return TraitReport(trait, scale, ratings, _subsets(store, name, trait, scale), summaries(store, name, trait))


def _subsets(store: Store, name: str, trait: str, scale: Scale) -> dict[str, Scores]:
    rows = store.frame(
        f"SELECT coalesce(subset, 'none') AS subset, score, person FROM {GROUPED_IMAGES} "
        "LEFT JOIN (FROM scores WHERE trait = $trait) USING (image_id) WHERE data_set = $name ORDER BY subset",
        name=name,
        trait=trait,
    )
    groups = {str(subset): group for (subset,), group in rows.group_by("subset", maintain_order=True)}
    named = {"all": rows} | (groups if len(groups) > 1 else {})
    return {key: _scores(group, scale) for key, group in named.items()}


def _scores(images: pl.DataFrame, scale: Scale) -> Scores:
    scored = images.drop_nulls("score")
    scores, people = (scored[name].to_numpy() for name in ("score", "person"))
    counts, _ = np.histogram(scale.from_models(scores), BINS, scale)
    sd = float(scores.std()) if len(scores) else np.nan
    return Scores(len(images), len(scored), mean_of(scores, people.astype(np.str_)), sd, tuple(counts.tolist()))


def _photos(store: Store, name: str) -> tuple[Photo, ...]:
    """A dozen photos from the lowest score to the highest, on the first trait."""
    if not store.has("landmarks"):
        return ()
    rows = store.frame(
        """
        WITH ranking AS (FROM scores WHERE trait = (SELECT min(trait) FROM traits WHERE data_set = $name)),
        ranked AS (
            SELECT image_id, ntile($sheet) OVER (ORDER BY score, image_id) AS tile
            FROM images JOIN ranking USING (image_id) JOIN landmarks USING (image_id) WHERE data_set = $name),
        sample AS (SELECT min_by(image_id, hash(image_id)) AS image_id FROM ranked GROUP BY tile)
        SELECT root || '/' || path, mean, x, y, z
        FROM sample JOIN landmarks USING (image_id) JOIN images USING (image_id) JOIN locations USING (data_set)
             JOIN ranking USING (image_id)
        ORDER BY score, image_id""",
        name=name,
        sheet=SHEET,
    ).rows()
    return tuple(
        Photo(Path(path), f"{Path(path).name}   {mean:.2f}", np.array(xyz, dtype=np.float32).T)
        for path, mean, *xyz in rows
    )


def render(report: DataSetsReport) -> RenderableType:
    return Group(*(_page(data_set) for data_set in report.data_sets))


def _page(data_set: DataSetReport) -> RenderableType:
    ratings = sum(trait.ratings for trait in data_set.traits)
    return page(
        f"Data set {data_set.name}",
        f"{plural(data_set.images, 'image')}, {plural(ratings, 'single rating')}",
        dim(f"Terms: {data_set.licence or 'unknown'}"),
        *(part for trait in data_set.traits for part in _trait_parts(trait, len(data_set.traits) > 1)),
        None if data_set.traits else dim("No image has a score: add ratings with `kallos ingest table --help`."),
        section("Protocols", _folds_table(data_set.folds))
        if data_set.folds
        else dim("No protocol: nothing can be trained."),
        section("Extraction", coverage_part(data_set.extraction))
        if data_set.extraction.coverage
        else dim("Nothing is extracted yet: `kallos report` names the next command."),
        section("Sample", Picture(jpeg(_sheet(data_set)), SAMPLE))
        if data_set.with_photos and data_set.photos
        else None,
        section("Findings", findings_table(data_set.findings))
        if data_set.findings
        else dim("Ingest found nothing wrong."),
    )


def _trait_parts(report: TraitReport, several: bool) -> list[RenderableType]:
    """Scores of a trait and, where single ratings are known, how well the raters agree."""
    whole, scale = report.subsets["all"], report.scale
    on_trait = f" on {report.trait}" if several or report.trait != UNNAMED_TRAIT else ""
    parts: list[RenderableType] = [
        section(
            f"Scores{on_trait}",
            _histogram(report),
            "",
            _scores_table(report.subsets, scale),
            remark=f"mean {on_both(whole.mean.value, scale)}, "
            f"sd {number(scale.errors_from_models(whole.sd), 2)} on {scale}",
        )
    ]
    if report.agreement:
        heading, again = f"Agreement of the raters{on_trait}", report.agreement["all"].again
        retest = f"; retest of {plural(again, 'rating')}" if again else ""
        remark = (
            f"sd in an image, on {scale}; reliability of the mean, ICC(1,k){retest}; `kallos report raters` has more"
        )
        parts.append(section(heading, summary_table(report.agreement), remark=remark))
    return parts


def _scores_table(subsets: Mapping[str, Scores], scale: Scale) -> PlainTable:
    table = plain_table("subset", "images", "scored", "mean", "sd", f"from {scale.words}")
    for name, group in subsets.items():
        sd = number(scale.errors_from_models(group.sd), 2)
        figures = (f"{group.images:,}", f"{group.scored:,}", estimate_cell(own_scores(group.mean, scale)), sd)
        table.add_row(name, *figures, Spark(group.histogram))
    return table


def _folds_table(folds: tuple[Fold, ...]) -> PlainTable:
    table = plain_table("protocol", "fold", "train", "val", "test")
    for i, fold in enumerate(folds):
        name = "" if i and folds[i - 1].protocol == fold.protocol else fold.protocol
        table.add_row(name, str(fold.fold), f"{fold.train:,}", f"{fold.val:,}", f"{fold.test:,}")
    return table


def _histogram(report: TraitReport) -> Histogram:
    groups = {name: group.histogram for name, group in report.subsets.items() if name != "all"}
    return Histogram(report.subsets["all"].histogram, *report.scale, f"score, {report.scale}", groups=groups)


def figures(report: DataSetsReport) -> list[Figure]:
    pictures = []
    for data_set in report.data_sets:
        for trait in data_set.traits:
            name = data_set.name if len(data_set.traits) == 1 else f"{data_set.name}_{trait.trait}"
            pictures.append(Figure(f"scores_{name}", f"Scores of {name}", [("", _histogram(trait))]))
        if data_set.photos:
            pictures.append(_sheet(data_set))
    return pictures


def _sheet(data_set: DataSetReport) -> Figure:
    title = f"{data_set.name}: landmarks, from the lowest score to the highest, on {data_set.traits[0].scale}"
    return contact_sheet(data_set.photos, title, f"contact_sheet_{data_set.name}")
