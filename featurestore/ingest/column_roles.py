"""Which column of a rating table is what: by what was stated, else by content and usual headings, never by guess.

Where two columns could be meant, the table is refused with the option that decides.
"""

from collections.abc import Sequence

from featurestore.errors import DataError
from featurestore.ingest import headings
from featurestore.ingest.columns import Columns, TableOptions
from featurestore.ingest.headings import normal, slug
from featurestore.ingest.photo_names import PhotoNames
from featurestore.ingest.reading import RawTable
from featurestore.ingest.recipe import Roles, ScoreColumn
from featurestore.ingest.score_columns import face_columns, named, score_columns


def find_roles(table: RawTable, names: PhotoNames, options: TableOptions) -> tuple[Roles, tuple[str, ...]]:
    """Decide, with remarks on what was decided and why.

    Raises DataError where a column is lacking or two could be meant.
    """
    columns = Columns(table, names, options)
    attributes = {column: "photo" for column in _stated_attributes(columns, options.photo_attributes, "photo")}
    attributes |= {column: "rater" for column in _stated_attributes(columns, options.rater_attributes, "rater")}
    image, numbered = _image(columns)
    faces = [] if image else face_columns(columns)
    if not image and not faces:
        raise _no_image(columns)
    rater = columns.one_of(options.rater_column, headings.RATER, "rater-column") or _melted_raters(columns)
    session = _session(columns)
    scores = faces or score_columns(columns, rater)
    for score in scores:
        columns.take(score.column)
    trait = _trait_column(columns, scores)
    if rater is None and image is not None and not table.origin.header:
        rater = _rater_without_heading(columns, image)
    single_ratings = rater is not None or any(score.rater or score.image for score in scores)
    sd, raters = (None, None) if single_ratings else (_beside(columns, headings.SD), _beside(columns, headings.COUNT))
    roles = Roles(
        *(named(columns, scores, trait), image, rater, trait, session, numbered, sd, raters),
        *_attributes(columns, attributes, image, rater),
        not_used=tuple(columns.left),
    )
    return roles, tuple(columns.remarks)


def _stated_attributes(columns: Columns, stated: Sequence[str], owner: str) -> list[str]:
    return [columns.take(columns.find(heading, f"{owner}-attribute")) for heading in stated]


def _image(columns: Columns) -> tuple[str | None, bool]:
    """The column of labels, and whether these are the numbers in the photos' names."""
    if (stated := columns.options.image_column) is not None:
        column = columns.take(columns.find(stated, "image-column"))
        numbered = not columns.share(column, columns.is_photo) and columns.share(column, columns.is_numbered_photo) > 0
        return column, numbered
    usual = columns.usual(headings.IMAGE)
    found = []
    for column in columns.left:
        share = columns.share(column, columns.is_photo)
        # of photos called 1.jpg to 7.jpg, every column of ratings names some: without a usual heading, numbers do not
        if share and (column in usual or (share >= 0.5 and columns.has_words(column))):
            found.append(column)
    numbered = not found
    found = found or [column for column in usual if columns.share(column, columns.is_numbered_photo) >= 0.5]
    if len(found) > 1 and not _same_photos(columns, found):
        raise columns.several(found, "the photo", "--image-column")
    found.sort(key=lambda column: column not in usual)
    return (columns.take(found[0]), numbered) if found else (None, False)


def _same_photos(columns: Columns, found: Sequence[str]) -> bool:
    rows = columns.table.cells.select(found).drop_nulls().unique().head(2000).rows()
    return bool(rows) and all(len({tuple(columns.names.find(label).photos) for label in row}) == 1 for row in rows)


def _no_image(columns: Columns) -> DataError:
    source = columns.table.source
    if usual := columns.usual(headings.IMAGE):
        label = next(iter(columns.table.cells[usual[0]].drop_nulls()), "blank")
        return DataError(
            f"None of the images in {source} is in the folder of photos: the first label in {usual[0]!r} is {label}, "
            f"the first photo is {columns.names.example}; give the right --images or --image-column."
        )
    return DataError(
        f"{source} has no image column that names photos; its columns are {columns.listed()}: state it with "
        f"--image-column, or check --images: the first photo is {columns.names.example}."
    )


