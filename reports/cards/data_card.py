"""The data of a protocol's data card: its data sets, how their labels came about, and every split they are part of."""

from dataclasses import dataclass

from featurestore.duplicates import leaks, searched
from featurestore.store import Store
from featurestore.traits import target_of
from reports.pages import dataset
from reports.pages.dataset import DataSetReport, Fold, TraitReport
from reports.stats.selection import Selection


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
class Split(Fold):
    """One fold.

    sha256  of the sorted ids of the test images, one a line
    leaked  test images with a near-duplicate in the training role; None where nobody has searched
    """

    sha256: str | None
    leaked: int | None


@dataclass(frozen=True)
class CardDataSet:
    """One data set and the trait of the protocol.

    duplicates  groups of photos that look the same, and the images in them; None where they were not searched for
    """

    report: DataSetReport
    trait: TraitReport
    labels: Labels
    duplicates: tuple[int, int] | None


@dataclass(frozen=True)
class DataCard:
    """The data sets of a protocol, and every split that they are part of."""

    protocol: str
    trait: str
    data_sets: tuple[CardDataSet, ...]
    splits: tuple[Split, ...]


def data(store: Store, protocol: str) -> DataCard:
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
    groups, images = store.frame(
        """
        SELECT count(DISTINCT group_id), count(DISTINCT image_id) FROM (
            SELECT image_id, group_id FROM near_duplicates UNION SELECT other_id, group_id FROM near_duplicates)
        JOIN images USING (image_id) WHERE data_set = $name""",
        name=name,
    ).row(0)
    return CardDataSet(report, trait_report, Labels(*labels), (groups, images) if searched(store) else None)


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
