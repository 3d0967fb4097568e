"""Which columns of a rating table are ratings: one of all, one a trait, one a rater, or one a photo."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import replace

from featurestore.errors import DataError
from featurestore.ingest import headings
from featurestore.ingest.cells import Numbers
from featurestore.ingest.columns import Columns
from featurestore.ingest.headings import normal, slug
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.ingest.recipe import ScoreColumn

_SESSION = r"(?:t|time|session|wave|occasion)[ _.\-]?(?P<session>\d+)"
_IN_SESSION = re.compile(rf"(?P<head>.*?)[ _.\-]*{_SESSION}", re.IGNORECASE)
_RATER_IN_SESSION = re.compile(rf"(?P<head>.+)[ _.\-]{_SESSION}", re.IGNORECASE)


def face_columns(columns: Columns) -> list[ScoreColumn]:
    """Columns whose heading, or the question beneath it, names a photo: each row is a rater."""
    found = [score for column in columns.left if columns.is_numeric(column) for score in _face(columns, column)]
    kinds = [(score.image, score.trait) for score in found]
    for score, kind in zip(found, kinds, strict=True):
        if kinds.count(kind) > 1:
            raise DataError(
                f"{columns.table.source} has several columns of ratings of {score.image}, such as {score.column!r}: "
                "rename them PHOTO_TRAIT, as in face_01_trustworthy."
            )
    return found


def _face(columns: Columns, column: str) -> list[ScoreColumn]:
    text = f"{column} {columns.table.questions.get(column, '')}"
    head, _, tail = re.sub(r"[ .\-]", "_", column).rpartition("_")
    trait = slug(tail) if normal(tail) in headings.TRAITS else _trait_in(text)
    labels = [column, columns.names.within(text)]
    if head and (tail.isdigit() or normal(tail) in headings.TRAITS):
        labels.insert(1, column[: len(head)])
    for label in filter(None, labels):
        photos = columns.names.find(label).photos
        if len(photos) == 1:
            return [ScoreColumn(column, trait, None, photos[0])]
    return []


def score_columns(columns: Columns, rater: str | None) -> list[ScoreColumn]:
    """The columns of ratings of a table with a column of photos.

    Raises DataError, naming the option that decides, when there is none or two readings are possible.
    """
    options = columns.options
    if options.score_columns:
        return [ScoreColumn(columns.find(column, "score-column")) for column in options.score_columns]
    single = _rater_columns(columns)
    if options.rater_columns:
        return single
    generic, traits = _usual(columns)
    if single and rater is None:
        if not traits and _are_means(columns, generic, single):
            return single
        readings = [*generic, *traits, single[0].column]
        raise columns.several(readings, "the ratings", "--score-column or --rater-columns")
    if len(generic) > 1 or (generic and traits):
        raise columns.several([*generic, *traits], "the score", "--score-column")
    found = [*generic, *traits]
    if not found and (sessions := _session_columns(columns)):
        return sessions
    if not found and not columns.table.origin.header:
        found = [column for column in columns.left if columns.is_numeric(column)]
        if len(found) > 1:
            raise columns.several(found, "the score", "--score-column")
    if not found:
        raise DataError(
            f"{columns.table.source} has no score column; its columns are {columns.listed()}: state it with "
            "--score-column, or columns of one rater each with --rater-columns."
        )
    return [ScoreColumn(column) for column in found]


def _usual(columns: Columns) -> tuple[list[str], list[str]]:
    """Columns with a usual heading of scores, and columns called like a trait."""
    generic = columns.usual(headings.SCORE)
    generic = [column for column in generic if columns.is_numeric(column)] or generic
    traits = [column for column in columns.usual(headings.TRAITS) if columns.is_numeric(column)]
    if not generic and not traits:
        ends = ("response", "rating", "score")
        generic = [c for c in columns.left if normal(c).endswith(ends) and columns.is_numeric(c)]
    return generic, traits


def _rater_columns(columns: Columns) -> list[ScoreColumn]:
    """Columns of one rater each: those stated, else those with headings such as R01 or attractive_R01."""
    if patterns := [pattern.strip().lower() for pattern in columns.options.rater_columns]:
        stated = [c for c in columns.left if any(fnmatch.fnmatchcase(c.lower(), pattern) for pattern in patterns)]
        if not stated:
            raise DataError(
                f"{columns.table.source} has no columns {', '.join(patterns)} for --rater-columns; "
                f"its columns are {columns.listed()}."
            )
        return [ScoreColumn(column, None, column) for column in stated]
    found = [score for column in columns.left if columns.is_numeric(column) if (score := _one_rater(column))]
    return found if len(found) > 1 else []


def _one_rater(column: str) -> ScoreColumn | None:
    """A column with a heading such as `R01`, `attractive_R01` or, of a rater who was asked again, `R01_t2`."""
    parts = _RATER_IN_SESSION.fullmatch(column.strip())
    in_session = [(parts["head"], parts["session"])] if parts else []
    for heading, session in [*in_session, (column, None)]:
        if headings.rater_column(heading):
            return ScoreColumn(column, None, heading, session=session)
        if trait_and_rater := _trait_and_rater(heading):
            return ScoreColumn(column, *trait_and_rater, session=session)
    return None


def _trait_and_rater(heading: str) -> tuple[str, str] | None:
    """(trait, rater) of a heading such as `attractive_R1` or `R1 trustworthy`."""
    parts = [part for part in re.split(r"[ _.\-]+", heading) if part]
    for trait, rest in ((parts[:1], parts[1:]), (parts[-1:], parts[:-1])):
        rater = "_".join(rest)
        if rest and normal(trait[0]) in headings.TRAITS and headings.rater_column(rater):
            return slug(trait[0]), rater
    return None


def _session_columns(columns: Columns) -> list[ScoreColumn]:
    """Columns of one session each, such as t1 and t2, rating_t1 or attractive session 2."""
    found = []
    for column in filter(columns.is_numeric, columns.left):
        if parts := _IN_SESSION.fullmatch(column.strip()):
            head = normal(parts["head"])
            if not head or head in headings.SCORE or head in headings.TRAITS:
                trait = slug(head) if head in headings.TRAITS else None
                found.append(ScoreColumn(column, trait, session=parts["session"]))
    return found if len(found) > 1 else []


def _are_means(columns: Columns, generic: Sequence[str], single: Sequence[ScoreColumn]) -> bool:
    """Whether columns beside single ratings are their mean, as spreadsheets have it."""
    numbers = Numbers("," if columns.options.decimal == "," else ".")
    ratings = [score.column for score in single]
    for column in generic:
        for *texts, mean in columns.table.cells.select([*ratings, column]).head(200).iter_rows():
            read = [value for text in texts if text and (value := numbers.read(text)) is not None]
            value = numbers.read(mean) if mean else None
            if value is not None and read and abs(value - sum(read) / len(read)) > 0.051:
                return False
    if generic:
        columns.remarks.append(f"{', '.join(generic)} is the mean of the raters' columns: computed from them")
    return True


def named(columns: Columns, scores: Sequence[ScoreColumn], trait_column: str | None) -> tuple[ScoreColumn, ...]:
    """The score columns with their traits, unless a column holds these."""
    if trait_column is not None:
        return tuple(scores)
    several = len(scores) > 1 and not any(score.rater or score.image or score.session for score in scores)
    found = [replace(score, trait=score.trait or _trait(columns, score.column, several)) for score in scores]
    if (stated := columns.options.trait) is None:
        return tuple(found)
    if several:
        raise DataError(f"{columns.table.source} has several traits: --trait names the only one of a table.")
    return tuple(replace(score, trait=slug(stated)) for score in found)


def _trait(columns: Columns, column: str, several: bool) -> str:
    if several or normal(column) in headings.TRAITS:
        return slug(column) or UNNAMED_TRAIT
    return _trait_in(columns.table.questions.get(column, "")) or UNNAMED_TRAIT


def _trait_in(text: str) -> str | None:
    """The one trait that a question names."""
    words = {slug(word) for word in re.findall(r"[^\W\d_]+", text) if normal(word) in headings.TRAITS}
    return words.pop() if len(words) == 1 else None
