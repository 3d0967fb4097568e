"""How a rating table is read: what each column is. It is decided once, shown, and can be stored to be used again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.scale import Scale

FORMAT = 1


@dataclass(frozen=True)
class ScoreColumn:
    """A column of ratings; what is None stands in a column of its own, or is unknown.

    column   its heading
    trait    what was rated
    rater    whose ratings
    image    label of the photo that was rated
    session  when, where raters were asked more than once
    """

    column: str
    trait: str | None = None
    rater: str | None = None
    image: str | None = None
    session: str | None = None


@dataclass(frozen=True)
class Roles:
    """What each column is. Columns are headings.

    scores                     the columns of ratings
    image, rater, trait, session    columns; None where headings name it or nothing does
    numbered_images            whether labels are the numbers in the photos' names
    sd, raters                 columns of standard deviations and numbers of raters beside published means
    photo_attributes, rater_attributes    column -> attribute
    not_used                   the other columns
    """

    scores: tuple[ScoreColumn, ...]
    image: str | None = None
    rater: str | None = None
    trait: str | None = None
    session: str | None = None
    numbered_images: bool = False
    sd: str | None = None
    raters: str | None = None
    photo_attributes: Mapping[str, str] | None = None
    rater_attributes: Mapping[str, str] | None = None
    not_used: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe(Roles):
    """Everything that was decided about a table.

    scale                      lowest and highest rating
    encoding, sheet, header    where the table is in its file
    missing                    numbers and words that mean "no answer", besides the usual words
    levels                     words from the lowest rating up
    decimal                    "." or ","
    """

    scale: Scale
    encoding: str | None = None
    sheet: str | None = None
    header: bool = True
    missing: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    decimal: str = "."

    @property
    def columns(self) -> set[str]:
        """Every column that the recipe knows."""
        single = {self.image, self.rater, self.trait, self.session, self.sd, self.raters} - {None}
        attributes = {**(self.photo_attributes or {}), **(self.rater_attributes or {})}
        return {*(s.column for s in self.scores), *(c for c in single if c), *attributes, *self.not_used}

    def save(self, file: Path) -> None:
        """Write it as JSON that people can read and change. Raises InputError when the file cannot be written."""
        content = {"format": FORMAT, **asdict(self)}
        try:
            file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{file} cannot be written ({error.strerror}): choose another place.") from error

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read it again. Raises InputError when the file is missing, DataError when it is no recipe."""
        if not file.is_file():
            raise InputError(f"There is no recipe {file}: write one with --save-recipe.")
        try:
            content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            scores = tuple(ScoreColumn(**score) for score in content.pop("scores"))
            low, high = map(float, content.pop("scale"))
            for name in ("not_used", "missing", "levels"):
                content[name] = tuple(map(str, content.get(name, ())))
            recipe = cls(scores=scores, scale=Scale(low, high), **content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{file} is not a recipe of this kallos: write it anew with --save-recipe.") from error
        recipe._check(file)
        return recipe

    def _check(self, file: Path) -> None:
        kinds: dict[str, tuple[type, ...]] = {
            **dict.fromkeys(("photo_attributes", "rater_attributes"), (dict, type(None))),
            **dict.fromkeys(("header", "numbered_images"), (bool,)),
            **dict.fromkeys(
                ("encoding", "sheet", "image", "rater", "trait", "session", "sd", "raters"), (str, type(None))
            ),
            "decimal": (str,),
        }
        wrong = [
            f.name for f in fields(self) if f.name in kinds and not isinstance(getattr(self, f.name), kinds[f.name])
        ]
        texts = [v for s in self.scores for v in asdict(s).values() if v is not None]
        if wrong or not self.scores or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{file} is not a recipe of this kallos ({', '.join(wrong) or 'scores'}): write it anew.")
