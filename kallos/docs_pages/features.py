"""Generates docs/features.md from the definitions: `python -m kallos.docs_pages.features docs/features.md`."""

import inspect
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from extractors.catalogue import FeatureDefinition
from extractors.points import Landmarks
from kallos.docs_pages.markdown import item
from reports.pages.feature_catalogue import data, plausible

OPENING = """\
# Features

Made by `make docs` from the definitions in `extractors/`: change those, not this page. The same in the terminal, with
the named landmarks of each feature and what a store holds of it: `kallos features` and `kallos features NAME`.

Right and left are the subject's own. Plausible is a range, not a limit: values of unusual faces may lie outside.
A feature's version is raised whenever its formula gives other values. Its invariances say what may be done to the
face in the photo without changing the value; features of pixels have none of scale: a photo with fewer of them is less
sharp. L\\*, a\\* and b\\* are those of CIELAB.

A region has a sub-score, which sees its features alone; that of symmetry, which is of the whole face, sees proportions
too.

Formulas of landmarks are measured in the face's own frame, x along the line through the eye centres:

"""


def markdown() -> str:
    """The whole page."""
    features = data().features
    parts = [OPENING, _notation(features)]
    for region, members in groupby(features, key=lambda d: d.region):
        parts += [f"\n## {region.capitalize()}\n\n", *map(_entry, members)]
    return "".join(parts)


def _notation(features: Iterable[FeatureDefinition]) -> str:
    """Explains the measures in formulas, from the docstrings of `Landmarks`."""
    formulas = " ".join(d.formula for d in features)
    measures = {name: m for name, m in vars(Landmarks).items() if inspect.isfunction(m) and f"{name}(" in formulas}
    lines = [item(f"`|a - b|`: {_first_line(Landmarks.distance)}")]
    for name, measure in measures.items():
        _, *arguments = inspect.signature(measure).parameters
        lines.append(item(f"`{name}({', '.join(arguments)})`: {_first_line(measure)}"))
    return "".join(lines)


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _entry(d: FeatureDefinition) -> str:
    """A definition as a list item."""
    summary, unit, source = (text.replace("*", r"\*") for text in (d.summary, d.unit, d.source))
    return item(
        f"`{d.name}`: {summary} Formula: `{d.formula}`. Plausible: {plausible(d)} {unit}. Source: {source}. "
        f"Invariances: {', '.join(d.invariant)}. Version: {d.version}"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