def _melted_raters(columns: Columns) -> str | None:
    """A column such as `variable` that holds the headings of raters' columns, as reshaping a wide table leaves it."""
    found = [c for c in columns.usual(headings.TRAIT) if columns.share(c, headings.rater_column) == 1]
    return columns.take(found[0]) if len(found) == 1 else None


def _session(columns: Columns) -> str | None:
    """The column of sessions; of several the one that varies."""
    if columns.options.session_column is not None:
        return columns.take(columns.find(columns.options.session_column, "session-column"))
    usual = columns.usual(headings.SESSION)
    found = [c for c in usual if columns.table.cells[c].drop_nulls().n_unique() > 1] or usual
    if len(found) > 1:
        raise columns.several(found, "the session", "--session-column")
    return columns.take(found[0]) if found else None


def _trait_column(columns: Columns, scores: Sequence[ScoreColumn]) -> str | None:
    if columns.options.trait_column is not None:
        return columns.take(columns.find(columns.options.trait_column, "trait-column"))
    if len(scores) > 1 or columns.options.trait or normal(scores[0].column) in headings.TRAITS:
        return None
    kinds = {column: columns.table.cells[column].drop_nulls().n_unique() for column in columns.usual(headings.TRAIT)}
    usual = [
        column
        for column, number in kinds.items()
        if 0 < number <= 50 and not columns.is_numeric(column) and columns.share(column, columns.is_photo) < 0.5
    ]
    found = [column for column in usual if kinds[column] > 1] or usual
    if len(found) > 1:
        raise columns.several(found, "the trait", "--trait-column")
    return columns.take(found[0]) if found else None


def _rater_without_heading(columns: Columns, image: str) -> str | None:
    """Of a table without headings, the one column that distinguishes the rows of each photo."""
    cells = columns.table.cells
    if cells[image].n_unique() == len(cells):
        return None
    found = [column for column in columns.left if cells.select(image, column).n_unique() == len(cells)]
    return columns.take(found[0]) if len(found) == 1 else None


def _beside(columns: Columns, usual: frozenset[str]) -> str | None:
    """A column beside published means: their standard deviations or numbers of raters."""
    found = [column for column in columns.usual(usual) if columns.is_numeric(column)]
    return columns.take(found[0]) if len(found) == 1 else None


def _attributes(
    columns: Columns, stated: dict[str, str], image: str | None, rater: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """column -> attribute, of photos and of raters. What differs within a photo is never the photo's."""
    owners: dict[str, str | None] = dict(stated)
    owners |= {column: found[0] for column in columns.left if (found := headings.attribute(column))}
    attributes: dict[str, dict[str, str]] = {"photo": {}, "rater": {}}
    for column, owner in owners.items():
        owner = owner or _attribute_owner(columns, column, image, rater)
        if owner is None or (owner == "photo" and image is None) or (owner == "rater" and image and not rater):
            continue
        _check_constant(columns, column, image if owner == "photo" else rater, owner)
        usual, names = headings.attribute(column), attributes[owner]
        names[columns.take(column)] = usual[1] if usual and usual[1] not in names.values() else slug(column) or column
    return attributes["photo"], attributes["rater"]


def _attribute_owner(columns: Columns, column: str, image: str | None, rater: str | None) -> str | None:
    """Whose an attribute is that does not say so: of what it does not differ within, when it differs in the other."""
    if image is None or rater is None:
        return "rater" if image is None else "photo"
    in_photo, in_rater = columns.differs(column, image) is not None, columns.differs(column, rater) is not None
    if in_photo == in_rater:
        why = "differs within photos and within raters" if in_photo else "may be the photos' or the raters'"
        columns.remarks.append(f"{column} {why}: state which with --photo-attribute or --rater-attribute")
        return None
    return "rater" if in_photo else "photo"


def _check_constant(columns: Columns, column: str, within: str | None, owner: str) -> None:
    if within is not None and (first := columns.differs(column, within)) is not None:
        raise DataError(
            f"{column!r} of {columns.table.source} differs within the {owner} {first}, so it is not the {owner}'s: "
            "correct or rename it."
        )
